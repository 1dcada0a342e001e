package xmpp

import (
	"context"
	"net/netip"
	"strings"

	"mellium.im/xmpp/jid"
	"mellium.im/xmpp/stanza"

	"signalbox/internal/endpoint"
	"signalbox/internal/signalling"
	"signalbox/xmpp/feature"
	"signalbox/xmpp/scan"
	"signalbox/xmpp/transport"
)

// Technicians lets technicians take part in remote sessions over XMPP, where others use a WebSocket (SPEC section 11). It may be called concurrently.
type Technicians interface {
	// Attach takes the technician's side of a session with a token or the secret to come back with. send puts a message on the way to the technician, also before Attach
	// returns, and never blocks; false: the technician does not read, or is gone. closed is called at most once, when the side is no longer theirs, with "replaced", "slow" or the
	// reason of the session's end; it neither blocks nor calls Detach. Errors: a *signalling.Error for who is refused; others are the server's trouble.
	Attach(ctx context.Context, a signalling.Attach, from netip.Addr, send func(signalling.Message) bool, closed func(reason string)) (Technician, error)
}

// Technician is the technician's side of one remote session. Its methods may be called concurrently.
type Technician interface {
	// Take takes a message of theirs; it may wait for the store until ctx is done. Errors as those of Attach.
	Take(ctx context.Context, m signalling.Message) error
	// Refused says that they sent a message that was refused before it could be taken. It does not block.
	Refused(code signalling.Code)
	// Detach says that their stream is over.
	Detach()
}

// Why a technician's side is no longer theirs though the session goes on.
const (
	letGoReplaced = "replaced" // another connection took it
	letGoSlow     = "slow"     // it did not take what was sent to it
)

// returning stands before the secret to come back with where a token would stand.
const returning = "reattach:"

// technicianLogin returns how a technician logs in on the stream; nil: none does.
func (st *stream) technicianLogin() func(ctx context.Context, session, token string) error {
	if st.srv.deps.Technicians == nil {
		return nil
	}
	return func(ctx context.Context, session, token string) error {
		t := &seat{st: st, bare: session + "@" + st.srv.domain}
		a := signalling.Attach{About: signalling.About{ID: session}, Token: token}
		if secret, ok := strings.CutPrefix(token, returning); ok {
			a.Token, a.Reattach = "", secret
		}
		var err error
		if t.side, err = st.srv.deps.Technicians.Attach(ctx, a, st.info.Remote.Addr().Unmap(), t.send, t.closed); err == nil {
			st.seat.Store(t)
		}
		return err
	}
}

// takeSeat is resource binding (RFC 6120 section 7) of a technician. What is bound is no session of an endpoint: nobody sees it, and it cannot be resumed.
func (st *stream) takeSeat(el *scan.Stanza) transport.Next {
	t := st.seat.Load()
	switch {
	case el.Is(nsSM, "enable"), el.Is(nsSM, "resume"):
		st.conn.Control(smFailed("feature-not-implemented", ""))
		return transport.Read
	case !asksBind(el):
		return st.end(endpoint.ReasonNotAuthorized)
	}
	resource, _ := askedResource(el)
	session, domain, _ := strings.Cut(t.bare, "@")
	full, err := jid.New(session, domain, resource)
	if err != nil {
		st.conn.Control(stanzaError(el, t.bare, feature.Refuse(stanza.Modify, stanza.JIDMalformed)))
		return transport.Read
	}
	if !t.bind(full.String(), boundReply(el, full.String())) {
		return st.end(endpoint.ReasonSessionOver)
	}
	return st.settleAs(seated)
}

// isSeated reports whether the stream is that of a technician who is bound.
func (st *stream) isSeated() bool {
	t := st.seat.Load()
	return t != nil && t.isBound()
}

// takeTechnician handles what a technician sends who is bound: messages of the remote session, and nothing else but signs of life.
func (st *stream) takeTechnician(el *scan.Stanza) transport.Next {
	t := st.seat.Load()
	switch from := string(el.From()); {
	case el.Is(nsSM, "enable"), el.Is(nsSM, "resume"):
		st.conn.Control(smFailed("feature-not-implemented", ""))
		return transport.Read
	case el.Kind == scan.Nonza:
		return st.end(endpoint.ReasonUnsupported)
	case from != "" && from != t.jid && from != t.bare:
		return st.end(endpoint.ReasonInvalidFrom)
	case el.HasStreams:
		return st.end(endpoint.ReasonInvalidXML)
	case len(el.ID()) > maxIDBytes:
		return st.end(endpoint.ReasonTooBig)
	}
	if feature.Answerless(el) {
		return transport.Read
	}
	if a := t.take(el); a.Condition != "" {
		st.conn.Control(stanzaError(el, t.jid, a))
	} else {
		st.conn.Control(feature.ResultReply(el, t.jid, nil))
	}
	return transport.Read
}
