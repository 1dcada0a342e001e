package agent

import "time"

// doubtWithin is how long the server may take for a sign of life when there is reason to think that it is lost: less than minIdle, so that nobody takes the end for that of a silent connection.
const doubtWithin = 4 * time.Second

// doubt has the session ask now whether the server is there. When a technician is not reached any more it may be this machine's network that is lost, and a connection that waits for
// TCP to find that out comes back as late again as the loss lasted. It does not block.
func (a *Agent) doubt() {
	a.mu.Lock()
	s := a.current
	a.mu.Unlock()
	if s == nil {
		return
	}
	select {
	case s.doubts <- struct{}{}:
	default: // it is about to
	}
}

// settleDoubts asks the server for a sign of life whenever somebody doubts that it is there, and ends the session when none comes.
func (s *session) settleDoubts() {
	for {
		select {
		case <-s.doubts:
		case <-s.dead:
			return
		}
		asked := s.stream.In.Clock()
		s.ping(0)
		if s.sleep(doubtWithin) && s.stream.In.LastHeard() < asked {
			s.end(errSilent)
		}
	}
}
