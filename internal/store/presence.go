package store

import (
	"context"
	"time"

	"signalbox/internal/endpoint"
	"signalbox/internal/store/direct"
	"signalbox/internal/store/outbox"
	"signalbox/internal/store/presences"
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
	num, _, err := t.endpoint.Num(op.key)
	var unknown error
	if err := expected(&unknown, err, endpoint.ErrUnknown); err != nil || unknown != nil {
		return err
	}
	before, told, err := t.presence.Before(num)
	if err != nil {
		return err
	}
	return storePresence(t, presences.Stored{Num: num, Presence: before, Told: told}, &op.presence)
}

// storePresence writes p, and the event that it is worth. The same presence again, heard of later, is none.
func storePresence(t *tx, before presences.Stored, p *endpoint.Presence) error {
	after := p.Beside(before.Presence)
	if before.Presence.State == p.State && direct.Micros(before.Presence.Since) == direct.Micros(p.Since) {
		return t.presence.Save(before.Num, &after, before.Told)
	}
	told := told(before.Told)
	kind := told.follow(before.Presence.State, p, t.now)
	if err := t.presence.Save(before.Num, &after, presences.Told(told)); err != nil {
		return err
	}
	return t.presenceEvent(kind, before.Num, p)
}

// presenceEvent keeps an event that tells of p.
func (t *tx) presenceEvent(kind, num int64, p *endpoint.Presence) error {
	data, err := presenceEvent(*p)
	if err != nil {
		return err
	}
	at := p.Since
	if at.IsZero() {
		at = t.now
	}
	return t.insertEvent(outbox.Event{At: direct.Micros(at), Kind: kind, Ep: num, Data: data})
}

// endPresences turns online endpoints into offline ones.
type endPresences struct {
	reason    string
	now, tell time.Time
	limit     int

	ended int
}

// EndPresences implements endpoint.Presences. It ends them in chunks.
func (s *Store) EndPresences(ctx context.Context, reason endpoint.Reason, now, tell time.Time) error {
	if err := s.try(ctx, func(t *tx) error { return t.presence.Postpone(tell) }); err != nil {
		return err
	}
	for {
		op := &endPresences{reason: reason.Name, now: now, tell: tell, limit: maxChunk}
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
	online, err := t.presence.Online(op.limit)
	if err != nil {
		return err
	}
	for _, o := range online {
		p := o.Presence
		p.State, p.Since, p.Reason, p.Tell = endpoint.StateOffline, op.now, op.reason, op.tell
		p.LastEnd, p.LastReason = time.Time{}, ""
		if err := storePresence(t, o, &p); err != nil {
			return err
		}
		op.ended++
	}
	return nil
}

// tellPresences writes the events that are due.
type tellPresences struct {
	now   time.Time
	limit int

	done int
}

// TellPresences implements endpoint.Presences. It tells in chunks, and looks without writing whether there is anything to tell.
func (s *Store) TellPresences(ctx context.Context, now time.Time) error {
	for {
		due, err := s.reader.endpoints.PresencesDue(ctx, now)
		if err != nil || !due {
			return err
		}
		op := &tellPresences{now: now, limit: maxChunk}
		if err := s.do(ctx, op); err != nil {
			return err
		}
		if op.done < op.limit {
			return nil
		}
	}
}

func (op *tellPresences) apply(t *tx) error {
	op.done = 0
	due, err := t.presence.Due(op.now, op.limit)
	if err != nil {
		return err
	}
	for _, d := range due {
		op.done++
		told := told(d.Told)
		told.Due = time.Time{}
		if !told.news(&d.Presence, true) {
			if err := t.presence.Tell(d.Num, presences.Told(told)); err != nil {
				return err
			}
			continue
		}
		kind := told.tell(&d.Presence)
		if err := t.presence.Tell(d.Num, presences.Told(told)); err != nil {
			return err
		}
		if err := t.presenceEvent(kind, d.Num, &d.Presence); err != nil {
			return err
		}
	}
	return nil
}

// saveTrouble writes an event of what goes wrong with an endpoint.
type saveTrouble struct {
	key     endpoint.Key
	trouble endpoint.Trouble
}

// SaveTrouble implements endpoint.Presences. Where too many marks wait, it is dropped and counted.
func (s *Store) SaveTrouble(k endpoint.Key, trouble endpoint.Trouble) {
	s.put(&entry{op: &saveTrouble{key: k, trouble: trouble}, size: 1})
}

func (op *saveTrouble) apply(t *tx) error {
	num, _, err := t.endpoint.Num(op.key)
	var unknown error
	if err := expected(&unknown, err, endpoint.ErrUnknown); err != nil || unknown != nil {
		return err
	}
	kind, data, err := troubleEvent(&op.trouble)
	if err != nil {
		return err
	}
	return t.insertEvent(outbox.Event{At: direct.Micros(op.trouble.At), Kind: kind, Ep: num, Data: data})
}
