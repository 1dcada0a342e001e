package app

import (
	"errors"
	"fmt"
	"testing"

	"signalbox/internal/endpoint"
	"signalbox/internal/link"
	"signalbox/internal/listen"
	"signalbox/xmpp"
	"signalbox/xmpp/sasl"
)

// TestCodesOfLogins names logins that cannot be made to fail from outside; the others are played in tests/why.
func TestCodesOfLogins(t *testing.T) {
	for _, tt := range []struct {
		failure sasl.Failure
		want    string
	}{
		{sasl.Failure{Condition: sasl.TemporaryAuthFailure, Cause: errors.New("disk")}, "login_unchecked"},
		{sasl.Failure{Condition: sasl.CredentialsExpired, Cause: errors.New("old")}, "wrong_token"},
		{sasl.Failure{Condition: sasl.NotAuthorized, Cause: fmt.Errorf("%w: more", sasl.ErrBinding)}, "channel_binding"},
		{sasl.Failure{Condition: sasl.NotAuthorized, Cause: errors.New("nonce")}, "login_malformed"},
		{sasl.Failure{Condition: sasl.IncorrectEncoding, Cause: errors.New("base64")}, "login_malformed"},
	} {
		if got := codeOfLogin(xmpp.Failure{Login: &tt.failure}); got != tt.want {
			t.Errorf("code of %v = %s, want %s", &tt.failure, got, tt.want)
		}
	}
}

// TestCodesOfEnds names ends of streams by how far they came.
func TestCodesOfEnds(t *testing.T) {
	inTLS := link.TLS{Version: 0x0304}
	for _, tt := range []struct {
		phase  xmpp.Phase
		reason endpoint.Reason
		tls    link.TLS
		want   string
	}{
		{xmpp.PhaseStream, endpoint.ReasonConnectionLost, link.TLS{}, "closed_early"},
		{xmpp.PhaseStream, endpoint.ReasonConnectionLost, inTLS, "stream_never_opened"},
		{xmpp.PhaseStream, endpoint.ReasonBadVersion, inTLS, "stream_refused"},
		{xmpp.PhaseLogin, endpoint.ReasonHandshakeTimeout, link.TLS{}, "starttls_not_asked"},
		{xmpp.PhaseLogin, endpoint.ReasonFlood, inTLS, "login_refused"},
		{xmpp.PhaseBind, endpoint.ReasonHandshakeTimeout, inTLS, "bind_given_up"},
		{xmpp.PhaseBind, endpoint.ReasonCloned, inTLS, "clone_refused"},
	} {
		if got := codeOfEnd(xmpp.Failure{Phase: tt.phase, Reason: tt.reason, TLS: tt.tls}); got != tt.want {
			t.Errorf("code of %s at %s = %s, want %s", tt.reason, tt.phase, got, tt.want)
		}
	}
}

// TestCodesOfRefusals names what the listener refuses in ways that depend on how far it came.
func TestCodesOfRefusals(t *testing.T) {
	for _, tt := range []struct {
		refusal listen.Refusal
		want    string
	}{
		{listen.Refusal{Reason: listen.QueueTimeout}, "handshake_queue"},
		{listen.Refusal{Reason: listen.ClosedEarly}, "closed_early"},
		{listen.Refusal{Reason: listen.ClosedEarly, Secured: true}, "stream_never_opened"},
		{listen.Refusal{Reason: listen.NoFirstByte, Secured: true}, "stream_timeout"},
		{listen.Refusal{Reason: listen.UnknownProtocol, Secured: true}, "stream_refused"},
		{listen.Refusal{Reason: listen.HandshakeFailed, How: "other_alert"}, "cert_refused"},
	} {
		if got := (attempts{}).codeOfRefusal(tt.refusal); got != tt.want {
			t.Errorf("code of %+v = %s, want %s", tt.refusal, got, tt.want)
		}
	}
}
