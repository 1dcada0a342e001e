package xmpp

import (
	"signalbox/internal/endpoint"
	"signalbox/xmpp/feature"
	"signalbox/xmpp/scan"
	"signalbox/xmpp/transport"
)

// resumption is what <resume/> asks for.
type resumption struct {
	id    string
	h     uint32 // what the endpoint handled
	valid bool   // h is a count
}

func readResumption(el scan.Element) *resumption {
	id, _ := el.Attr("previd")
	r := &resumption{id: string(id)}
	r.h, r.valid = parseCount(el)
	return r
}

// answer makes what the endpoint is told of whom the session belongs to and of its resumption.
type answer func(jid string, resumed []byte) []byte

// resumeAs resumes the session that r names, and tells it by a; false: there is none of this endpoint.
func (st *stream) resumeAs(r *resumption, a answer) (next transport.Next, found bool) {
	kept, _ := st.srv.deps.Resumptions.Find(r.id)
	s, ok := kept.(*session)
	if !ok || s.key != st.login.key {
		return transport.Read, false
	}
	if !r.valid {
		return st.end(endpoint.ReasonBadAck), true
	}
	if why := st.admitted(); why.Name != "" {
		return st.end(why), true
	}
	return s.resumeOn(st, r.h, a)
}

// resumeOn continues the session on a new stream (XEP-0198 section 5): what the endpoint did not handle is sent again before anything else. An older stream
// that is still open gets a conflict. It is false if the session has ended meanwhile.
func (s *session) resumeOn(st *stream, h uint32, a answer) (next transport.Next, found bool) {
	st.session.Store(s)
	sw := s.switchTo(st, h, a)
	tell(sw.unheard)
	switch {
	case sw.badCount:
		return st.badCount(h, sw.sent), true
	case !sw.ok:
		st.session.Store(nil)
		return transport.Read, false
	}
	if sw.old != nil {
		sw.old.end(endpoint.ReasonReplaced)
	}
	if sw.full {
		return st.end(endpoint.ReasonQueueFull), true
	}
	if !s.srv.deps.Registry.Resume(s.key, s, sw.round) {
		return st.end(endpoint.ReasonReplaced), true
	}
	if s.srv.deps.IM != nil {
		s.srv.deps.IM.Resumed(s)
	}
	return st.settle(), true
}

// switched is what came of switchTo.
type switched struct {
	ok       bool
	badCount bool    // the endpoint acknowledged more than sent
	full     bool    // what must be sent again does not fit
	old      *stream // that was still open
	unheard  []*outbound
	round    uint32
	sent     uint32
}

// switchTo makes st the session's stream and sends what is due on it.
func (s *session) switchTo(st *stream, h uint32, a answer) (sw switched) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended.Name != "" || !s.sm.resumable || st.over.Load() {
		return switched{}
	}
	sw.sent = s.sm.acked + uint32(len(s.sm.unacked))
	unheard, ok := s.sm.acknowledgeLocked(h)
	if !ok {
		sw.badCount = true
		return sw
	}
	sw.unheard = unheard
	sw.ok, sw.old = true, s.stream
	s.stream = st
	s.stopExpiryLocked()
	s.facts.Remote, s.facts.Via, s.facts.TLSVersion = st.info.Remote, st.info.Via, st.info.TLS.Version
	s.facts.Intercepted = st.login.intercepted
	handled := s.sm.handledLocked()
	s.sm.received, s.sm.pending, s.sm.owed, s.sm.working = handled, nil, false, false // what was not committed comes again
	s.sm.round++
	sw.round = s.sm.round
	st.conn.Control(a(s.jid, []byte("<resumed xmlns='"+nsSM+"' previd='"+s.sm.id+"' h='"+count(handled)+"'/>")))
	for _, o := range s.sm.unacked {
		sw.full = sw.full || st.conn.Send(o.raw, nil, o.done()) == transport.ErrFull // a connection that is lost is heard of by Closed
	}
	s.sm.requested, s.sm.due, s.sm.asked = false, false, 0
	if len(s.sm.unacked) > 0 {
		st.conn.Control(s.requestLocked())
	}
	s.noteLocked(feature.Detached, false)
	s.noteLocked(feature.Inactive, false) // what it said of itself is not restored (XEP-0352 section 5.2)
	s.flushLocked()
	return sw
}
