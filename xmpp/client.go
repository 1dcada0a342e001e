package xmpp

import (
	"signalbox/internal/endpoint"
	"signalbox/xmpp/feature"
)

// The methods by which features and the routing between accounts see a session: it implements feature.Client.

// Key implements feature.Client.
func (s *session) Key() endpoint.Key { return s.key }

// JID implements feature.Client.
func (s *session) JID() string { return s.jid }

// State implements feature.Client.
func (s *session) State() *feature.State {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state == nil {
		s.state = new(feature.State)
		if s.stream == nil {
			s.state.Set(feature.Detached, true)
		}
	}
	return s.state
}

// Send implements feature.Client.
func (s *session) Send(raw []byte) bool { return s.send(raw, nil) }

// SendMessage implements feature.Client.
func (s *session) SendMessage(raw []byte, copies *feature.Copies) bool { return s.send(raw, copies) }

func (s *session) send(raw []byte, copies *feature.Copies) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sendLocked(raw, copies)
}

// sendLocked sends behind what waited. Without a connection a message is not taken, since it is kept elsewhere; all else waits for the resumption,
// as it does for the welcome of a client that does not know yet that it is bound.
func (s *session) sendLocked(raw []byte, copies *feature.Copies) bool {
	if s.stream == nil && copies == nil {
		return s.awaitLocked(raw)
	}
	if !s.known {
		return copies == nil && s.earlyLocked(raw)
	}
	s.flushLocked()
	return s.deliverLocked(endpoint.Stanza{Raw: raw}, copies) == nil
}

// awaitLocked queues a stanza for the resumption of a session that lost its connection, as if it had been sent on it; false: there will be none, or too much waits.
func (s *session) awaitLocked(raw []byte) bool {
	if !s.sm.resumable || s.sm.bytes+len(raw) > s.srv.cfg.QueueBytes {
		return false
	}
	s.sm.sentLocked(&outbound{raw: raw})
	return true
}

// maxEarly bounds the stanzas that wait for the welcome of a session, which is a moment.
const maxEarly = 16

// earlyLocked keeps a stanza until the client was told that it is bound; false: it never will be, or too many wait.
func (s *session) earlyLocked(raw []byte) bool {
	if s.ended.Name != "" || len(s.early) >= maxEarly {
		return false
	}
	s.early = append(s.early, raw)
	return true
}

// welcome tells the client that it is bound. Nothing is sent to it before; what waited for that follows.
func (s *session) welcome(st *stream, b []byte) {
	s.mu.Lock()
	st.conn.Control(b)
	s.known = true
	for _, raw := range s.early {
		_ = s.deliverLocked(endpoint.Stanza{Raw: raw}, nil) // lost with the session, if that has ended
	}
	s.early = nil
	s.mu.Unlock()
	if st.listening.Load() != nil { // since before
		st.ask(s)
	}
}

// isKnown reports whether the client was told that it is bound.
func (s *session) isKnown() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.known
}

// SendPresence implements feature.Client.
func (s *session) SendPresence(from string, raw []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state == nil || !s.state.Hold(from, raw) {
		s.sendLocked(raw, nil) // presence that finds no room is lost
	}
}

// flushLocked sends the presence that waited while the client was inactive or had no connection: no stanza of others overtakes it (XEP-0352 section 5).
func (s *session) flushLocked() {
	if s.state == nil || s.stream == nil {
		return
	}
	for _, raw := range s.state.TakeHeld() {
		_ = s.deliverLocked(endpoint.Stanza{Raw: raw}, nil)
	}
}

// setActive notes what the client said of itself (XEP-0352 section 4).
func (s *session) setActive(active bool) {
	state := s.State()
	state.Set(feature.Inactive, !active)
	if active {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.flushLocked()
	}
}

// Clients returns how the clients of an account are found by the registry.
func Clients(r *endpoint.Registry) func(endpoint.Key) []feature.Client {
	return func(k endpoint.Key) []feature.Client {
		var buffer [4]endpoint.Session
		var clients []feature.Client
		for _, s := range r.AppendSessions(buffer[:0], k) {
			if c, ok := s.(feature.Client); ok {
				clients = append(clients, c)
			}
		}
		return clients
	}
}
