package xmpp

import (
	"context"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"time"

	"signalbox/internal/endpoint"
	"signalbox/internal/telemetry"
)

// leave is the end of a server's service: no stream begins, and those that are there are told when to come back. The server's mutex guards it.
type leave struct {
	closing bool
	until   time.Time // before which nobody needs to come back; zero: nobody knows
	crowd   int       // streams that there were
}

// Drain lets no stream begin any more and ends those that are open, spread so that the last is told at until: each is told when to come back, which is later than
// until, and a session that can be resumed waits for that. It returns how many were told, when all are or ctx is done. Welcome takes it back.
func (s *Server) Drain(ctx context.Context, until time.Time) (told int) {
	s.deps.Registry.Leave(until)
	open := s.close(until)
	if len(open) > 0 {
		s.log.Info("closing streams", telemetry.Count(len(open)), telemetry.Took(time.Until(until)))
	}
	start := time.Now()
	span := max(0, until.Sub(start))
	for i, st := range open {
		if !waitUntil(ctx, start.Add(span*time.Duration(i)/time.Duration(len(open)))) {
			return i
		}
		st.endWith(s.farewell(), s.hint(s.farewell()))
	}
	return len(open)
}

// Welcome lets streams begin again after a Drain.
func (s *Server) Welcome() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.leave = leave{}
	s.deps.Registry.Leave(time.Time{})
}

// Streams returns how many streams are open, logins under way included.
func (s *Server) Streams() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.streams)
}

// waitUntil is false if ctx was done before.
func waitUntil(ctx context.Context, at time.Time) bool {
	wait := time.NewTimer(time.Until(at))
	defer wait.Stop()
	select {
	case <-wait.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}

// close lets no stream begin any more and returns those that are open.
func (s *Server) close(until time.Time) []*stream {
	s.mu.Lock()
	defer s.mu.Unlock()
	open := slices.Collect(maps.Keys(s.streams))
	s.leave = leave{closing: true, until: until, crowd: max(s.leave.crowd, len(open))}
	return open
}

// farewell is why streams end when the server stops.
func (s *Server) farewell() endpoint.Reason {
	if s.deps.OtherHost != "" {
		return endpoint.ReasonMoved
	}
	return endpoint.ReasonShutdown
}

// overdue is how many seconds an endpoint waits before it tries again a server that everybody was sent away from.
const overdue = 10

// hint tells an endpoint when to come back, where many are sent away at once: spread so that a thousand return per second, and where they return to this server,
// not before it is through with the others.
func (s *Server) hint(r endpoint.Reason) string {
	if r.Name != s.farewell().Name {
		return ""
	}
	s.mu.Lock()
	n, until := max(s.leave.crowd, len(s.streams)), s.leave.until
	s.mu.Unlock()
	after := 1 + rand.IntN(2+n/1000)
	switch left := time.Until(until); {
	case s.deps.OtherHost != "" || until.IsZero():
	case left > 0:
		after += int(left / time.Second)
	default: // it was to be gone by now, and nobody knows when it goes
		after += overdue
	}
	return "<retry xmlns='" + nsHint + "' after='" + strconv.Itoa(after) + "'/>"
}

// patience is until when a session can be resumed that lost its connection now, for this reason: one that was told when to come back need not do so earlier.
func (s *Server) patience(r endpoint.Reason) time.Time {
	from := time.Now()
	if r.Name == endpoint.ReasonShutdown.Name {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.leave.until.After(from) {
			from = s.leave.until
		}
	}
	return from.Add(s.cfg.ResumeTimeout)
}

// Hint is what a program that is told of the stop in another stream gets to hear of it, beside the condition.
func (s *Server) Hint() string { return s.hint(endpoint.ReasonShutdown) }

// remember keeps a stream for the shutdown; it is false once that has begun.
func (s *Server) remember(st *stream) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.leave.closing {
		return false
	}
	s.streams[st] = struct{}{}
	s.metrics.streams.Inc()
	return true
}

func (s *Server) forget(st *stream) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.streams[st]; ok {
		delete(s.streams, st)
		s.metrics.streams.Dec()
	}
}

// closeAll ends every stream, those that a Drain has not told spread over the drain period, cuts those that do not go, and then keeps or ends every session.
func (s *Server) closeAll() {
	s.mu.Lock()
	until := s.leave.until
	s.mu.Unlock()
	if until.IsZero() {
		until = time.Now().Add(s.deps.Drain)
	}
	s.Drain(context.Background(), until)
	cut := time.AfterFunc(s.cfg.ShutdownTimeout, s.abortAll)
	s.driver.Wait()
	cut.Stop()
	s.keep()
}

func (s *Server) abortAll() {
	s.mu.Lock()
	open := slices.Collect(maps.Keys(s.streams))
	s.mu.Unlock()
	for _, st := range open {
		st.conn.Abort()
	}
}
