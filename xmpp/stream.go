package xmpp

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"strings"
	"sync/atomic"
	"time"

	"mellium.im/xmpp/jid"

	"signalbox/internal/endpoint"
	"signalbox/internal/link"
	"signalbox/xmpp/reasons"
	"signalbox/xmpp/scan"
	"signalbox/xmpp/transport"
)

// stream is one XML stream on one connection: a state machine without socket or goroutine of its own. It implements transport.Handler.
type stream struct {
	// set at construction
	srv    *Server
	conn   transport.Conn
	giveUp context.CancelFunc // ends the steps of a login that wait

	// owned by the reader: the goroutine that calls Data
	sc    scan.Scanner
	info  link.Info
	phase phase
	fresh bool   // a restart: white space before the header is not part of it
	login *login // nil once a session is bound
	rate  transport.Rate

	// shared
	heard   atomic.Int64                    // when bytes last came, on the server's clock
	partial atomic.Int64                    // since when a stanza is incomplete, 0: it is not
	pinged  atomic.Int64                    // when we last asked for a sign of life
	open    atomic.Bool                     // our stream header was sent since the last restart
	over    atomic.Bool                     // the end was decided; nothing is read or answered any more
	why     atomic.Pointer[endpoint.Reason] // of an end without a session that was decided here
	session atomic.Pointer[session]
	seat    atomic.Pointer[seat] // of a technician, who has no session
	timer   transport.Timer

	gone atomic.Bool // over, and everybody who looks knows it

	listening atomic.Pointer[func(alive bool)] // waits for a sign of life
}

// phase says what a stream waits for.
type phase uint8

const (
	awaitSTARTTLS phase = iota // in plain text
	awaitAuth
	awaitBind
	bound
	awaitSeat
	seated
)

// phases say what is done with a top-level element.
var phases = [...]func(*stream, *scan.Stanza) transport.Next{
	awaitSTARTTLS: (*stream).takePlain,
	awaitAuth:     (*stream).takeAuth,
	awaitBind:     (*stream).takeBind,
	bound:         (*stream).takeStanza,
	awaitSeat:     (*stream).takeSeat,
	seated:        (*stream).takeTechnician,
}

func newStream(srv *Server, conn transport.Conn, info link.Info, l *login) *stream {
	st := &stream{srv: srv, conn: conn, info: info, login: l, sc: scan.New(srv.cfg.LoginLimits()), rate: srv.cfg.LoginRate()}
	if info.TLS.MayLogIn() {
		st.phase = awaitAuth
	}
	st.heard.Store(st.clock())
	st.timer.Do = st.tick
	return st
}

// Data implements transport.Handler.
func (st *stream) Data(p []byte) (n int, next transport.Next) {
	if st.over.Load() {
		return len(p), transport.Stop
	}
	now := time.Now()
	st.heard.Store(st.clock())
	st.hear(true)
	ev := st.srv.events.Get().(*scan.Event)
	n, next = st.take(p, now, ev)
	*ev = scan.Event{}
	st.srv.events.Put(ev)
	st.notePartial(n > 0, n < len(p) && next == transport.Read)
	return n, next
}

// clock returns nanoseconds since the server was made, at least 1.
func (st *stream) clock() int64 { return int64(time.Since(st.srv.base)) + 1 }

// take handles all complete items in p; ev is lent for it.
func (st *stream) take(p []byte, now time.Time, ev *scan.Event) (n int, next transport.Next) {
	for n < len(p) {
		if st.fresh && isSpace(p[n]) {
			n++
			continue
		}
		var used int
		var err error
		if *ev, used, err = st.sc.Next(p[n:]); err != nil {
			return len(p), st.end(reasons.OfScan(err))
		}
		if ev.Kind == scan.NeedMore {
			break
		}
		n += used
		if !st.rate.Allow(now, used, ev.Kind == scan.TopLevel) {
			return len(p), st.end(endpoint.ReasonFlood)
		}
		if next = st.event(ev); next != transport.Read {
			break
		}
	}
	return n, next
}

// notePartial notes since when the stanza that is incomplete now is on its way; progress means that an earlier one was completed.
func (st *stream) notePartial(progress, incomplete bool) {
	switch {
	case !incomplete:
		st.partial.Store(0)
	case progress || st.partial.Load() == 0:
		st.partial.Store(st.heard.Load())
	}
}

func (st *stream) event(ev *scan.Event) transport.Next {
	switch ev.Kind {
	case scan.StreamOpen:
		return st.opened(ev.Header)
	case scan.StreamClose:
		return st.end(endpoint.ReasonClosedByPeer)
	case scan.TopLevel:
		return phases[st.phase](st, &ev.Stanza)
	}
	return transport.Read
}

// opened answers a stream header (RFC 6120 section 4.7) with ours and the features of the phase, or refuses it.
func (st *stream) opened(h *scan.Header) transport.Next {
	st.fresh = false
	if r := st.refuseHeader(h); r.Name != "" {
		return st.end(r)
	}
	from, _ := jid.Parse(h.From) // refused above if it is no address
	st.login.from, st.login.greeted = from.Bare().String(), true
	st.conn.Control(st.features(st.header(make([]byte, 0, 2048), st.login.from)))
	return transport.Read
}

// maxDomain is the longest domain of an address, in bytes (RFC 7622 section 3.2).
const maxDomain = 1023

func isSpace(c byte) bool { return c == ' ' || c == '\n' || c == '\r' || c == '\t' }

func (st *stream) refuseHeader(h *scan.Header) endpoint.Reason {
	to := strings.ToLower(strings.TrimSuffix(h.To, "."))
	st.login.to = clip([]byte(to), maxDomain)
	switch {
	case !h.IsStream():
		return endpoint.ReasonBadNamespace
	case h.Prefix != "stream":
		return endpoint.ReasonBadPrefix
	case h.Default != scan.NamespaceClient:
		return endpoint.ReasonBadNamespace
	case !strings.HasPrefix(h.Version, "1."):
		return endpoint.ReasonBadVersion
	case to == "" || strings.ContainsAny(to, "@/"):
		return endpoint.ReasonAddressing
	case to != st.srv.domain:
		return endpoint.ReasonHostUnknown
	}
	if _, err := jid.Parse(h.From); h.From != "" && err != nil {
		return endpoint.ReasonInvalidFrom
	}
	return endpoint.Reason{}
}

// header appends our stream header. Its to is the bare address that the endpoint gave as its own, if it did (RFC 6120 section 4.7.2); its id is unguessable
// (section 4.7.3).
func (st *stream) header(b []byte, to string) []byte {
	st.open.Store(true)
	b = append(b, "<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' version='1.0' xml:lang='en' id='"...)
	b = append(b, randomID()...)
	b = append(b, "' from='"...)
	b = append(b, st.srv.domain...)
	if to != "" {
		b = append(b, "' to='"...)
		b = scan.AppendEscaped(b, to)
	}
	return append(b, "'>"...)
}

// restart expects a new stream header, as after TLS and after SASL.
func (st *stream) restart(to phase) {
	st.phase, st.fresh = to, true
	st.open.Store(false)
	st.sc.Reset()
}

// Secured implements transport.Handler.
func (st *stream) Secured(t link.TLS) {
	st.info.TLS, st.info.Via, st.login.greeted = t, link.ViaSTARTTLS, false
	st.restart(awaitAuth)
}

// Closed implements transport.Handler.
func (st *stream) Closed(err error) {
	st.over.Store(true)
	defer st.depart()
	st.giveUp()
	st.srv.wheel.Stop(&st.timer)
	if s := st.session.Load(); s != nil {
		s.detach(st, reasons.OfTransport(err))
	} else if t := st.seat.Load(); t != nil {
		t.leave()
	} else if why := st.why.Load(); why != nil {
		st.unbound(*why)
	} else if err != nil {
		st.srv.metrics.unbound(reasons.OfTransport(err))
		st.unbound(reasons.OfTransport(err))
	}
	st.srv.forget(st)
}

// end closes the stream with a reason: the first one counts. It returns Stop. It may be called from any goroutine.
func (st *stream) end(r endpoint.Reason) transport.Next { return st.endWith(r, "") }

func (st *stream) endWith(r endpoint.Reason, application string) transport.Next {
	if st.over.Swap(true) {
		return transport.Stop
	}
	defer st.depart()
	st.giveUp()
	if s := st.session.Load(); s != nil {
		s.detach(st, r)
	} else if t := st.seat.Load(); t != nil {
		t.leave()
	} else {
		why := r
		st.why.Store(&why)
		st.srv.metrics.unbound(r)
	}
	st.conn.Finish(st.lastWords(r, application))
	return transport.Stop
}

// lastWords are our header if it was not sent, the error if the reason has one, and the closing tag (RFC 6120 section 4.9.1.1).
func (st *stream) lastWords(r endpoint.Reason, application string) []byte {
	b := make([]byte, 0, 512)
	if !st.open.Load() {
		b = st.header(b, "")
	}
	if r.Condition != "" {
		text := ""
		if r.Name == endpoint.ReasonMoved.Name {
			text = st.srv.deps.OtherHost
		}
		b = reasons.AppendError(b, r, text, application)
	}
	return append(b, "</stream:stream>"...)
}

// randomID returns 128 random bits as text.
func randomID() string {
	var b [16]byte
	rand.Read(b[:]) // never fails, see crypto/rand
	return base64.RawURLEncoding.EncodeToString(b[:])
}
