package api

import (
	"encoding/json"
	"time"

	"signalbox/internal/push"
)

type pushCreate struct {
	To            rawTarget       `json:"to"`
	Type          string          `json:"type" minLength:"1" maxLength:"128" doc:"Dotted name that the endpoint knows what to do with." example:"policy.refresh"`
	Payload       json.RawMessage `json:"payload,omitempty" doc:"Any JSON of at most 65536 bytes; it reaches the endpoint as it was written, without white space."`
	PayloadBase64 *string         `json:"payload_base64,omitempty" contentEncoding:"base64" doc:"Bytes instead of JSON, at most 65536 before the encoding."`
	TTL           *int64          `json:"ttl,omitempty" minimum:"0" maximum:"2419200" doc:"Seconds that it may wait; 0 means now or never. Absent: push.default_ttl of the configuration, a day."`
	Priority      *string         `json:"priority,omitempty" enum:"high,normal,low" default:"normal" doc:"Order among the pushes that wait for the endpoint."`
	Ack           *string         `json:"ack,omitempty" enum:"none,delivered,handled" default:"delivered" doc:"What counts as done."`
	CollapseKey   rawAny          `json:"collapse_key,omitempty" doc:"Not built yet: answers not_supported."`
	NotBefore     rawAny          `json:"not_before,omitempty" doc:"Not built yet: answers not_supported."`
}

type pushHeaders struct {
	IdempotencyKey string `header:"Idempotency-Key" minLength:"1" maxLength:"255" doc:"Printable ASCII; makes it safe to send the request again."`
	TTL            string `header:"TTL" doc:"RFC 8030 section 5.2, as the field ttl."`
	Urgency        string `header:"Urgency" doc:"RFC 8030 section 5.3: very-low and low are priority low, normal and high themselves."`
	Prefer         string `header:"Prefer" doc:"RFC 7240: wait=N, 1 to 60 seconds."`
	Topic          string `header:"Topic" doc:"RFC 8030 section 5.4, a collapse key. Not built yet: answers not_supported."`
}

type pushReceipt struct {
	_     struct{}   `additionalProperties:"true"`
	ID    string     `json:"id" example:"psh_0123456789abc"`
	State push.State `json:"state" enum:"accepted,sent,delivered,handled,failed,expired,replaced,cancelled,rejected"`
	To    string     `json:"to"`
}

type pushBody struct {
	_         struct{}        `additionalProperties:"true"`
	ID        string          `json:"id"`
	To        string          `json:"to"`
	Type      string          `json:"type"`
	State     push.State      `json:"state" enum:"accepted,sent,delivered,handled,failed,expired,replaced,cancelled,rejected"`
	History   []pushChange    `json:"history" nullable:"false" doc:"Every state that it was in, the oldest first."`
	Result    json.RawMessage `json:"result,omitempty" doc:"What the endpoint answered."`
	TTL       int64           `json:"ttl" doc:"Seconds."`
	Priority  string          `json:"priority" enum:"high,normal,low"`
	Ack       string          `json:"ack" enum:"none,delivered,handled"`
	CreatedAt time.Time       `json:"created_at"`
	ExpiresAt time.Time       `json:"expires_at"`
}

type pushChange struct {
	_      struct{}   `additionalProperties:"true"`
	State  push.State `json:"state" enum:"accepted,sent,delivered,handled,failed,expired,replaced,cancelled,rejected"`
	At     time.Time  `json:"at"`
	Reason string     `json:"reason,omitempty"`
}

func showPush(st push.Status) pushBody {
	b := pushBody{
		ID: st.ID.String(), To: st.To.ID, Type: st.Type, State: st.State, History: []pushChange{}, Result: st.Result, TTL: int64(st.TTL / time.Second),
		Priority: st.Priority.String(), Ack: st.Ack.String(), CreatedAt: utc(st.Created), ExpiresAt: utc(st.Expires()),
	}
	for _, c := range st.History {
		b.History = append(b.History, pushChange{State: c.State, At: utc(c.At), Reason: c.Reason})
	}
	return b
}
