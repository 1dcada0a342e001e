package store

import (
	"context"
	"fmt"
	"math"
	"slices"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"signalbox/internal/store/failure"
	"signalbox/internal/telemetry"
)

// probeInterval is how long the committer waits before it tries the disk again after a failure that met everybody.
const probeInterval = time.Second

// batchWriter makes operations durable in one transaction, or changes nothing and returns why.
type batchWriter interface {
	write(ops []operation) error
}

// committer writes what callers queued: everything that waits, in one transaction, while the next callers queue up. There is no artificial delay: the time of
// one commit is the window of the next. One goroutine runs it.
type committer struct {
	queue    *queue
	answers  *answerer
	writer   batchWriter
	maxBatch int
	metrics  *metrics
	log      *zap.Logger
	ops      []operation // reused

	watchers atomic.Pointer[[]chan struct{}] // told of every transaction; replaced, never changed; nil: there are none
	failure  atomic.Pointer[error]           // why the last transaction failed for everybody; nil: it did not
}

// run writes until ctx is done and everything that was queued before is written or answered.
func (c *committer) run(ctx context.Context) {
	for ctx.Err() == nil {
		if c.await(ctx) {
			c.round()
		}
	}
	c.queue.close()
	for batch := c.queue.take(c.maxBatch); len(batch) > 0; batch = c.queue.take(c.maxBatch) {
		c.drop(c.commit(batch))
		if err := c.failure.Load(); err != nil {
			c.drop(c.refuse(c.queue.take(math.MaxInt), *err))
			return
		}
	}
}

// await returns true when there is something to write. After a failure, marks alone do not count until the disk was left in peace for a while.
func (c *committer) await(ctx context.Context) bool {
	if c.failure.Load() == nil {
		select {
		case <-ctx.Done():
			return false
		case <-c.queue.wake:
			return true
		}
	}
	timer := time.NewTimer(probeInterval)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return false
		case <-timer.C:
			return true
		case <-c.queue.wake:
			if requests, _ := c.queue.waiting(); requests > 0 {
				return true
			}
		}
	}
}

// round writes one batch; after a failure it writes at least a probe, so that recovery is seen without traffic.
func (c *committer) round() {
	batch := c.queue.take(c.maxBatch)
	if len(batch) == 0 {
		if c.failure.Load() == nil {
			return
		}
		batch = []*entry{{op: probe{}, size: 1, done: make(chan error, 1)}} // nobody reads it; without it the probe would be kept like a mark
	}
	c.queue.putBack(c.commit(batch))
}

// commit writes a batch and answers it. It returns the marks that are to be tried again.
func (c *committer) commit(batch []*entry) (again []*entry) {
	batch = dropAbandoned(batch)
	if len(batch) == 0 {
		return nil
	}
	begin := time.Now()
	err := c.write(batch)
	if err == nil {
		c.metrics.commits.Inc()
		c.metrics.batch.Observe(float64(len(batch)))
		c.metrics.commitSeconds.Observe(time.Since(begin).Seconds())
		c.succeeded()
		c.tellWatchers()
		c.queue.settle(batch) // before the answers: who has one reads what is stored
		for _, e := range batch {
			c.answer(e, nil)
		}
		return nil
	}
	c.metrics.errors.WithLabelValues(failure.Kind(err)).Inc()
	if failure.ConcernsAll(err) {
		c.failed(err)
		// What was queued meanwhile is refused as well: behind the marks it would wait until the disk is well again. It is taken before anybody is answered, so that
		// who comes back after an answer gets an attempt of its own.
		return c.refuse(slices.Concat(batch, c.queue.takeRequests()), err)
	}
	if len(batch) == 1 {
		c.log.Error("operation failed", telemetry.Detail(fmt.Sprintf("%T", batch[0].op)), telemetry.Cause(err))
		c.queue.settle(batch)
		c.drop(c.refuse(batch, err))
		return nil
	}
	// One of them is bad: the halves are tried in order, so that the others are not held responsible.
	again = c.commit(batch[:len(batch)/2])
	return append(again, c.commit(batch[len(batch)/2:])...)
}

// tellWatchers lets those look who wait for events. It does not wait for them.
func (c *committer) tellWatchers() {
	watchers := c.watchers.Load()
	if watchers == nil {
		return
	}
	for _, w := range *watchers {
		select {
		case w <- struct{}{}:
		default:
		}
	}
}

// watch adds one who waits, for the life of the committer. It may be called concurrently.
func (c *committer) watch() <-chan struct{} {
	w := make(chan struct{}, 1)
	for {
		before := c.watchers.Load()
		var all []chan struct{}
		if before != nil {
			all = slices.Clone(*before)
		}
		all = append(all, w)
		if c.watchers.CompareAndSwap(before, &all) {
			return w
		}
	}
}

func (c *committer) write(batch []*entry) error {
	c.ops = c.ops[:0]
	for _, e := range batch {
		c.ops = append(c.ops, e.op)
	}
	c.queue.begin(time.Now())
	err := c.writer.write(c.ops)
	c.queue.begin(time.Time{})
	clear(c.ops)
	return err
}

// refuse answers those who wait and returns the marks.
func (c *committer) refuse(batch []*entry, err error) (marks []*entry) {
	for _, e := range batch {
		if e.mark() {
			marks = append(marks, e)
		} else {
			c.answer(e, err)
		}
	}
	return marks
}

func (c *committer) answer(e *entry, err error) {
	if e.done != nil {
		e.done <- err
	}
	if e.call != nil {
		c.answers.post(func() { e.call(err) }) // the answerer outlives the committer
	}
}

func (c *committer) drop(marks []*entry) {
	for _, e := range marks {
		c.metrics.droppedMarks.Add(float64(e.size))
	}
}

func (c *committer) failed(err error) {
	if c.failure.Swap(&err) == nil {
		c.log.Error("state cannot be written; pushes are refused until it can", telemetry.Cause(err))
	}
}

func (c *committer) succeeded() {
	if c.failure.Load() != nil && c.failure.Swap(nil) != nil {
		c.log.Info("state can be written again")
	}
}

// dropAbandoned removes the entries whose caller has gone already.
func dropAbandoned(batch []*entry) []*entry {
	kept := batch[:0]
	for _, e := range batch {
		if e.ctx != nil && e.ctx.Err() != nil {
			e.done <- e.ctx.Err()
			continue
		}
		kept = append(kept, e)
	}
	return kept
}
