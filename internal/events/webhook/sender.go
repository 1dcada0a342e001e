package webhook

import (
	"context"
	"errors"
	"net/http"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"signalbox/internal/events"
	"signalbox/internal/telemetry"
)

// Bounds of what a sender holds in memory.
const (
	readChunk    = 512     // events read at a time
	maxQueue     = 2048    // events that wait
	maxQueueData = 2 << 20 // bytes of their data
	maxAside     = 1000    // events set aside
)

const (
	storeAfter = 64                     // attempts that are stored together at most
	storeEvery = 250 * time.Millisecond // that they wait at most: after a crash so much comes again
	storeAgain = time.Second            // after the store did not take them
	storeLast  = 5 * time.Second        // that the last ones have when the server stops
)

// sender hands events to one receiver. Its goroutine owns all fields of the second block; attempts run on goroutines of their own, which know nothing of it.
type sender struct {
	hook     Webhook // as it was when the sender began; its State is the sender's
	target   target
	client   *http.Client
	plan     schedule
	parallel int
	store    Store
	outbox   Outbox
	log      *zap.Logger
	count    func(answer)  // for metrics
	wake     chan struct{} // holds a token while there may be new events
	kick     chan struct{} // holds a token when the receiver is known to be well
	status   atomic.Pointer[Status]

	state   State
	queue   []events.Event   // read and not done, in their order
	bytes   int              // of data in queue
	read    int64            // events up to here were read
	flying  map[string]int64 // numbers of the events on the way, by endpoint
	tries   map[int64]int    // failed attempts of events in the queue
	aside   map[string][]Aside
	asides  int
	due     string // why a snapshot has to go first; empty: none has to
	first   *item  // the snapshot, once made
	pending Progress
	stored  time.Time // when pending was stored last
	urgent  bool      // pending is stored before anything else is done
	ended   bool      // it is disabled
}

// item is a message with the event that it is of.
type item struct {
	event events.Event
	message
}

// result is what an attempt came to.
type result struct {
	item
	answer
	at  time.Time
	err error // ours, or the end of the context; then there was no attempt
}

// run sends until ctx is done or the receiver is disabled.
func (s *sender) run(ctx context.Context) {
	defer s.client.CloseIdleConnections()
	if !s.begin(ctx) {
		return
	}
	for ctx.Err() == nil && !s.ended {
		if !s.rest(ctx) {
			break
		}
		worked, err := s.round(ctx)
		if err == nil && (s.urgent || time.Since(s.stored) >= storeEvery) {
			err = s.save(ctx)
		}
		switch {
		case err != nil && ctx.Err() == nil:
			s.log.Warn("events wait for their receiver: they cannot be read or their progress not be stored", telemetry.Webhook(s.hook.ID), telemetry.Cause(err))
			s.sleep(ctx, storeAgain)
		case err == nil && !worked:
			s.idle(ctx)
		}
	}
	for s.ended && ctx.Err() == nil && s.save(ctx) != nil { // else it would be enabled, and nobody would send
		s.sleep(ctx, storeAgain)
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeLast)
	defer cancel()
	if err := s.save(last); err != nil {
		s.log.Warn("the last deliveries are not stored and will be made again", telemetry.Webhook(s.hook.ID), telemetry.Cause(err))
	}
}

// begin reads what was set aside; false: ctx is done.
func (s *sender) begin(ctx context.Context) bool {
	for ctx.Err() == nil {
		all, err := s.store.WebhookAside(ctx, s.hook.ID)
		if err == nil {
			s.state.Next = s.believed(s.state.Since, s.state.Next, time.Now())
			for _, a := range all {
				if !a.GivenUp {
					a.Next = s.believed(a.Since, a.Next, time.Now())
					s.aside[a.Endpoint] = append(s.aside[a.Endpoint], a)
					s.asides++
				}
			}
			s.publish()
			return true
		}
		s.sleep(ctx, storeAgain)
	}
	return false
}

// believed returns when an attempt is due that was planned before the server was started, which is now if the clock stood ahead then.
func (s *sender) believed(since, next, now time.Time) time.Time {
	if longest := max(s.plan.longest(), maxRetryAfter); since.After(now) || next.After(now.Add(longest)) {
		return now
	}
	return next
}

// rest waits while the receiver is left in peace after a failure; false: ctx is done.
func (s *sender) rest(ctx context.Context) bool {
	wait := time.Until(s.state.Next)
	if s.state.Failures == 0 || wait <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
	case <-s.kick:
	}
	return true
}

// idle waits until there may be something to do.
func (s *sender) idle(ctx context.Context) {
	var due <-chan time.Time
	at, ok := s.asideDue()
	if store := s.stored.Add(storeEvery); s.unsaved() && (!ok || store.Before(at)) {
		at, ok = store, true
	}
	if ok {
		timer := time.NewTimer(max(time.Until(at), 0))
		defer timer.Stop()
		due = timer.C
	}
	select {
	case <-ctx.Done():
	case <-s.wake:
	case <-s.kick:
	case <-due:
	}
}

func (s *sender) sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// round does what is due, and reports whether there was anything.
func (s *sender) round(ctx context.Context) (bool, error) {
	if err := s.fill(ctx); err != nil {
		return false, err
	}
	if s.due != "" {
		return true, s.sendSnapshot(ctx)
	}
	if s.state.Failures > 0 {
		return true, s.probe(ctx)
	}
	again, err := s.retryAside(ctx)
	if err != nil || s.state.Failures > 0 {
		return true, err
	}
	sent, err := s.pump(ctx)
	return again || sent, err
}

// attempt sends one message and waits for the answer.
func (s *sender) attempt(ctx context.Context, i item) result {
	r := result{item: i, at: time.Now().UTC()}
	r.answer, r.err = s.target.send(ctx, s.client, s.hook.Keys, i.message)
	return r
}

// itemOf makes the message of an event. One that cannot be made would block those behind it for ever, so it is logged and left out.
func (s *sender) itemOf(e events.Event) (item, bool) {
	m, err := messageOf(e)
	if err != nil {
		s.log.Error("an event cannot be written and is left out", telemetry.Event(e.ID()), telemetry.Cause(err))
		return item{}, false
	}
	return item{e, m}, true
}

// unsaved reports whether there is something to store.
func (s *sender) unsaved() bool {
	return s.pending.State != nil || len(s.pending.Deliveries) > 0 || s.cursor() != s.state.Cursor
}

// save stores what has happened since the last time.
func (s *sender) save(ctx context.Context) error {
	if !s.unsaved() {
		return nil
	}
	s.state.Cursor = s.cursor()
	state := s.state
	s.pending.State = &state
	if err := s.store.SaveWebhookProgress(ctx, s.hook.ID, s.pending); err != nil {
		return err
	}
	s.pending, s.stored, s.urgent = Progress{}, time.Now(), false
	s.publish()
	return nil
}

// cursor is the number up to which nothing is left to do here.
func (s *sender) cursor() int64 {
	n := s.read
	if len(s.queue) > 0 {
		n = s.queue[0].Seq - 1
	}
	for _, seq := range s.flying {
		n = min(n, seq-1)
	}
	return n
}

// drop takes an event out of the queue.
func (s *sender) drop(seq int64) {
	for i, e := range s.queue {
		if e.Seq == seq {
			s.queue = append(s.queue[:i], s.queue[i+1:]...)
			s.bytes -= len(e.Data)
			break
		}
	}
	delete(s.tries, seq)
}

// note writes an attempt into the log and returns its number.
func (s *sender) note(r result, attempt int, next time.Time) {
	s.count(r.answer)
	s.pending.Deliveries = append(s.pending.Deliveries, Delivery{
		At: r.at, Seq: r.event.Seq, Event: r.id, Type: string(r.event.Type), Endpoint: r.event.Endpoint, Attempt: attempt, Status: r.status, Took: r.took, Fault: r.fault,
		Next: next,
	})
}

// succeeded notes that the receiver took a message.
func (s *sender) succeeded(r result) {
	s.note(r, s.tries[r.event.Seq]+1, time.Time{})
	if s.state.Failures > 0 {
		s.log.Info("a receiver of events takes them again", telemetry.Webhook(s.hook.ID), telemetry.Count(s.state.Failures))
	}
	s.state.Failures, s.state.Since, s.state.Next, s.state.Fault, s.state.LastSuccess = 0, time.Time{}, time.Time{}, Fault{}, r.at
	s.touch()
	s.drop(r.event.Seq)
}

// touch marks the state as one to be stored.
func (s *sender) touch() { s.pending.State = &s.state }

// failed notes attempts that the receiver did not take, the first deciding: it is left in peace, or disabled when the schedule has ended.
func (s *sender) failed(all ...result) {
	s.urgent = true
	now, worst := time.Now().UTC(), all[0]
	if s.state.Failures == 0 {
		s.state.Since = worst.at
		s.log.Warn("a receiver of events does not take them", telemetry.Webhook(s.hook.ID), telemetry.Reason(worst.fault.Code), telemetry.Cause(errors.New(worst.fault.Detail)))
	}
	s.state.Failures++
	s.state.Fault = worst.fault
	pause, more := s.plan.pause(s.state.Failures)
	s.state.Next = now.Add(max(pause, worst.retry))
	s.touch()
	gone := worst.fault.Code == Gone && s.hook.ID != Management
	if gone || !more {
		s.disable(now)
	}
	for _, r := range all {
		n := s.tries[r.event.Seq] + 1
		s.tries[r.event.Seq] = n
		s.note(r, n, s.state.Next)
	}
}

// disable ends the deliveries to the receiver until somebody enables it again.
func (s *sender) disable(now time.Time) {
	s.ended = true
	s.state.Next = time.Time{}
	s.state.Disabled = s.state.Fault.Detail
	if s.state.Fault.Code != Gone {
		s.state.Disabled = "Nothing was taken since " + s.state.Since.Format(time.RFC3339) + "; the last time: " + s.state.Fault.Detail
	}
	s.pending.Disable = true
	s.log.Error("a webhook was disabled: its receiver takes nothing", telemetry.Webhook(s.hook.ID), telemetry.Reason(s.state.Fault.Code),
		telemetry.Cause(errors.New(s.state.Disabled)))
}
