package component

import (
	"crypto/rand"
	"crypto/sha1" //nolint:gosec // XEP-0114 has no other hash; the id in it is new for every stream and cannot be guessed
	"crypto/subtle"
	"encoding/hex"
	"net/netip"
	"strings"
	"sync/atomic"
	"time"

	"mellium.im/xmpp/jid"

	"signalbox/internal/endpoint"
	"signalbox/internal/link"
	"signalbox/internal/telemetry"
	"signalbox/xmpp/reasons"
	"signalbox/xmpp/scan"
	"signalbox/xmpp/transport"
)

// stream is one component's stream, without socket or goroutine of its own. It implements transport.Handler.
type stream struct {
	// set at construction
	srv    *Server
	conn   transport.Conn
	remote netip.AddrPort
	id     string // of the stream, unguessable (RFC 6120 section 4.7.3): what makes a handshake good for this stream alone

	// owned by the reader
	sc   scan.Scanner
	rate transport.Rate
	name string // the component's domain, once the header named it; others read it after bind

	// shared
	open    atomic.Bool  // our header was sent
	bound   atomic.Bool  // the handshake was right
	over    atomic.Bool  // the end was decided
	partial atomic.Int64 // since when a stanza is incomplete, on the server's clock; 0: it is not
	timer   transport.Timer
}

func newStream(srv *Server, conn transport.Conn, info link.Info) *stream {
	st := &stream{srv: srv, conn: conn, remote: info.Remote, id: rand.Text(), sc: scan.New(srv.limits.Login)}
	st.rate = transport.NewRate(srv.limits.LoginStanzas, srv.limits.LoginBytes)
	st.timer.Do = st.tick
	return st
}

// clock returns nanoseconds since the server was made, at least 1.
func (st *stream) clock() int64 { return int64(time.Since(st.srv.base)) + 1 }

// Data implements transport.Handler.
func (st *stream) Data(p []byte) (n int, next transport.Next) {
	if st.over.Load() {
		return len(p), transport.Stop
	}
	n, next = st.take(p)
	switch incomplete := n < len(p) && next == transport.Read; {
	case !incomplete:
		st.partial.Store(0)
	case n > 0 || st.partial.Load() == 0:
		st.partial.Store(st.clock())
	}
	return n, next
}

// take handles all complete items in p.
func (st *stream) take(p []byte) (n int, next transport.Next) {
	now := time.Now()
	for n < len(p) {
		ev, used, err := st.sc.Next(p[n:])
		if err != nil {
			return len(p), st.end(reasons.OfScan(err))
		}
		if ev.Kind == scan.NeedMore {
			break
		}
		n += used
		if !st.rate.Allow(now, used, ev.Kind == scan.TopLevel) {
			return len(p), st.end(endpoint.ReasonFlood)
		}
		if next = st.event(&ev); next != transport.Read {
			break
		}
	}
	return n, next
}

func (st *stream) event(ev *scan.Event) transport.Next {
	switch {
	case ev.Kind == scan.StreamOpen:
		return st.opened(ev.Header)
	case ev.Kind == scan.StreamClose:
		return st.end(endpoint.ReasonClosedByPeer)
	case ev.Kind == scan.TopLevel && st.bound.Load():
		return st.takeStanza(&ev.Stanza)
	case ev.Kind == scan.TopLevel:
		return st.takeHandshake(&ev.Stanza)
	}
	return transport.Read
}

// opened answers the stream header, which names the component, with ours and the stream's id (XEP-0114 section 3).
func (st *stream) opened(h *scan.Header) transport.Next {
	switch {
	case !h.IsStream(), h.Default != Namespace:
		return st.end(endpoint.ReasonBadNamespace)
	case h.Prefix != "stream":
		return st.end(endpoint.ReasonBadPrefix)
	case h.To == "":
		return st.end(endpoint.ReasonAddressing)
	}
	j, err := jid.Parse(strings.TrimSuffix(h.To, "."))
	switch {
	case err != nil, j.Localpart() != "", j.Resourcepart() != "":
		return st.end(endpoint.ReasonAddressing)
	case !st.srv.Serves(j.Domainpart()):
		return st.end(endpoint.ReasonHostUnknown)
	}
	st.name = j.Domainpart()
	st.conn.Control(st.header(make([]byte, 0, 256), st.name))
	return transport.Read
}

// header appends our stream header. It has no version, and so no features follow it.
func (st *stream) header(b []byte, from string) []byte {
	st.open.Store(true)
	b = append(b, "<?xml version='1.0'?><stream:stream xmlns='"+Namespace+"' xmlns:stream='"+scan.NamespaceStreams+"' id='"...)
	b = append(append(b, st.id...), "' from='"...)
	return append(scan.AppendEscaped(b, from), "'>"...)
}

// takeHandshake is the one thing that a stranger may send: what proves that it knows the secret. A component that has a stream keeps it.
func (st *stream) takeHandshake(el *scan.Stanza) transport.Next {
	if !el.Is(Namespace, "handshake") {
		return st.end(endpoint.ReasonNotAuthorized)
	}
	want := Handshake(st.id, st.srv.secrets[st.name])
	if subtle.ConstantTimeCompare([]byte(el.Element().Text()), []byte(want)) != 1 {
		st.srv.log.Warn("a component has not the secret that it should have", telemetry.Component(st.name), telemetry.Remote(st.remote))
		return st.end(endpoint.ReasonBadHandshake)
	}
	if st.over.Load() {
		return transport.Stop
	}
	if !st.srv.bind(st) {
		return st.end(endpoint.ReasonComponentTaken)
	}
	st.bound.Store(true)
	if st.over.Load() { // the end came between and did not see it bound
		st.srv.unbind(st, endpoint.ReasonShutdown)
		return transport.Stop
	}
	st.sc.SetLimits(st.srv.limits.Stanza)
	st.rate = transport.NewRate(st.srv.limits.StanzasPerSec, st.srv.limits.BytesPerSec)
	st.srv.wheel.Set(&st.timer, st.srv.limits.StanzaTimeout)
	st.srv.log.Info("component connected", telemetry.Component(st.name), telemetry.Remote(st.remote))
	st.conn.Control([]byte("<handshake/>"))
	return transport.Settle
}

// Handshake is the proof of XEP-0114 section 3, in hexadecimal.
func Handshake(streamID string, secret []byte) string {
	sum := sha1.Sum(append([]byte(streamID), secret...)) //nolint:gosec // see the import
	return hex.EncodeToString(sum[:])
}

// Secured implements transport.Handler. TLS begins before the stream, so it is never called.
func (st *stream) Secured(link.TLS) {}

// Closed implements transport.Handler.
func (st *stream) Closed(err error) {
	if !st.over.Swap(true) {
		st.ended(reasons.OfTransport(err))
	}
	st.srv.wheel.Stop(&st.timer)
	st.srv.forget(st)
}

// ended counts the end and makes room for the component's next stream.
func (st *stream) ended(r endpoint.Reason) {
	st.srv.metrics.ended.WithLabelValues(r.Name).Inc()
	if st.bound.Load() {
		st.srv.unbind(st, r)
	}
}

// end closes the stream with a reason: the first one counts. It returns Stop. It may be called from any goroutine.
func (st *stream) end(r endpoint.Reason) transport.Next {
	if st.over.Swap(true) {
		return transport.Stop
	}
	st.ended(r)
	b := make([]byte, 0, 512)
	if !st.open.Load() {
		b = st.header(b, st.srv.domain)
	}
	if r.Condition != "" {
		b = reasons.AppendError(b, r, "", st.srv.farewell(r))
	}
	st.conn.Finish(append(b, "</stream:stream>"...))
	return transport.Stop
}

// tick is the stream's timer. It runs on the wheel and returns when to look again.
func (st *stream) tick(time.Time) time.Duration {
	limit := st.srv.limits.StanzaTimeout
	switch since := st.partial.Load(); {
	case st.over.Load():
		return 0
	case !st.bound.Load():
		st.end(endpoint.ReasonHandshakeTimeout)
		return 0
	case since == 0:
		return limit
	default:
		waited := time.Duration(st.clock() - since)
		if waited >= limit {
			st.end(endpoint.ReasonStanzaTimeout)
			return 0
		}
		return limit - waited
	}
}
