package push

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"sync"
	"time"

	"go.uber.org/zap"

	"signalbox/internal/telemetry"
)

// ErrStopped says that Run has ended before the change was written.
var ErrStopped = errors.New("push service has stopped")

const (
	maxBatch        = 512      // transitions in one call of the store
	maxQueued       = 65536    // writes that wait before receipts and results are refused
	maxQueuedBytes  = 64 << 20 // bytes of results that wait before further ones are refused
	maxAttempts     = 5        // for a batch, then for each write of it, where the store names a reason other than that it is busy or full
	firstBackoff    = 50 * time.Millisecond
	longestBackoff  = 5 * time.Second
	lastWriteWithin = 5 * time.Second // after the end of Run's context
)

// write is one change of state on its way to the store.
type write struct {
	t       Transition           // ID 0: none, done is called when all earlier writes are settled
	held    bool                 // the lane of t.Key holds t.ID back until this write is settled
	created time.Time            // of the push, for the delivery time; zero: not known
	done    func(Outcome, error) // called once the write is settled, on the scribe's goroutine; it must not block; nil: nobody asks
	lazy    bool                 // nobody needs to know when it is durable
}

// scribe writes changes of state in the order in which they were added, one batch at a time, so that the end of a session never overtakes what that session
// did. A batch that the store refuses is tried again before any later one.
type scribe struct {
	store  Store
	log    *zap.Logger
	m      *metrics
	settle func(write, Outcome, error)
	limit  func() int // of the writes of a batch

	mu     sync.Mutex // a leaf: add may be called with any other lock held
	queue  []write
	spare  []write // empty; the next queue, so that it need not grow anew for every batch
	bytes  int     // of the results in queue
	closed bool

	wake chan struct{} // capacity 1
}

// add queues w. It never blocks and calls nothing, unless Run has ended: then done hears ErrStopped.
func (s *scribe) add(w write) {
	s.mu.Lock()
	if !s.closed {
		s.addLocked(w)
		s.mu.Unlock()
		return
	}
	s.mu.Unlock()
	if w.done != nil {
		w.done(Outcome{}, ErrStopped)
	}
}

// offer queues w unless too much waits already.
func (s *scribe) offer(w write) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return ErrStopped
	}
	if len(s.queue) >= maxQueued || s.bytes+len(w.t.Result) > maxQueuedBytes {
		return ErrBusy
	}
	s.addLocked(w)
	return nil
}

func (s *scribe) addLocked(w write) {
	s.queue = append(s.queue, w)
	s.bytes += len(w.t.Result)
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// wait returns once all earlier writes are settled; false: that will not be.
func (s *scribe) wait(ctx context.Context) bool {
	settled := make(chan error, 1)
	s.add(write{done: func(_ Outcome, err error) { settled <- err }})
	select {
	case err := <-settled:
		return err == nil
	case <-ctx.Done():
		return false
	}
}

// take removes up to limit writes from the queue.
func (s *scribe) take(limit int) []write {
	s.mu.Lock()
	defer s.mu.Unlock()
	batch := s.queue
	if len(batch) > limit {
		batch, s.queue = batch[:limit:limit], batch[limit:]
	} else {
		s.queue, s.spare = s.spare, nil
	}
	for i := range batch {
		s.bytes -= len(batch[i].t.Result)
	}
	return batch
}

// reuse keeps the room of a batch that is settled.
func (s *scribe) reuse(batch []write) {
	clear(batch)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.spare = batch[:0]
}

// run writes until ctx is done, then what is left within lastWriteWithin, and answers the rest with ErrStopped.
func (s *scribe) run(ctx context.Context) {
	for ctx.Err() == nil {
		batch := s.take(s.limit())
		if len(batch) > 0 {
			s.commit(ctx, batch)
			s.reuse(batch)
			continue
		}
		select {
		case <-s.wake:
		case <-ctx.Done():
		}
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastWriteWithin)
	defer cancel()
	for batch := s.take(maxBatch); len(batch) > 0; batch = s.take(maxBatch) {
		s.commit(last, batch)
	}
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.answer(s.take(math.MaxInt), nil, ErrStopped)
}

// commit writes the batch, again and again where the store is busy or full, and write by write where it fails otherwise: one bad write must not hold up others.
func (s *scribe) commit(ctx context.Context, batch []write) {
	for attempt := 1; ; attempt++ {
		outcomes, err := s.try(ctx, batch)
		if err == nil {
			s.answer(batch, outcomes, nil)
			return
		}
		if ctx.Err() != nil {
			s.answer(batch, nil, ErrStopped)
			return
		}
		if attempt >= maxAttempts && !errors.Is(err, ErrBusy) && !errors.Is(err, ErrNoSpace) {
			s.split(ctx, batch, err)
			return
		}
		if attempt == 1 {
			s.log.Warn("changes of pushes could not be written, trying again", telemetry.Count(len(batch)), telemetry.Cause(err))
		}
		s.m.retries.Add(float64(len(batch)))
		pause(ctx, attempt)
	}
}

// split commits the writes of a batch that failed for good one by one, or gives up the only one.
func (s *scribe) split(ctx context.Context, batch []write, err error) {
	if len(batch) == 1 {
		s.log.Error("a change of a push could not be written and is lost", telemetry.Push(batch[0].t.ID.String()), telemetry.Cause(err))
		s.answer(batch, nil, err)
		return
	}
	for i := range batch {
		s.commit(ctx, batch[i:i+1])
	}
}

// try hands the batch to the store once. The outcomes are those of the writes that have a transition; nil where nobody waits for the disk.
//
// When ctx ends it still waits for an answer that is on its way: lastWriteWithin bounds that.
func (s *scribe) try(ctx context.Context, batch []write) ([]Outcome, error) {
	ts := make([]Transition, 0, len(batch))
	lazy := true
	for i := range batch {
		if batch[i].t.ID != 0 {
			ts = append(ts, batch[i].t)
			lazy = lazy && batch[i].lazy
		}
	}
	if len(ts) == 0 {
		return nil, nil
	}
	if lazy && len(ts) == len(batch) {
		s.store.AdvancePushes(ts, nil)
		return nil, nil
	}
	type answer struct {
		outcomes []Outcome
		err      error
	}
	answers := make(chan answer, 1)
	s.store.AdvancePushes(ts, func(os []Outcome, err error) { answers <- answer{os, err} })
	select {
	case a := <-answers:
		return a.outcomes, a.err
	case <-ctx.Done():
	}
	late := time.NewTimer(lastWriteWithin)
	defer late.Stop()
	select {
	case a := <-answers:
		return a.outcomes, a.err
	case <-late.C:
		return nil, ErrStopped
	}
}

// answer settles the writes of a batch. Without outcomes, a lazy write counts as applied.
func (s *scribe) answer(batch []write, outcomes []Outcome, err error) {
	n := 0
	for i := range batch {
		w, o := batch[i], Outcome{}
		if w.t.ID != 0 && err == nil {
			if outcomes == nil {
				o = Outcome{Found: true, Applied: true, State: w.t.To}
			} else {
				o = outcomes[n]
				n++
			}
		}
		s.settle(w, o, err)
	}
}

// pause waits before the next attempt, longer each time, with jitter.
func pause(ctx context.Context, attempt int) {
	d := longestBackoff
	if attempt < 8 {
		d = min(d, firstBackoff<<attempt)
	}
	t := time.NewTimer(d/2 + rand.N(d/2))
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
