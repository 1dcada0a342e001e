package xmpp

import (
	"strconv"
	"sync/atomic"
	"time"

	"signalbox/internal/endpoint"
	"signalbox/xmpp/feature"
	"signalbox/xmpp/scan"
	"signalbox/xmpp/transport"
)

const nsSM = "urn:xmpp:sm:3"

var requestAck = []byte("<r xmlns='" + nsSM + "'/>")

// maxPending bounds the stanzas of one endpoint that wait for the store.
const maxPending = 1024

// management is the state of XEP-0198 stream management. The session's mutex guards it. Counters wrap at 2^32 (section 4).
type management struct {
	enabled   bool
	resumable bool
	requested bool        // an <r/> of ours is unanswered
	due       bool        // the stream's timer sends the next
	asked     int64       // when the last was sent, on the stream's clock; 0: never
	owed      bool        // the endpoint asked while stanzas waited for the store: it gets an <a/> when they are done
	id        string      // by which the session is resumed
	acked     uint32      // stanzas that the endpoint acknowledged
	unacked   []*outbound // sent and not acknowledged, oldest first
	bytes     int         // of unacked
	received  uint32      // stanzas that came in
	working   bool        // the last of them is being handled
	pending   []uint32    // those that wait for the store, ascending
	round     uint32      // grows with every resumption, so that late answers of the store are not counted twice
}

// outbound is one stanza on its way out. Its written callback is called once, whichever connection carried it first.
type outbound struct {
	raw     []byte
	written func(time.Time)
	ref     int64           // of what it carries, see endpoint.Stanza
	copies  *feature.Copies // of a message that comes back to its account if the session ends without acknowledging it; nil: it does not
	called  atomic.Bool
}

func (o *outbound) done() func(time.Time) {
	if o.written == nil {
		return nil
	}
	return func(t time.Time) {
		if !o.called.Swap(true) {
			o.written(t)
		}
	}
}

// An endpoint that is sent many stanzas is not asked to acknowledge each: that would cost it and us more than the stanzas.
const (
	requestEvery = 10          // unacknowledged stanzas with which it is asked in any case
	requestAfter = time.Second // since it was last asked, after which it is asked with the next stanza, or without one
)

// requestLocked returns the <r/> that goes with a stanza, if it is time for one and none is unanswered; else the stream's timer sees to it.
func (s *session) requestLocked() []byte {
	m := &s.sm
	if !m.enabled || m.requested || s.stream == nil {
		return nil
	}
	now := s.stream.clock()
	if len(m.unacked) < requestEvery && m.asked != 0 && now-m.asked < int64(requestAfter) {
		if !m.due {
			m.due = true
			s.srv.wheel.Set(&s.stream.timer, requestAfter)
		}
		return nil
	}
	m.requested, m.asked = true, now
	return requestAck
}

// requestDue sends the <r/> that waited for the timer.
func (s *session) requestDue(st *stream) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.sm.due || s.stream != st {
		return
	}
	s.sm.due = false
	if len(s.sm.unacked) > 0 && !s.sm.requested {
		s.sm.requested, s.sm.asked = true, st.clock()
		st.conn.Control(requestAck)
	}
}

func (m *management) sentLocked(o *outbound) {
	if !m.enabled {
		return
	}
	m.unacked = append(m.unacked, o)
	m.bytes += len(o.raw)
}

// acknowledgeLocked drops what the endpoint has handled; it is false if the count is impossible. What it returns was handled though its write failed halfway: the
// caller says so by written, without the mutex.
func (m *management) acknowledgeLocked(h uint32) (unheard []*outbound, ok bool) {
	n := int(h - m.acked)
	if n > len(m.unacked) {
		return nil, false
	}
	for _, o := range m.unacked[:n] {
		m.bytes -= len(o.raw)
		if o.copies != nil {
			o.copies.Read()
		}
		if o.written != nil && !o.called.Load() {
			unheard = append(unheard, o)
		}
	}
	clear(m.unacked[:n])
	m.unacked = m.unacked[n:]
	m.acked = h
	if len(m.unacked) == 0 {
		m.unacked = nil
	}
	return unheard, true
}

// tell says of stanzas that they were written.
func tell(unheard []*outbound) {
	now := time.Now()
	for _, o := range unheard {
		o.done()(now)
	}
}

// handledLocked is our h: the stanzas up to the first that is not handled or still waits for the store (SPEC section 6).
func (m *management) handledLocked() uint32 {
	switch {
	case len(m.pending) > 0:
		return m.pending[0] - 1
	case m.working:
		return m.received - 1
	}
	return m.received
}

// takeManagement handles the elements of XEP-0198 on a bound stream.
func (s *session) takeManagement(st *stream, el *scan.Stanza) transport.Next {
	switch string(el.Local()) {
	case "r":
		s.answerAck(st)
	case "a":
		return s.acknowledged(st, el.Element())
	case "enable":
		return s.enable(st, el.Element())
	case "resume":
		st.conn.Control(smFailed("unexpected-request", ""))
	default:
		return st.end(endpoint.ReasonUnsupported)
	}
	return transport.Read
}

// answerAck sends our count; it is never withheld (section 4).
func (s *session) answerAck(st *stream) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sm.enabled && s.stream == st {
		st.conn.Control(appendCount(make([]byte, 0, 48), s.sm.handledLocked()))
		s.sm.owed = len(s.sm.pending) > 0
	}
}

func (s *session) acknowledged(st *stream, el scan.Element) transport.Next {
	h, ok := parseCount(el)
	s.mu.Lock()
	if !s.sm.enabled || s.stream != st {
		s.mu.Unlock()
		return transport.Read
	}
	before := s.sm.acked
	sent := before + uint32(len(s.sm.unacked))
	var unheard []*outbound
	if ok {
		unheard, ok = s.sm.acknowledgeLocked(h)
	}
	if ok {
		s.sm.requested = false
		if len(s.sm.unacked) > 0 && h != before { // one that is not further yet is asked with the next stanza: asking at once would never end
			if request := s.requestLocked(); request != nil {
				st.conn.Control(request)
			}
		}
	}
	s.mu.Unlock()
	tell(unheard)
	if !ok {
		return st.badCount(h, sent)
	}
	return transport.Read
}

// badCount ends the stream of an endpoint that acknowledged more than it was sent (section 6).
func (st *stream) badCount(h, sent uint32) transport.Next {
	return st.endWith(endpoint.ReasonBadAck, "<handled-count-too-high xmlns='"+nsSM+"' h='"+count(h)+"' send-count='"+count(sent)+"'/>")
}

// enable answers <enable/> (section 3).
func (s *session) enable(st *stream, el scan.Element) transport.Next {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sm.enabled || s.stream != st {
		st.conn.Control(smFailed("unexpected-request", ""))
		return transport.Read
	}
	st.conn.Control(s.manageLocked(wantsResumption(el))) // before any stanza that counts
	return transport.Read
}

// manage turns stream management on for a session whose client does not know of it yet, and returns the answer: nothing if it has ended meanwhile.
func (s *session) manage(resume bool) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended.Name != "" {
		return nil
	}
	return s.manageLocked(resume)
}

func (s *session) manageLocked(resume bool) []byte {
	s.sm.enabled = true
	if !resume || s.srv.cfg.ResumeTimeout <= 0 {
		return []byte("<enabled xmlns='" + nsSM + "'/>")
	}
	s.sm.resumable = true
	s.sm.id = randomID()
	s.srv.deps.Resumptions.Keep(s.sm.id, s)
	return []byte("<enabled xmlns='" + nsSM + "' id='" + s.sm.id + "' resume='true' max='" + strconv.Itoa(int(s.srv.cfg.ResumeTimeout/time.Second)) + "'" + s.srv.location() + "/>")
}

// location is where the endpoint is asked to resume, as an attribute (section 5).
func (s *Server) location() string {
	if s.cfg.Location == "" {
		return ""
	}
	return string(append(scan.AppendEscaped([]byte(" location='"), s.cfg.Location), '\''))
}

func wantsResumption(el scan.Element) bool {
	resume, _ := el.Attr("resume")
	return string(resume) == "true" || string(resume) == "1"
}

// receive begins with a stanza that came in; handled must follow. It is false once the stream is no longer the session's, whose new stream counts.
func (s *session) receive(st *stream) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stream != st {
		return false
	}
	if s.sm.enabled {
		s.sm.received++
		s.sm.working = true
	}
	return true
}

// handled says that the stanza is dealt with, but for what it holds.
func (s *session) handled(st *stream) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stream == st {
		s.sm.working = false
	}
}

// hold keeps our count below the stanza that is being handled until the returned function is called: with nil once what the stanza caused is durable. With an
// error the stream ends, and the endpoint sends the stanza again when it resumes. It is nil if too much waits already. A stanza whose stream was replaced
// meanwhile is not counted, so it comes again in any case.
func (s *session) hold(st *stream) func(error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.sm.working || s.stream != st {
		return func(error) {}
	}
	if len(s.sm.pending) >= maxPending {
		return nil
	}
	number, round := s.sm.received, s.sm.round
	s.sm.pending = append(s.sm.pending, number)
	return func(err error) {
		if err != nil {
			st.end(endpoint.ReasonNotStored)
			return
		}
		s.release(number, round)
	}
}

func (s *session) release(number, round uint32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := &s.sm
	if m.round != round {
		return
	}
	for i, n := range m.pending {
		if n == number {
			m.pending = append(m.pending[:i], m.pending[i+1:]...)
			break
		}
	}
	if len(m.pending) > 0 {
		return
	}
	m.pending = nil
	if m.owed && m.enabled && s.stream != nil {
		m.owed = false
		s.stream.conn.Control(appendCount(make([]byte, 0, 48), m.handledLocked()))
	}
}

func appendCount(b []byte, h uint32) []byte {
	b = append(b, "<a xmlns='"+nsSM+"' h='"...)
	b = strconv.AppendUint(b, uint64(h), 10)
	return append(b, "'/>"...)
}

func count(h uint32) string { return strconv.FormatUint(uint64(h), 10) }

// parseCount reads the attribute h.
func parseCount(el scan.Element) (uint32, bool) {
	v, ok := el.Attr("h")
	if !ok {
		return 0, false
	}
	n, err := strconv.ParseUint(string(v), 10, 32)
	return uint32(n), err == nil
}

// smFailed is the answer of section 3 and 5; more goes into its start tag.
func smFailed(condition, more string) []byte {
	return []byte("<failed xmlns='" + nsSM + "'" + more + "><" + condition + " xmlns='" + nsStanzaErrors + "'/></failed>")
}
