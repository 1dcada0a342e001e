package push

import (
	"context"
	"time"

	"signalbox/internal/endpoint"
)

// Carried is a push on the way to a session that outlives the server's process.
type Carried struct {
	ID      ID
	Created time.Time
	Ack     Ack
	Now     bool // its TTL is 0
	Written bool // the write to the connection returned
}

// Flush returns once everything that sessions have answered and that was written to them is durable. Errors: ErrStopped, ctx's.
func (s *Service) Flush(ctx context.Context) error {
	if s.scribe.wait(ctx) {
		return nil
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return ErrStopped
}

// Carried returns what is on the way to the endpoint's leading session.
func (s *Service) Carried(k endpoint.Key) []Carried {
	l := s.lane(k)
	if l == nil {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	var all []Carried
	for _, f := range l.flights {
		if f.phase != settling {
			all = append(all, Carried{ID: f.id, Created: f.created, Ack: f.ack, Now: f.now, Written: f.phase == written})
		}
	}
	return all
}

// Carry puts pushes on the way to the endpoint's leading session again, which was restored and has them from the last run: they return to the queue when it ends,
// and are not sent on it by this service. Without a session they return at once.
func (s *Service) Carry(k endpoint.Key, all []Carried) {
	l := s.lane(k)
	if l == nil {
		s.Drop(k, all)
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range all {
		f := flight{id: c.ID, created: c.Created, ack: c.Ack, now: c.Now, phase: handed}
		if c.Written {
			f.phase = written
		}
		l.flights = append(l.flights, f)
		l.onWay++
	}
}

// Drop returns pushes to the queue that were on the way to a session of the endpoint which was not restored, whatever session it has by now.
func (s *Service) Drop(k endpoint.Key, all []Carried) {
	for _, c := range all {
		s.requeue(Transition{ID: c.ID, Key: k})
	}
}

// Wrote returns what a restored session calls when the write of a push that it carries returned.
func (s *Service) Wrote(k endpoint.Key, id ID) func(time.Time) {
	return func(at time.Time) {
		if l := s.lane(k); l != nil {
			s.wrote(l, id, at)
		}
	}
}
