package session

// Stats is the state of a table, and what it refused since it was made.
type Stats struct {
	Sessions, Allocations                     int    // that are open; that are there or being made
	SessionQuota, TechnicianQuota, TotalQuota uint64 // allocations that a quota refused
	SessionRate, TotalRate                    uint64 // packets that were dropped for a rate
}

// Stats returns the state of the table.
func (t *Table) Stats() Stats {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.refused
	s.Allocations = t.allocations
	s.SessionRate, s.TotalRate = t.slowedSession.Load(), t.slowedTotal.Load()
	for _, one := range t.sessions {
		if !one.ended() {
			s.Sessions++
		}
	}
	return s
}

// reserve counts an allocation of a session, or says which quota is used up.
func (t *Table) reserve(s *session) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch who := s.technician; {
	case s.ended():
		return ErrEnded
	case reached(s.reserved, s.quota):
		t.refused.SessionQuota++
		return ErrSessionQuota
	case who != "" && reached(t.technicians[who], t.limits.TechnicianAllocations):
		t.refused.TechnicianQuota++
		return ErrTechnicianQuota
	case reached(t.allocations, t.limits.Allocations):
		t.refused.TotalQuota++
		return ErrTotalQuota
	}
	t.countLocked(s, 1)
	return nil
}

func (t *Table) release(s *session) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.countLocked(s, -1)
}

func (t *Table) countLocked(s *session, by int) {
	s.reserved += by
	t.allocations += by
	if s.technician == "" {
		return
	}
	if t.technicians[s.technician] += by; t.technicians[s.technician] == 0 {
		delete(t.technicians, s.technician)
	}
}

// reached tells whether a number is at its limit, where 0 is none.
func reached(n, limit int) bool { return limit > 0 && n >= limit }

// take takes bytes from a session and from all together, or from neither. Where no rate is set it does not ask for the time.
func (t *Table) take(s *session, bytes int) bool {
	if s.rate.rate.Load() == 0 && t.rate.rate.Load() == 0 {
		return true
	}
	now := int64(t.now().Sub(t.start))
	if !s.rate.take(now, bytes) {
		t.slowedSession.Add(1)
		return false
	}
	if !t.rate.take(now, bytes) {
		s.rate.giveBack(bytes)
		t.slowedTotal.Add(1)
		return false
	}
	return true
}
