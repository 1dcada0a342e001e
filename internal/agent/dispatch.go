package agent

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"signalbox/internal/agent/journal"
	"signalbox/internal/telemetry"
)

// dispatcher runs the handlers of journaled pushes, some at a time, in the order in which they were added.
type dispatcher struct {
	// Set at construction.
	journal  *journal.Journal
	handlers handlers
	slots    chan struct{} // one token per handler that runs
	grace    time.Duration // how long handlers may go on after the end of Run's context
	finished func(id string)
	log      *zap.Logger
	wake     chan struct{}
	running  atomic.Int32 // handlers

	mu    sync.Mutex
	queue []string // ids that wait
	err   error    // first failure of the journal
}

func newDispatcher(j *journal.Journal, hs handlers, concurrency int, grace time.Duration, finished func(string), log *zap.Logger) *dispatcher {
	return &dispatcher{
		journal: j, handlers: hs, slots: make(chan struct{}, concurrency), grace: grace, finished: finished, log: log,
		wake: make(chan struct{}, 1),
	}
}

// Add queues a push that the journal has. It never blocks; the journal's backlog bounds the queue.
func (d *dispatcher) Add(id string) {
	d.mu.Lock()
	d.queue = append(d.queue, id)
	d.mu.Unlock()
	select {
	case d.wake <- struct{}{}:
	default:
	}
}

// Run handles pushes until ctx ends, then waits for the handlers that run, at most for the grace period, and kills the others. What they did is
// not known then, so their pushes stay started in the journal. It returns the first failure of the journal.
func (d *dispatcher) Run(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	work, kill := context.WithCancel(context.WithoutCancel(ctx))
	defer kill()
	var running sync.WaitGroup
	for {
		id, ok := d.next(ctx)
		if !ok {
			break
		}
		running.Go(func() {
			d.running.Add(1)
			defer func() { d.running.Add(-1); <-d.slots }()
			if err := d.handle(work, id); err != nil {
				d.fail(err)
				stop()
			}
		})
	}
	timer := time.AfterFunc(d.grace, kill)
	defer timer.Stop()
	running.Wait()
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.err
}

// Running counts the handlers that run.
func (d *dispatcher) Running() int { return int(d.running.Load()) }

// next waits for a free slot and a push.
func (d *dispatcher) next(ctx context.Context) (string, bool) {
	select {
	case d.slots <- struct{}{}:
	case <-ctx.Done():
		return "", false
	}
	for {
		if ctx.Err() != nil {
			return "", false
		}
		if id, ok := d.pop(); ok {
			return id, true
		}
		select {
		case <-d.wake:
		case <-ctx.Done():
		}
	}
}

func (d *dispatcher) pop() (string, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.queue) == 0 {
		return "", false
	}
	id := d.queue[0]
	d.queue = d.queue[1:]
	return id, true
}

func (d *dispatcher) fail(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.err == nil {
		d.err = err
	}
}

// handle takes one push from received to done.
func (d *dispatcher) handle(ctx context.Context, id string) error {
	p, err := d.journal.Push(id)
	if err != nil {
		return err
	}
	h, ok := d.handlers.find(p.Type)
	now := time.Now()
	switch {
	case !ok:
		return d.done(p, failed(failure{Reason: ReasonNoHandler}), now)
	case !p.Expires.IsZero() && !now.Before(p.Expires):
		return d.done(p, failed(failure{Reason: ReasonExpired}), now)
	}
	if err := d.journal.Start(id, now); err != nil {
		return err
	}
	res, finished := h.run(ctx, p)
	if !finished {
		return nil
	}
	return d.done(p, res, now)
}

func (d *dispatcher) done(p Push, res Result, began time.Time) error {
	now := time.Now()
	if err := d.journal.Done(p.ID, res, now); err != nil {
		return err
	}
	outcome := "push failed"
	if res.OK {
		outcome = "push handled"
	}
	d.log.Debug(outcome, telemetry.Push(p.ID), telemetry.PushType(p.Type), telemetry.Took(now.Sub(began)))
	d.finished(p.ID)
	return nil
}

// takeUp takes up what an earlier run of the agent left: what was only received is handled, what was started is answered as interrupted
// unless it may run twice. What was done is sent again by the next session.
func (d *dispatcher) takeUp() error {
	for _, id := range d.journal.Open(journal.Started) {
		p, err := d.journal.Push(id)
		if err != nil {
			return err
		}
		if h, ok := d.handlers.find(p.Type); ok && h.repeatable {
			continue
		}
		if err := d.journal.Done(id, failed(failure{Reason: ReasonInterrupted}), time.Now()); err != nil {
			return err
		}
		d.log.Warn("push was interrupted", telemetry.Push(id), telemetry.PushType(p.Type))
	}
	for _, id := range d.journal.Open(journal.Received, journal.Started) {
		d.Add(id)
	}
	return nil
}
