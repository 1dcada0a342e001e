package xmpp

// Ping implements endpoint.Pinger.
func (s *session) Ping(heard func(alive bool)) bool {
	s.mu.Lock()
	st := s.stream
	s.mu.Unlock()
	if st == nil {
		return false
	}
	st.listening.Store(&heard)
	if s.isKnown() { // else welcome asks
		st.ask(s)
	}
	if st.gone.Load() { // perhaps before it listened
		st.hear(false)
	}
	return true
}

// hear tells who waits for a sign of life that one came, or that none will.
func (st *stream) hear(alive bool) {
	if st.listening.Load() == nil {
		return
	}
	if heard := st.listening.Swap(nil); heard != nil {
		(*heard)(alive)
	}
}

// depart tells who waits for a sign of life that none will come, now that they find the endpoint offline.
func (st *stream) depart() {
	st.gone.Store(true)
	st.hear(false)
}
