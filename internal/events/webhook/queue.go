package webhook

import (
	"context"
	"errors"
	"slices"
	"time"

	"signalbox/internal/events"
	"signalbox/internal/telemetry"
)

// fill reads events into the queue while there is room, collapses what is old and drops what the receiver does not ask for.
func (s *sender) fill(ctx context.Context) error {
	for len(s.queue) < maxQueue && s.bytes < maxQueueData {
		list, err := s.outbox.ReadEvents(ctx, s.read, readChunk)
		if errors.Is(err, events.ErrGone) {
			if err := s.skipGone(ctx); err != nil {
				return err
			}
			continue
		}
		if err != nil || len(list) == 0 {
			return err
		}
		s.read = list[len(list)-1].Seq
		for _, e := range list {
			if wants(s.hook.Types, e.Type) && !s.divert(e) {
				s.queue = append(s.queue, e)
			}
		}
		s.queue = coalesce(s.queue, time.Now())
		s.bytes = 0
		for _, e := range s.queue {
			s.bytes += len(e.Data)
		}
	}
	return nil
}

// skipGone goes on behind events that are not kept any more, and has the receiver read the state anew.
func (s *sender) skipGone(ctx context.Context) error {
	b, err := s.outbox.EventBounds(ctx)
	if err != nil {
		return err
	}
	from := s.read
	if s.read = b.Deleted; from > b.Newest {
		s.read = b.Newest // of another database
	}
	s.due, s.first = snapshotGap, nil
	s.log.Error("a receiver was away for longer than events are kept (store.outbox_retention): it missed some", telemetry.Webhook(s.hook.ID),
		telemetry.Count(int(max(s.read-from, 0))))
	return nil
}

// pump sends what is in the queue, events of different endpoints at the same time, until it is empty or one fails, or until what was set aside is due and has its turn:
// while events come as fast as they go the queue is never empty. It reports whether it sent anything.
func (s *sender) pump(ctx context.Context) (sent bool, err error) {
	results := make(chan result) // received from below until nothing is on the way
	var bad []result
	var taken time.Time // when an event was taken last
	due, waits := s.asideDue()
	for n := 0; ; {
		for err == nil && len(bad) == 0 && ctx.Err() == nil && len(s.flying) < s.parallel && (n < maxAsideRound || !waits || time.Now().Before(due)) && s.launch(ctx, results) {
			sent = true
			n++
		}
		if len(s.flying) == 0 {
			break
		}
		select {
		case r := <-results:
			delete(s.flying, r.event.Endpoint)
			switch {
			case r.err != nil:
				err = r.err
			case r.fault.Code == "":
				s.succeeded(r)
				taken = time.Now()
			default:
				bad = append(bad, r)
			}
		case <-s.wake:
			if err == nil && len(bad) == 0 {
				err = s.fill(ctx)
			}
		}
		if len(s.pending.Deliveries) >= storeAfter || time.Since(s.stored) >= storeEvery && s.unsaved() {
			err = errors.Join(err, s.save(ctx))
		}
	}
	if len(bad) > 0 {
		slices.SortFunc(bad, func(a, b result) int { return int(a.event.Seq - b.event.Seq) })
		bad = slices.DeleteFunc(bad, func(r result) bool { // another one was taken while it was refused, so the fault lies in the event
			aside := r.fault.concernsEvent() && r.at.Before(taken) && s.asides < maxAside
			if aside {
				s.setAside(r)
			}
			return aside
		})
	}
	if len(bad) > 0 {
		s.failed(bad...)
	}
	return sent, err
}

// launch starts an attempt for the first event of an endpoint of which none is on the way; false: there is none.
func (s *sender) launch(ctx context.Context, results chan<- result) bool {
	for i := 0; i < len(s.queue); i++ {
		e := s.queue[i]
		if _, busy := s.flying[e.Endpoint]; busy || len(s.aside[e.Endpoint]) > 0 {
			continue
		}
		it, ok := s.itemOf(e)
		if !ok {
			s.drop(e.Seq)
			i--
			continue
		}
		s.flying[e.Endpoint] = e.Seq
		go func() { results <- s.attempt(ctx, it) }() // ends with the attempt; pump waits for it
		return true
	}
	return false
}

// probe tries the first event alone. If it is refused, and one of another endpoint is taken, then the fault lies in the event: it is set aside.
func (s *sender) probe(ctx context.Context) error {
	at := slices.IndexFunc(s.queue, func(e events.Event) bool { return len(s.aside[e.Endpoint]) == 0 })
	if at < 0 {
		return s.probeAside(ctx)
	}
	r, ok := s.one(ctx, s.queue[at])
	switch {
	case !ok:
		return nil
	case r.err != nil:
		return r.err
	case r.fault.Code == "":
		s.succeeded(r)
		return nil
	}
	other := slices.IndexFunc(s.queue, func(e events.Event) bool { return e.Endpoint != r.event.Endpoint && len(s.aside[e.Endpoint]) == 0 })
	if other < 0 || !r.fault.concernsEvent() || s.asides >= maxAside {
		s.failed(r)
		return nil
	}
	c, ok := s.one(ctx, s.queue[other])
	switch {
	case !ok:
		return nil
	case c.err != nil:
		return c.err
	case c.fault.Code != "":
		s.failed(r, c)
		return nil
	}
	s.succeeded(c)
	s.setAside(r)
	return nil
}

// one sends an event alone; false: it cannot be written.
func (s *sender) one(ctx context.Context, e events.Event) (result, bool) {
	it, ok := s.itemOf(e)
	if !ok {
		s.drop(e.Seq)
		return result{}, false
	}
	return s.attempt(ctx, it), true
}
