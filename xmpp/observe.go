package xmpp

import (
	"net/netip"

	"mellium.im/xmpp/jid"

	"signalbox/internal/endpoint"
	"signalbox/internal/link"
	"signalbox/xmpp/sasl"
)

// Phase says how far a stream came that has no session.
type Phase string

// The phases of a stream before it has a session.
const (
	PhaseStream Phase = "stream" // its header was not accepted yet
	PhaseLogin  Phase = "auth"
	PhaseBind   Phase = "bind" // it is logged in
)

// Failure is a login that was refused, or a stream that ended before it had a session.
type Failure struct {
	Phase     Phase
	Reason    endpoint.Reason // why the stream ended; zero: it goes on, a login on it was refused, or a resource because there are as many as may be
	Login     *sasl.Failure   // why the login was refused; nil: the stream ended
	Mechanism string          // of that login, as its client named it, at most 20 bytes; empty: none
	Key       endpoint.Key    // who it says it is, or is once it logged in; zero: it did not say
	To        string          // the domain that the stream is addressed to; empty: none was named
	Remote    netip.AddrPort
	Via       link.Via
	TLS       link.TLS
}

// Observer is told what became of streams before they had a session. Its methods must not block and are called concurrently.
type Observer interface {
	// LoginFailed is called for every login that is refused, and for every stream that ends without a session and had none refused.
	LoginFailed(Failure)
	// LoggedIn is called when a session is bound or resumed.
	LoggedIn(k endpoint.Key, from netip.AddrPort)
}

// refusedLogin tells of a login that was refused.
func (st *stream) refusedLogin(f *sasl.Failure) {
	if st.srv.deps.Observer == nil || st.login.ctx.Err() != nil {
		return
	}
	told := st.failure(PhaseLogin)
	told.Login, told.Mechanism = f, st.login.mechanism
	if x := st.login.exchange; x != nil && x.Claimed().ID != "" {
		told.Key = x.Claimed()
	}
	st.srv.deps.Observer.LoginFailed(told)
}

// refusedBind tells of a resource that was refused because the endpoint has as many sessions as it may have.
func (st *stream) refusedBind() {
	if o := st.srv.deps.Observer; o != nil {
		o.LoginFailed(st.failure(PhaseBind))
	}
}

// unbound tells of a stream that ended without a session. What was told already is not told again: that a login was refused here, or by the listener that the
// handshake failed. The end of the server is nobody's failure.
func (st *stream) unbound(r endpoint.Reason) {
	if st.srv.deps.Observer == nil || st.login == nil || st.login.tries > 0 {
		return
	}
	switch r.Name {
	case endpoint.ReasonShutdown.Name, endpoint.ReasonMoved.Name, endpoint.ReasonTLSFailed.Name:
		return
	}
	phase := PhaseLogin
	switch {
	case st.phase == awaitBind:
		phase = PhaseBind
	case !st.login.greeted:
		phase = PhaseStream
	}
	told := st.failure(phase)
	told.Reason = r
	st.srv.deps.Observer.LoginFailed(told)
}

func (st *stream) failure(p Phase) Failure {
	f := Failure{Phase: p, To: st.login.to, Remote: st.info.Remote, Via: st.info.Via, TLS: st.info.TLS, Key: st.login.key}
	if f.Key.ID == "" {
		f.Key = st.named()
	}
	return f
}

// named returns the endpoint that the stream header says it is from, the zero Key if it names none of this domain.
func (st *stream) named() endpoint.Key {
	j, err := jid.Parse(st.login.from)
	if err != nil || j.Domainpart() != st.srv.domain || endpoint.CheckID(j.Localpart()) != nil {
		return endpoint.Key{}
	}
	return endpoint.Key{Domain: st.srv.domain, ID: j.Localpart()}
}

// loggedIn tells of a session.
func (st *stream) loggedIn() {
	if o := st.srv.deps.Observer; o != nil {
		o.LoggedIn(st.login.key, st.info.Remote)
	}
}

// clip returns at most n bytes of what a client sent.
func clip(b []byte, n int) string { return string(b[:min(n, len(b))]) }
