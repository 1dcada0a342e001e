package xmpp

import (
	"strconv"
	"time"

	"signalbox/internal/endpoint"
	"signalbox/xmpp/scan"
)

// tick is the stream's timer. It runs on the wheel and returns when to look again.
func (st *stream) tick(time.Time) time.Duration {
	s := st.session.Load()
	switch {
	case st.over.Load():
		return 0
	case s == nil && !st.isSeated(), s != nil && !s.isKnown():
		st.end(endpoint.ReasonHandshakeTimeout)
		return 0
	case s != nil:
		s.requestDue(st)
	}
	cfg := &st.srv.cfg
	next := min(cfg.PingAfter, cfg.StanzaTimeout)
	if since := st.partial.Load(); since != 0 {
		waited := time.Duration(st.clock() - since)
		if waited >= cfg.StanzaTimeout {
			st.end(endpoint.ReasonStanzaTimeout)
			return 0
		}
		next = min(next, cfg.StanzaTimeout-waited)
	}
	silent := time.Duration(st.clock() - st.heard.Load())
	switch {
	case silent >= cfg.Liveness:
		st.end(endpoint.ReasonSilent)
		return 0
	case silent >= cfg.PingAfter:
		st.ping(s)
		return min(next, cfg.Liveness-silent)
	}
	return min(next, cfg.PingAfter-silent)
}

// ping asks a silent endpoint for a sign of life, once per silence.
func (st *stream) ping(s *session) {
	if st.pinged.Load() >= st.heard.Load() {
		return
	}
	st.ask(s)
}

// ask asks an endpoint for a sign of life, by what even a client that is busy answers: XEP-0198 where it is enabled, else XEP-0199.
func (st *stream) ask(s *session) {
	st.pinged.Store(st.clock())
	switch {
	case s == nil:
		st.conn.Control(st.pingOf(st.seat.Load().jid))
	case !s.requestSign(st):
		s.reply(st.pingOf(s.jid))
	}
}

func (st *stream) pingOf(jid string) []byte {
	b := []byte("<iq type='get' id='ping-" + strconv.FormatInt(st.clock(), 36) + "' from='" + st.srv.domain + "' to='")
	return append(scan.AppendEscaped(b, jid), "'><ping xmlns='urn:xmpp:ping'/></iq>"...)
}

// requestSign sends an <r/>; it is false where stream management is not enabled.
func (s *session) requestSign(st *stream) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.sm.enabled {
		return false
	}
	s.sm.requested = true
	st.conn.Control(requestAck)
	return true
}
