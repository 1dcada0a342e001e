package agent

import "time"

// silence is what is remembered of the bytes on a connection, to know after how long without any it ended. All are ages of the reader. The session's mutex guards it.
type silence struct {
	wrote time.Duration // when bytes were last written
	asked time.Duration // when the server was last asked for a sign of life
	quiet time.Duration // how long no byte had passed then
	ended time.Duration // when the session ended
}

// keepAlive asks the server for a sign of life again and again, and ends the session when none comes.
func (s *session) keepAlive() {
	patience := min(s.agent.cfg.Liveness, s.keepalive)
	pause := jittered(s.keepalive, s.agent.random)
	for n := 1; s.sleep(pause); n++ {
		asked := s.ask(n)
		if !s.sleep(patience) {
			return
		}
		if s.stream.In.LastHeard() < asked {
			s.end(errSilent)
			return
		}
		pause = jittered(s.keepalive, s.agent.random) - patience
	}
}

// ask sends the n-th question and returns when.
func (s *session) ask(n int) time.Duration {
	s.mu.Lock()
	s.silence.asked = s.stream.In.Clock()
	s.silence.quiet = s.silence.asked - max(s.stream.In.LastHeard(), s.silence.wrote)
	asked := s.silence.asked
	s.mu.Unlock()
	s.ping(n)
	return asked
}

// idle returns how long no byte had passed when the session ended, or, if the server's last sign of life is older than the last question, when that was sent: something
// on the way that had forgotten the connection by then does not always say so.
func (s *session) idle() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	heard := s.stream.In.LastHeard()
	if heard < s.silence.asked {
		return s.silence.quiet
	}
	return s.silence.ended - max(heard, s.silence.wrote)
}

// jittered returns d, give or take a tenth.
func jittered(d time.Duration, random func(int64) int64) time.Duration {
	return d - d/10 + time.Duration(random(int64(d/5)))
}
