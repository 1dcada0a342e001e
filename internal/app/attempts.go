package app

import (
	"context"
	"crypto/tls"
	"errors"
	"net/netip"
	"strings"
	"time"

	"signalbox/certs"
	"signalbox/internal/diagnosis"
	"signalbox/internal/endpoint"
	"signalbox/internal/listen"
	"signalbox/internal/telemetry"
	"signalbox/xmpp"
	"signalbox/xmpp/sasl"
)

// attempts tells the memory of failed attempts what the listener and the streams see. It implements listen.Observer and xmpp.Observer.
type attempts struct {
	memory *diagnosis.Memory
	certs  *certs.Store
}

var (
	_ listen.Observer = attempts{}
	_ xmpp.Observer   = attempts{}
)

// maxHomes is how many addresses of endpoints are learnt from the last run.
const maxHomes = 50_000

// recallHomes learns from the store where endpoints were last seen, the oldest first, so that their attempts after a restart are known as theirs.
func (a *App) recallHomes(ctx context.Context) {
	type home struct {
		key  endpoint.Key
		from netip.Addr
	}
	var homes []home
	err := a.store.LastSeen(ctx, maxHomes, func(k endpoint.Key, from netip.AddrPort) { homes = append(homes, home{k, from.Addr()}) })
	if err != nil && ctx.Err() == nil {
		a.log.Warn("where endpoints were last seen could not be read; diagnoses know less", telemetry.Cause(err))
	}
	for i := len(homes) - 1; i >= 0; i-- {
		a.attempts.memory.Seen(homes[i].key, homes[i].from)
	}
}

// LoggedIn implements xmpp.Observer.
func (a attempts) LoggedIn(k endpoint.Key, from netip.AddrPort) { a.memory.Seen(k, from.Addr()) }

// Refused implements listen.Observer.
func (a attempts) Refused(r listen.Refusal) {
	if r.Listener != "tls" && r.Listener != "xmpp" { // others are not for endpoints
		return
	}
	d := diagnosis.Detail{Listener: r.Listener, ServerName: r.Hello.ServerName, ALPN: strings.Join(r.Hello.ALPN, ", "), Cause: causeText(r.Cause)}
	if r.Hello.MaxVersion != 0 {
		d.Version = tls.VersionName(r.Hello.MaxVersion)
	}
	if r.Secured && r.Reason == listen.UnknownProtocol {
		d.Cause = string(r.Reason)
	}
	a.memory.Failed(diagnosis.Attempt{At: time.Now().UTC(), Code: a.codeOfRefusal(r), Remote: r.Remote, Detail: d})
}

func causeText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// codeOfRefusal names what kept a connection from being handed on.
func (a attempts) codeOfRefusal(r listen.Refusal) string {
	if r.Secured {
		switch r.Reason {
		case listen.ClosedEarly:
			return "stream_never_opened"
		case listen.NoFirstByte:
			return "stream_timeout"
		case listen.UnknownProtocol:
			return "stream_refused"
		}
	}
	switch r.Reason {
	case listen.HandshakeFailed:
		return a.codeOfHandshake(r)
	case listen.TooMany:
		return "too_many_connections"
	case listen.TooManySource:
		return "throttled"
	case listen.NoHandler:
		return "protocol_off"
	case listen.QueueFull, listen.QueueTimeout:
		return "handshake_queue"
	}
	return string(r.Reason) // the others have the same names
}

// codeOfHandshake names how a client refused our certificate, if it did.
func (a attempts) codeOfHandshake(r listen.Refusal) string {
	switch r.How {
	case "":
		return "handshake_failed"
	case "unknown_ca":
		return "cert_unknown_ca"
	case "expired":
		if a.valid(r.Leaf) {
			return "clock_skewed"
		}
		return "cert_expired"
	case "bad_certificate":
		return "cert_wrong_name"
	case "unsupported_certificate":
		return "cert_unsupported"
	case "revoked":
		return "cert_revoked"
	case "access_denied":
		return "cert_denied"
	case "closed_after_certificate":
		return "cert_closed"
	}
	return "cert_refused"
}

// valid reports whether the bundle with this leaf is valid by our clock.
func (a attempts) valid(leaf [32]byte) bool {
	for _, b := range a.certs.Bundles() {
		if b.Leaf.SHA256 == leaf {
			return b.Valid(time.Now())
		}
	}
	return false
}

// LoginFailed implements xmpp.Observer.
func (a attempts) LoginFailed(f xmpp.Failure) {
	d := diagnosis.Detail{ServerName: f.TLS.ServerName, ALPN: f.TLS.ALPN, Mechanism: f.Mechanism, To: f.To}
	if f.TLS.Version != 0 {
		d.Version = tls.VersionName(f.TLS.Version)
	}
	code := codeOfEnd(f)
	d.Cause = f.Reason.Name
	if f.Login != nil {
		code, d.Cause = codeOfLogin(f), f.Login.Cause.Error()
	}
	known := f.Phase == xmpp.PhaseBind || code == "wrong_secret" || code == "wrong_key" || code == "endpoint_disabled"
	a.memory.Failed(diagnosis.Attempt{At: time.Now().UTC(), Code: code, Remote: f.Remote, Key: f.Key, Known: known, Detail: d})
}

// codeOfLogin names why a login was refused.
func codeOfLogin(f xmpp.Failure) string {
	switch cause := f.Login.Cause; {
	case errors.Is(cause, sasl.ErrUnknownEndpoint):
		return "unknown_endpoint"
	case errors.Is(cause, sasl.ErrWrongSecret):
		return "wrong_secret"
	case errors.Is(cause, sasl.ErrWrongKey):
		return "wrong_key"
	case errors.Is(cause, sasl.ErrBinding):
		return "channel_binding"
	case errors.Is(cause, sasl.ErrWrongToken):
		return "wrong_token"
	}
	if f.Mechanism == "EXTERNAL" && (f.Login.Condition == sasl.InvalidMechanism || f.Login.Condition == sasl.NotAuthorized) {
		return "client_certificate" // it is offered to those who showed one
	}
	switch f.Login.Condition {
	case sasl.AccountDisabled:
		return "endpoint_disabled"
	case sasl.InvalidMechanism:
		return "mechanism_not_offered"
	case sasl.InvalidAuthzid:
		return "wrong_authzid"
	case sasl.TemporaryAuthFailure:
		return "login_unchecked"
	case sasl.Aborted:
		return "login_given_up"
	case sasl.CredentialsExpired:
		return "wrong_token"
	}
	return "login_malformed"
}

// codeOfEnd names why a stream ended before it had a session.
func codeOfEnd(f xmpp.Failure) string {
	left := f.Reason.Name == endpoint.ReasonConnectionLost.Name || f.Reason.Name == endpoint.ReasonClosedByPeer.Name
	late := f.Reason.Name == endpoint.ReasonHandshakeTimeout.Name
	switch {
	case f.Phase == xmpp.PhaseBind && f.Reason.Name == "":
		return "bind_limit"
	case f.Phase == xmpp.PhaseBind && f.Reason.Name == endpoint.ReasonCloned.Name:
		return "clone_refused"
	case f.Phase == xmpp.PhaseBind:
		return "bind_given_up"
	case f.Reason.Name == endpoint.ReasonHostUnknown.Name:
		return "wrong_domain"
	case f.Phase == xmpp.PhaseLogin && !f.TLS.MayLogIn() && (left || late):
		return "starttls_not_asked"
	case f.Phase == xmpp.PhaseLogin && left:
		return "login_given_up"
	case f.Phase == xmpp.PhaseLogin && late:
		return "login_timeout"
	case f.Phase == xmpp.PhaseLogin:
		return "login_refused"
	case late:
		return "stream_timeout"
	case left && f.TLS.Secure():
		return "stream_never_opened"
	case left:
		return "closed_early"
	}
	return "stream_refused"
}
