package store

import (
	"context"
	"time"

	"signalbox/internal/endpoint"
)

// savePresence stores the last presence of an endpoint, and its event if it tells something new. Of an endpoint that is not known nothing is kept.
type savePresence struct {
	key      endpoint.Key
	presence endpoint.Presence
}

// SavePresence implements endpoint.Presences. Of several presences of one endpoint that come while one transaction runs only the last is stored. While the disk
// is full they wait; where too many endpoints wait, further ones are dropped and counted.
func (s *Store) SavePresence(k endpoint.Key, p endpoint.Presence) {
	if !s.queue.putPresence(k, p) {
		s.metrics.droppedMarks.Inc()
	}
}

func (op *savePresence) apply(t *tx) error {
	num, _, err := t.findEndpoint(op.key)
	var unknown error
	if err := expected(&unknown, err, endpoint.ErrUnknown); err != nil || unknown != nil {
		return err
	}
	before, err := t.presenceBefore(num)
	if err != nil {
		return err
	}
	return storePresence(t, num, before, &op.presence)
}

func storePresence(t *tx, num int64, before endpoint.Presence, p *endpoint.Presence) error {
	if err := t.writePresence(num, p); err != nil {
		return err
	}
	if before.State == p.State && micros(before.Since) == micros(p.Since) {
		return nil
	}
	data, err := presenceEvent(*p)
	if err != nil {
		return err
	}
	at := p.Since
	if at.IsZero() {
		at = t.now
	}
	return t.insertEvent(event{at: micros(at), kind: presenceKind(p.State), ep: num, data: data})
}

// endPresences turns online endpoints into offline ones.
type endPresences struct {
	reason string
	now    time.Time
	limit  int

	ended int
}

// EndPresences implements endpoint.Presences. It ends them in chunks.
func (s *Store) EndPresences(ctx context.Context, reason endpoint.Reason, now time.Time) error {
	for {
		op := &endPresences{reason: reason.Name, now: now, limit: maxChunk}
		if err := s.do(ctx, op); err != nil {
			return err
		}
		if op.ended < op.limit {
			return nil
		}
	}
}

func (op *endPresences) apply(t *tx) error {
	op.ended = 0
	online, err := t.online(op.limit)
	if err != nil {
		return err
	}
	for _, o := range online {
		p := o.presence
		p.State, p.Since, p.Reason = endpoint.StateOffline, op.now, op.reason
		if err := storePresence(t, o.num, o.presence, &p); err != nil {
			return err
		}
		op.ended++
	}
	return nil
}
