package xmpp

import (
	"sync"
	"time"

	"signalbox/internal/endpoint"
	"signalbox/xmpp/feature"
	"signalbox/xmpp/transport"
)

// session is one bound session of an endpoint. It survives the loss of its stream while it can be resumed. It implements endpoint.Session.
//
// Locks: session.mu before the connection's own; the registry is never called with session.mu held.
type session struct {
	// set at construction
	srv  *Server
	key  endpoint.Key
	jid  string // full
	bare string // the start of jid

	mu        sync.Mutex
	stream    *stream // nil while suspended and after the end
	facts     endpoint.Facts
	ended     endpoint.Reason // zero while it lives
	known     bool            // to its client, which was told that it is bound
	early     [][]byte        // stanzas that wait until it knows
	available bool            // between initial and unavailable presence
	heard     time.Time       // when the lost stream last received bytes
	sm        management
	expiry    *expiry        // of a suspended session
	state     *feature.State // made when it is first asked for
}

// bind makes the session one of the endpoint's, or returns endpoint.ErrResources; false: it has ended meanwhile.
func (s *session) bind() (lives bool, err error) {
	if err := s.srv.deps.Registry.Bind(s.key, s); err != nil {
		return false, err
	}
	s.mu.Lock()
	ended := s.ended
	s.mu.Unlock()
	if ended.Name != "" { // perhaps before the registry knew it
		s.srv.deps.Registry.Unbind(s.key, s, ended)
		return false, nil
	}
	return true, nil
}

// Deliver implements endpoint.Session.
func (s *session) Deliver(e endpoint.Stanza) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.available {
		return endpoint.ErrOffline
	}
	return s.deliverLocked(e, nil)
}

// deliverLocked queues a stanza; one with copies comes back to its account if the session ends without acknowledging it.
func (s *session) deliverLocked(e endpoint.Stanza, copies *feature.Copies) error {
	if s.stream == nil {
		return endpoint.ErrOffline
	}
	if !s.sm.enabled {
		return deliveryError(s.stream.conn.Send(e.Raw, nil, e.Written))
	}
	if s.sm.bytes > 0 && s.sm.bytes+len(e.Raw) > s.srv.cfg.QueueBytes {
		return endpoint.ErrFull
	}
	o := &outbound{raw: e.Raw, written: e.Written, ref: e.Ref, copies: copies}
	request := s.requestLocked()
	if err := s.stream.conn.Send(o.raw, request, o.done()); err != nil {
		if request != nil {
			s.sm.requested, s.sm.asked = false, 0
		}
		return deliveryError(err)
	}
	s.sm.sentLocked(o)
	return nil
}

// deliveryError is what a connection's refusal means for who delivers.
func deliveryError(err error) error {
	switch err {
	case nil:
		return nil
	case transport.ErrFull:
		return endpoint.ErrFull
	}
	return endpoint.ErrOffline
}

// reply sends a stanza that answers one of the endpoint's own. It passes a full queue; an endpoint that goes on asking without acknowledging is closed.
func (s *session) reply(raw []byte) {
	s.mu.Lock()
	st := s.stream
	full := s.sm.enabled && s.sm.bytes > 2*s.srv.cfg.QueueBytes
	if st != nil && !full {
		s.sm.sentLocked(&outbound{raw: raw})
		st.conn.Control(raw)
		if request := s.requestLocked(); request != nil {
			st.conn.Control(request)
		}
	}
	s.mu.Unlock()
	if full && st != nil {
		st.end(endpoint.ReasonQueueFull)
	}
}

// End implements endpoint.Session.
func (s *session) End(r endpoint.Reason) {
	end, first := s.close(r)
	if !first {
		return
	}
	s.gone(end, r)
	if end.stream != nil {
		end.stream.endWith(r, s.srv.hint(r))
	}
}

// ending is what a session leaves when it ends.
type ending struct {
	stream *stream
	lost   [][]byte // messages that were sent to this client or to none that is left, and not acknowledged
}

// gone tells everybody who should know that the session has ended.
func (s *session) gone(end ending, r endpoint.Reason) {
	s.srv.deps.Registry.Unbind(s.key, s, r)
	if s.srv.deps.IM != nil {
		s.srv.deps.IM.Ended(s, end.lost)
		return
	}
	s.leaveComponents()
}

// close marks the session as ended, once.
func (s *session) close(r endpoint.Reason) (end ending, first bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closeLocked(r)
}

func (s *session) closeLocked(r endpoint.Reason) (end ending, first bool) {
	if s.ended.Name != "" {
		return ending{}, false
	}
	end.stream, s.stream, s.ended = s.stream, nil, r
	if end.stream != nil {
		s.heard = end.stream.lastHeard()
	}
	for _, o := range s.sm.unacked {
		if o.copies != nil && o.copies.Lost() {
			end.lost = append(end.lost, o.raw)
		}
	}
	s.stopExpiryLocked()
	if s.sm.id != "" {
		s.srv.deps.Resumptions.Forget(s.sm.id)
	}
	s.sm = management{}
	return end, true
}

// detach is what becomes of the session when its stream st is over: it is suspended if it can be resumed, else it ends.
func (s *session) detach(st *stream, r endpoint.Reason) {
	s.mu.Lock()
	mine := s.stream == st && s.ended.Name == ""
	suspend := mine && s.sm.resumable && resumableAfter(r)
	round := s.sm.round
	if suspend {
		s.stream, s.heard = nil, st.lastHeard()
		s.noteLocked(feature.Detached, true)
		s.startExpiryLocked(s.srv.patience(r))
	}
	s.mu.Unlock()
	switch {
	case suspend:
		s.srv.deps.Registry.Suspend(s.key, s, round, r)
	case mine:
		s.finish(r)
	}
}

// noteLocked notes something of a client that has a state: one that was never asked for has nothing to lose.
func (s *session) noteLocked(f feature.Flag, on bool) {
	if s.state != nil {
		s.state.Set(f, on)
	}
}

func (s *session) finish(r endpoint.Reason) {
	if end, first := s.close(r); first {
		s.gone(end, r)
	}
}

// resumableAfter tells losses of the connection, and the stop of a server that keeps its sessions, from ends that somebody meant.
func resumableAfter(r endpoint.Reason) bool {
	switch r.Name {
	case endpoint.ReasonConnectionLost.Name, endpoint.ReasonSilent.Name, endpoint.ReasonSlowReader.Name, endpoint.ReasonNotStored.Name, endpoint.ReasonShutdown.Name:
		return true
	}
	return false
}

// Facts implements endpoint.Session.
func (s *session) Facts() endpoint.Facts {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.facts
}

// LastHeard implements endpoint.Session.
func (s *session) LastHeard() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stream != nil {
		return s.stream.lastHeard()
	}
	return s.heard
}

func (st *stream) lastHeard() time.Time { return st.srv.base.Add(time.Duration(st.heard.Load())) }

// setAvailable notes the endpoint's presence; true if it changed.
func (s *session) setAvailable(available bool) (changed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	changed = available != s.available
	s.available = available
	return changed
}

// expiry is the end of the time in which a session can be resumed.
type expiry struct {
	timer transport.Timer
	at    time.Time
}

func (s *session) startExpiryLocked(at time.Time) {
	e := &expiry{at: at}
	e.timer.Do = func(time.Time) time.Duration {
		s.expire(e)
		return 0
	}
	s.expiry = e
	s.srv.wheel.Set(&e.timer, max(0, time.Until(at)))
}

// expire ends a session that was not resumed in time. The timer may be late: then the session has a stream again and no such timer.
func (s *session) expire(e *expiry) {
	s.mu.Lock()
	late := s.expiry != e
	var end ending
	if !late {
		end, _ = s.closeLocked(endpoint.ReasonResumeExpired)
	}
	s.mu.Unlock()
	if !late {
		s.gone(end, endpoint.ReasonResumeExpired)
	}
}

func (s *session) stopExpiryLocked() {
	if s.expiry != nil {
		s.srv.wheel.Stop(&s.expiry.timer)
		s.expiry = nil
	}
}
