package technician

// CheapPasswords has passwords cost next to nothing, for tests that are not about that.
func (s *Service) CheapPasswords() { s.hasher.memory, s.hasher.time = 8, 1 }

// Saturate takes all places of those who wait for a password to be checked.
func (s *Service) Saturate() {
	for range cap(s.hasher.queue) {
		s.hasher.queue <- struct{}{}
	}
}
