package remote

import (
	"context"
	"sync"
)

// maxWaiting bounds what an endpoint may have sent for one session that nobody has come to yet.
const maxWaiting = 256

// queue is what is to be done in one session, in order. A goroutine works on it while there is something in it.
type queue struct {
	workers *workers
	after   func() // each task, once or twice

	mu      sync.Mutex // before that of workers
	tasks   []func()
	working bool
	waiting int // of the endpoint's messages, those among tasks
}

// post puts a task at the end; false: the broker has stopped, and it will not be done. It does not block.
func (q *queue) post(task func()) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.working && !q.workers.start(q.work) {
		return false
	}
	q.working = true
	q.tasks = append(q.tasks, task)
	return true
}

// postBounded is post for what an endpoint sends. Errors: ErrFlood, ErrUnavailable.
func (q *queue) postBounded(task func()) error {
	q.mu.Lock()
	full := q.waiting >= maxWaiting
	if !full {
		q.waiting++
	}
	q.mu.Unlock()
	if full {
		return ErrFlood
	}
	done := func() {
		q.mu.Lock()
		q.waiting--
		q.mu.Unlock()
	}
	if !q.post(func() { defer done(); task() }) {
		done()
		return ErrUnavailable
	}
	return nil
}

// ask has a task done and waits for its answer, but not longer than ctx: then it may be done later. Errors: ErrUnavailable, that of ctx, those of the task.
func ask[T any](ctx context.Context, q *queue, task func() (T, error)) (T, error) {
	type answer struct {
		value T
		err   error
	}
	var none T
	done := make(chan answer, 1)
	if !q.post(func() {
		value, err := task()
		q.after() // before the answer: whoever has that finds everything so
		done <- answer{value, err}
	}) {
		return none, ErrUnavailable
	}
	select {
	case a := <-done:
		return a.value, a.err
	case <-ctx.Done():
		return none, ctx.Err()
	}
}

// do is ask for what has no answer but an error.
func (q *queue) do(ctx context.Context, task func() error) error {
	_, err := ask(ctx, q, func() (struct{}, error) { return struct{}{}, task() })
	return err
}

// work does what there is.
func (q *queue) work() {
	for {
		q.mu.Lock()
		if len(q.tasks) == 0 {
			q.working, q.tasks = false, nil
			q.mu.Unlock()
			return
		}
		task := q.tasks[0]
		q.tasks = q.tasks[1:]
		q.mu.Unlock()
		task()
		q.after()
	}
}

// workers are the goroutines that work on queues. Run waits for them.
type workers struct {
	mu      sync.Mutex // a leaf
	stopped bool
	group   sync.WaitGroup
}

// start starts one; false: they were stopped.
func (w *workers) start(work func()) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.stopped {
		w.group.Go(work)
	}
	return !w.stopped
}

// stop waits until all have done what is in their queues; no other starts.
func (w *workers) stop() {
	w.mu.Lock()
	w.stopped = true
	w.mu.Unlock()
	w.group.Wait()
}
