package api

import (
	"time"

	"signalbox/internal/events/webhook"
)

// maxKeepSeconds bounds how long an old secret signs beside a new one.
const maxKeepSeconds = 30 * 24 * 3600

type webhookCreate struct {
	URL          string   `json:"url" minLength:"8" maxLength:"2048" doc:"Where events are posted: https://HOST/PATH, without user and fragment." example:"https://itsm.example.com/hooks/signalbox"`
	Description  string   `json:"description,omitempty" maxLength:"256" doc:"Whose it is, for people."`
	Types        []string `json:"types,omitempty" nullable:"false" maxItems:"64" doc:"Types of events such as push.failed, endpoint.* or *; absent or empty: all but push.accepted and push.sent."`
	Signature    string   `json:"signature,omitempty" enum:"hmac,ed25519" default:"hmac" doc:"How events are signed: with a secret that both sides have, or with a private key of the server."`
	InsecureHTTP bool     `json:"insecure_http,omitempty" doc:"Allows http in the URL: events then cross the network in clear."`
	Enabled      *bool    `json:"enabled,omitempty" default:"true" doc:"Whether events are sent."`
}

type webhookChange struct {
	URL           *string   `json:"url,omitempty" minLength:"8" maxLength:"2048"`
	Description   *string   `json:"description,omitempty" maxLength:"256"`
	Types         *[]string `json:"types,omitempty" nullable:"false" maxItems:"64" doc:"Replaces all types."`
	InsecureHTTP  *bool     `json:"insecure_http,omitempty"`
	Enabled       *bool     `json:"enabled,omitempty" doc:"true also sends again to a receiver that the server disabled."`
	NewSecret     string    `json:"new_secret,omitempty" enum:"hmac,ed25519" doc:"Makes a further secret of this kind, which signs from now on."`
	OldSecretsFor *int64    `json:"old_secrets_for,omitempty" minimum:"0" maximum:"2592000" default:"86400" doc:"Seconds that the secrets before a new one sign as well; 0 ends them at once."`
}

type webhookReplay struct {
	Seq    *int64  `json:"seq,omitempty" minimum:"0" doc:"Number of an event: those behind it are sent again."`
	From   *string `json:"from,omitempty" format:"date-time" doc:"Time since which events are sent again."`
	Failed bool    `json:"failed,omitempty" doc:"Sends again what was given up, and nothing else."`
}

type webhookBody struct {
	_            struct{}      `additionalProperties:"true"`
	ID           string        `json:"id"`
	URL          string        `json:"url"`
	Description  string        `json:"description,omitempty"`
	Types        []string      `json:"types" nullable:"false" doc:"Empty: all but push.accepted and push.sent."`
	Enabled      bool          `json:"enabled"`
	Configured   bool          `json:"configured" doc:"Whether it is the management server of the configuration, which cannot be changed here."`
	InsecureHTTP bool          `json:"insecure_http"`
	Keys         []webhookKey  `json:"keys" nullable:"false" doc:"What signs now, the newest first."`
	Status       webhookStatus `json:"status"`
	CreatedAt    time.Time     `json:"created_at"`
	UpdatedAt    time.Time     `json:"updated_at"`
	Secret       string        `json:"secret,omitempty" doc:"whsec_..., only in the answer to the request that made it."`
}

type webhookKey struct {
	_         struct{}       `additionalProperties:"true"`
	Signature webhook.Scheme `json:"signature" enum:"hmac,ed25519"`
	PublicKey string         `json:"public_key,omitempty" doc:"whpk_..., with which receivers verify ed25519."`
	CreatedAt time.Time      `json:"created_at,omitzero"`
	ExpiresAt time.Time      `json:"expires_at,omitzero" doc:"From when it does not sign any more; absent: it signs on."`
}

type webhookStatus struct {
	_            struct{}  `additionalProperties:"true"`
	State        string    `json:"state" enum:"ok,failing,disabled" doc:"failing: the last attempt failed; disabled: nothing is sent."`
	Cursor       int64     `json:"cursor" doc:"Number of the event up to which all were taken or set aside."`
	Pending      int64     `json:"pending" doc:"Events that wait, at most: those of types that are not asked for count."`
	PendingSince time.Time `json:"pending_since,omitzero" doc:"When the oldest event happened that waits."`
	SetAside     int       `json:"set_aside" doc:"Events that the receiver refuses while it takes others, and those of the same endpoints behind them; they are tried again beside the others."`
	Failures     int       `json:"failures" doc:"Attempts in a row that failed."`
	FailingSince time.Time `json:"failing_since,omitzero"`
	NextAttempt  time.Time `json:"next_attempt,omitzero"`
	Code         string    `json:"code,omitempty" doc:"Stable name of why the last attempt failed." example:"certificate_expired"`
	Error        string    `json:"error,omitempty" doc:"Why the last attempt failed, or why the server disabled the webhook."`
	Action       string    `json:"action,omitempty" doc:"What to do about it."`
	LastSuccess  time.Time `json:"last_success,omitzero"`
}

type webhookDelivery struct {
	_           struct{}  `additionalProperties:"true"`
	At          time.Time `json:"at"`
	Event       string    `json:"event" doc:"Id of the event, the header webhook-id."`
	Seq         int64     `json:"seq,omitempty" doc:"Number of the event; absent for tests and snapshots."`
	Type        string    `json:"type"`
	Endpoint    string    `json:"endpoint,omitempty"`
	Attempt     int       `json:"attempt" doc:"1 is the first."`
	OK          bool      `json:"ok" doc:"Whether the receiver took it."`
	Status      int       `json:"status,omitempty" doc:"HTTP status of the answer; absent: there was none."`
	Millis      int64     `json:"ms" doc:"How long the attempt took."`
	Code        string    `json:"code,omitempty"`
	Error       string    `json:"error,omitempty" doc:"Why it was not taken."`
	Action      string    `json:"action,omitempty" doc:"What to do about it."`
	NextAttempt time.Time `json:"next_attempt,omitzero"`

	number int64
}

func showWebhook(in webhook.Info) webhookBody {
	b := webhookBody{
		ID: in.ID, URL: in.URL, Description: in.Description, Types: append([]string{}, in.Types...), Enabled: in.Enabled, Configured: in.ID == webhook.Management,
		InsecureHTTP: in.Insecure, Keys: []webhookKey{}, CreatedAt: utc(in.Created), UpdatedAt: utc(in.Updated),
	}
	for _, k := range in.Signing(time.Now()) {
		b.Keys = append(b.Keys, webhookKey{Signature: k.Scheme(), PublicKey: k.Public(), CreatedAt: utc(k.Created), ExpiresAt: utc(k.Expires)})
	}
	b.Status = webhookStatus{
		State: "ok", Cursor: in.Cursor, Pending: in.Pending, PendingSince: utc(in.Oldest), SetAside: in.Aside, Failures: in.Failures, FailingSince: utc(in.Since),
		NextAttempt: utc(in.Next), Code: in.Fault.Code, Error: in.Fault.Detail, Action: in.Fault.Action, LastSuccess: utc(in.LastSuccess),
	}
	switch {
	case !in.Enabled:
		b.Status.State = "disabled"
		if in.Disabled != "" {
			b.Status.Error = in.Disabled
		}
	case in.Failures > 0:
		b.Status.State = "failing"
	}
	return b
}

// addSecret shows a secret the one time that it is shown. Of a private key nobody needs more than the public one.
func (b *webhookBody) addSecret(k webhook.Key) {
	if k.Scheme() == webhook.HMAC {
		b.Secret = k.Text
	}
}

func showWebhookDelivery(d webhook.Delivery) webhookDelivery {
	return webhookDelivery{
		At: utc(d.At), Event: d.Event, Seq: d.Seq, Type: d.Type, Endpoint: d.Endpoint, Attempt: d.Attempt, OK: d.OK(), Status: d.Status, Millis: d.Took.Milliseconds(),
		Code: d.Fault.Code, Error: d.Fault.Detail, Action: d.Fault.Action, NextAttempt: utc(d.Next), number: d.ID,
	}
}
