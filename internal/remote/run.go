package remote

import (
	"context"
	"errors"
	"fmt"
	"time"

	"signalbox/internal/audit"
	"signalbox/internal/endpoint"
)

// lookEvery is how exact the limits of sessions are.
const lookEvery = time.Second

// Restore takes up the sessions that the last run left open: both parties are away, and have the usual time to come back. It must have returned before endpoints and
// technicians are let in, and sessions are served from then on.
func (s *Service) Restore(ctx context.Context) error {
	records, err := s.deps.Store.OpenRemoteSessions(ctx)
	if err != nil {
		return fmt.Errorf("read open remote sessions: %w", err)
	}
	for _, l := range s.takeUp(records) {
		l.post(l.restore)
	}
	return nil
}

func (s *Service) takeUp(records []Session) (all []*live) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.restored {
		return nil
	}
	s.restored = true
	for _, record := range records {
		l := s.placeLocked(record)
		s.last = max(s.last, l.id)
		all = append(all, l)
	}
	return all
}

// restore is the first that happens in a session of the last run.
func (l *live) restore() {
	now := time.Now()
	l.away, l.ask, l.acted = now, true, now
	l.answerBy = now.Add(l.record.Spec.Consent.Timeout + answerGrace)
	if l.record.Secrets.Return != (audit.Hash{}) {
		l.left = now
	}
	l.leaveTURN() // it ended with the TURN server, or with us
	ctx, cancel := patiently()
	defer cancel()
	found, err := l.service.deps.Store.Endpoint(ctx, l.key)
	if errors.Is(err, endpoint.ErrUnknown) || err == nil && !found.Enabled {
		l.endNoted(ReasonEndpointRemoved, "", audit.Server)
		return
	}
	l.openRelay()
	if _, err := l.openTURN(); err != nil {
		l.renewAt = now.Add(tryTURN)
	}
	l.note(nil, false)
}

// Run looks after sessions until ctx is done. They stay open then: the next run takes them up. Store and TURN server must run until it returns.
func (s *Service) Run(ctx context.Context) error {
	ticks := time.NewTicker(lookEvery)
	defer ticks.Stop()
	for {
		select {
		case now := <-ticks.C:
			for _, l := range s.all(func(*live) bool { return true }) {
				l.lookAt(now)
			}
		case <-ctx.Done():
			s.workers.stop()
			return nil
		}
	}
}
