package webhook

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"signalbox/internal/events"
	"signalbox/internal/telemetry"
)

// maxAsideRound bounds the attempts for what was set aside before others have their turn.
const maxAsideRound = 64

// setAside has an event that its receiver refuses wait alone, with what follows of the same endpoint, so that all others go on.
func (s *sender) setAside(r result) {
	e := r.event
	a := Aside{Seq: e.Seq, Endpoint: e.Endpoint, Tries: s.tries[e.Seq] + 1, Since: r.at}
	s.later(&a, r)
	s.drop(e.Seq)
	if a.GivenUp {
		return
	}
	s.log.Warn("an event is refused by its receiver, which takes others: it is tried again beside them", telemetry.Webhook(s.hook.ID), telemetry.Event(e.ID()),
		telemetry.Cause(errors.New(r.fault.Detail)))
	s.aside[e.Endpoint] = append(s.aside[e.Endpoint], a)
	s.asides++
	queue := s.queue
	s.queue, s.bytes = nil, 0
	for _, e := range queue {
		if !s.divert(e) {
			s.queue = append(s.queue, e)
			s.bytes += len(e.Data)
		}
	}
}

// divert sets an event aside if another one of its endpoint is, in its order: a replay brings some that are older; false: none is, or there is no room.
func (s *sender) divert(e events.Event) bool {
	if len(s.aside[e.Endpoint]) == 0 || s.asides >= maxAside {
		return false
	}
	at, found := slices.BinarySearchFunc(s.aside[e.Endpoint], e.Seq, func(a Aside, seq int64) int { return cmp.Compare(a.Seq, seq) })
	if found {
		return true // since before a crash, or it is replayed
	}
	a := Aside{Seq: e.Seq, Endpoint: e.Endpoint}
	s.aside[e.Endpoint] = slices.Insert(s.aside[e.Endpoint], at, a)
	s.asides++
	s.pending.Aside = append(s.pending.Aside, a)
	s.touch()
	return true
}

// asideDue returns when the next attempt for something set aside is due; false: nothing is.
func (s *sender) asideDue() (at time.Time, ok bool) {
	for _, lane := range s.aside {
		if !ok || lane[0].Next.Before(at) {
			at, ok = lane[0].Next, true
		}
	}
	return at, ok
}

// retryAside tries what was set aside and is due, each endpoint's in its order. It reports whether it tried anything.
func (s *sender) retryAside(ctx context.Context) (worked bool, err error) {
	for endpoint := range s.aside {
		for n := 0; n < maxAsideRound && len(s.aside[endpoint]) > 0 && !s.aside[endpoint][0].Next.After(time.Now()) && s.state.Failures == 0; n++ {
			worked = true
			if err := s.retryOne(ctx, s.aside[endpoint][0]); err != nil {
				return worked, err
			}
		}
	}
	return worked, nil
}

// probeAside tries whether the receiver is well where all that waits is set aside.
func (s *sender) probeAside(ctx context.Context) error {
	for _, lane := range s.aside {
		if !lane[0].Next.After(time.Now()) {
			return s.retryOne(ctx, lane[0])
		}
	}
	s.state.Failures, s.state.Since, s.state.Next = 0, time.Time{}, time.Time{} // there is nothing to try
	s.touch()
	return nil
}

func (s *sender) retryOne(ctx context.Context, a Aside) error {
	list, err := s.outbox.ReadEvents(ctx, a.Seq-1, 1)
	if err != nil && !errors.Is(err, events.ErrGone) {
		return err
	}
	if err != nil || len(list) == 0 || list[0].Seq != a.Seq { // it is not kept any more
		s.settle(a)
		return nil
	}
	it, ok := s.itemOf(list[0])
	if !ok {
		s.settle(a)
		return nil
	}
	r := s.attempt(ctx, it)
	s.tries[a.Seq] = a.Tries
	defer delete(s.tries, a.Seq)
	switch {
	case r.err != nil:
		return r.err
	case r.fault.Code == "":
		s.succeeded(r)
		s.settle(a)
	case !r.fault.concernsEvent():
		s.failed(r)
	default:
		s.postpone(a, r)
	}
	return nil
}

// later says when an event is tried again that was refused a.Tries times, or that it is given up, and notes it.
func (s *sender) later(a *Aside, r result) {
	pause, more := s.plan.pause(a.Tries)
	a.Next = time.Now().UTC().Add(max(pause, r.retry))
	if !more {
		a.GivenUp, a.Next = true, time.Time{}
		s.log.Error("an event was given up: its receiver refused it to the end of the schedule; a replay of what failed tries it again", telemetry.Webhook(s.hook.ID),
			telemetry.Event(r.id), telemetry.Cause(errors.New(r.fault.Detail)))
	}
	s.note(r, a.Tries, a.Next)
	s.pending.Aside = append(s.pending.Aside, *a)
	s.urgent = true
}

// postpone has an event tried later, or given up; then those behind it have their turn.
func (s *sender) postpone(a Aside, r result) {
	a.Tries++
	if a.Since.IsZero() {
		a.Since = r.at
	}
	s.later(&a, r)
	if a.GivenUp {
		s.leave(a)
	} else {
		s.aside[a.Endpoint][0] = a
	}
}

// settle forgets the first event that was set aside of its endpoint.
func (s *sender) settle(a Aside) {
	s.pending.Settled = append(s.pending.Settled, a.Seq)
	s.touch()
	s.leave(a)
}

func (s *sender) leave(a Aside) {
	s.asides--
	if s.aside[a.Endpoint] = s.aside[a.Endpoint][1:]; len(s.aside[a.Endpoint]) == 0 {
		delete(s.aside, a.Endpoint)
	}
}
