package store

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/zap"

	"signalbox/internal/endpoint"
	"signalbox/internal/push"
	"signalbox/internal/store/failure"
)

// named is an operation that a fakeWriter knows by its name.
type named string

func (named) apply(*tx) error { return nil }

// fakeWriter stands for the database.
type fakeWriter struct {
	mu      sync.Mutex
	broken  error           // fails every batch
	bad     map[named]error // fails batches that hold one of these
	batches [][]named
	hold    chan struct{} // if not nil, each write waits for one value
}

func (w *fakeWriter) write(ops []operation) error {
	if w.hold != nil {
		<-w.hold
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.broken != nil {
		return w.broken
	}
	var names []named
	for _, op := range ops {
		name := named(fmt.Sprint(op))
		if n, ok := op.(named); ok {
			name = n
		}
		if err := w.bad[name]; err != nil {
			return err
		}
		names = append(names, name)
	}
	w.batches = append(w.batches, names)
	return nil
}

func (w *fakeWriter) setBroken(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.broken = err
}

func (w *fakeWriter) written() []named {
	w.mu.Lock()
	defer w.mu.Unlock()
	var all []named
	for _, b := range w.batches {
		all = append(all, b...)
	}
	return all
}

// newFake returns a store whose database is w. It can write and nothing else.
func newFake(t *testing.T, w *fakeWriter, maxRequests, maxMarks int) *Store {
	t.Helper()
	q := newQueue(maxRequests, maxMarks)
	m, err := newMetrics(nil, q)
	if err != nil {
		t.Fatal(err)
	}
	s := &Store{queue: q, answers: newAnswerer(), metrics: m, log: zap.NewNop()}
	s.committer = &committer{queue: q, answers: s.answers, writer: w, maxBatch: 4, metrics: m, log: s.log}
	return s
}

// commit runs the committer and the answerer until stop is called.
func commit(s *Store) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var writing, answering sync.WaitGroup
	answering.Go(s.answers.run)
	writing.Go(func() { s.committer.run(ctx) })
	return func() {
		cancel()
		writing.Wait()
		s.answers.close()
		answering.Wait()
	}
}

func TestBadOperationFailsAlone(t *testing.T) {
	bad := errors.New("constraint failed")
	for _, position := range []int{0, 1, 2, 3} {
		s := newFake(t, &fakeWriter{bad: map[named]error{"bad": bad}}, 100, 100)
		var entries []*entry
		for i := range 4 {
			op := named(fmt.Sprint("op", i))
			if i == position {
				op = "bad"
			}
			e := &entry{op: op, size: 1, done: make(chan error, 1)}
			entries = append(entries, e)
			if err := s.queue.put(e); err != nil {
				t.Fatal(err)
			}
		}
		stop := commit(s)
		for i, e := range entries {
			var want error
			if i == position {
				want = bad
			}
			if err := <-e.done; !errors.Is(err, want) {
				t.Errorf("bad one at %d: operation %d = %v, want %v", position, i, err, want)
			}
		}
		stop()
		if err := s.Ready(t.Context()); err != nil {
			t.Errorf("Ready = %v, want nil: the database is well", err)
		}
	}
}

func TestQueueIsBounded(t *testing.T) {
	w := &fakeWriter{}
	s := newFake(t, w, 2, 3)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for range 2 {
		if err := s.do(ctx, named("request")); !errors.Is(err, context.Canceled) {
			t.Fatalf("do = %v, want the end of the context", err)
		}
	}
	if err := s.do(ctx, named("too many")); !errors.Is(err, push.ErrBusy) {
		t.Errorf("do with a full queue = %v, want ErrBusy", err)
	}
	refused := make(chan error, 1)
	s.AdvancePushes(nil, func(_ []push.Outcome, err error) { refused <- err })

	// Marks have room of their own.
	s.AdvancePushes(make([]push.Transition, 2), nil)
	s.AdvancePushes(make([]push.Transition, 1), nil)
	s.AdvancePushes(make([]push.Transition, 1), nil)
	if got := testutil.ToFloat64(s.metrics.droppedMarks); got != 1 {
		t.Errorf("dropped marks = %v, want 1", got)
	}
	for i := range 4 {
		s.SavePresence(endpoint.Key{ID: fmt.Sprint(i % 4)}, endpoint.Presence{})
	}
	if got := testutil.ToFloat64(s.metrics.droppedMarks); got != 2 {
		t.Errorf("dropped marks = %v, want 2 with the fourth endpoint's presence", got)
	}
	select {
	case err := <-refused:
		t.Fatalf("called back with %v before the committer ran: done must not run on the caller", err)
	default:
	}
	stop := commit(s)
	if err := <-refused; !errors.Is(err, push.ErrBusy) {
		t.Errorf("AdvancePushes with a full queue = %v, want ErrBusy", err)
	}
	stop()
	if got := len(w.written()); got != 5 {
		t.Errorf("%d operations were written, want 2 marks and 3 presences: nobody waits for the requests any more", got)
	}
}

func TestPresencesOfOneEndpointReplaceEachOther(t *testing.T) {
	w := &fakeWriter{}
	s := newFake(t, w, 10, 10)
	k := endpoint.Key{ID: "pc-1"}
	for _, resource := range []string{"a", "b", "c"} {
		s.SavePresence(k, endpoint.Presence{Resource: resource})
	}
	batch := s.queue.take(10)
	if len(batch) != 1 || batch[0].op.(*savePresence).presence.Resource != "c" {
		t.Fatalf("took %d entries, want the last presence alone", len(batch))
	}
	// What the disk did not take yields to what came meanwhile.
	s.SavePresence(k, endpoint.Presence{Resource: "d"})
	s.queue.putBack(batch)
	batch = s.queue.take(10)
	if len(batch) != 1 || batch[0].op.(*savePresence).presence.Resource != "d" {
		t.Errorf("an older presence replaced a newer one")
	}
	// It must not pass what was queued behind the one that was not taken.
	if err := s.queue.put(&entry{op: &deleteEndpoint{key: k}, size: 1, done: make(chan error, 1)}); err != nil {
		t.Fatal(err)
	}
	s.queue.putBack(batch)
	s.SavePresence(k, endpoint.Presence{Resource: "e"})
	batch = s.queue.take(10)
	if len(batch) != 3 || batch[2].op.(*savePresence).presence.Resource != "e" {
		t.Fatalf("took %d entries, want the deletion between two presences", len(batch))
	}
	s.queue.putBack([]*entry{batch[0], batch[2]})
	if batch = s.queue.take(10); len(batch) != 1 || batch[0].op.(*savePresence).presence.Resource != "e" {
		t.Errorf("took %d entries, want the newest of two presences alone", len(batch))
	}
	s.queue.settle(batch)
	if p, ok := s.queue.presence(k); ok || len(s.queue.unsaved()) != 0 {
		t.Errorf("presence %v is still known to the queue after it was stored", p)
	}
}

func TestFullDiskRefusesRequestsAndKeepsMarks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &fakeWriter{broken: fmt.Errorf("%w: test", push.ErrNoSpace)}
		s := newFake(t, w, 10, 10)
		stop := commit(s)
		defer stop()
		for range 3 { // more than one transaction of them
			s.AdvancePushes(make([]push.Transition, 2), nil)
		}
		s.SavePresence(endpoint.Key{ID: "pc-1"}, endpoint.Presence{})
		if err := s.do(t.Context(), named("first")); !errors.Is(err, push.ErrNoSpace) {
			t.Errorf("do = %v, want ErrNoSpace", err)
		}
		if err := s.Ready(t.Context()); !errors.Is(err, push.ErrNoSpace) {
			t.Errorf("Ready = %v, want ErrNoSpace", err)
		}
		time.Sleep(10 * time.Second)
		if failures := testutil.ToFloat64(s.metrics.errors.WithLabelValues("no_space")); failures > 15 {
			t.Errorf("%v attempts in 10 s: marks must not make the committer spin", failures)
		}
		w.setBroken(nil)
		time.Sleep(2 * probeInterval)
		if err := s.Ready(t.Context()); err != nil {
			t.Errorf("Ready after recovery = %v, want nil without a new write", err)
		}
		if got := len(w.written()); got != 4 {
			t.Errorf("%d operations were written after recovery, want the marks and the presence", got)
		}
		if err := s.do(t.Context(), named("second")); err != nil {
			t.Errorf("do after recovery = %v", err)
		}
	})
}

// TestEndWithAFullDisk checks that the end does not try every transaction again, each of which may wait for a lock.
func TestEndWithAFullDisk(t *testing.T) {
	s := newFake(t, &fakeWriter{broken: push.ErrNoSpace}, 100, 100)
	for range 20 {
		s.AdvancePushes(make([]push.Transition, 2), nil)
	}
	s.SavePresence(endpoint.Key{ID: "pc-1"}, endpoint.Presence{})
	e := &entry{op: named("request"), size: 1, done: make(chan error, 1)}
	if err := s.queue.put(e); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	s.committer.run(ctx)
	if err := <-e.done; !errors.Is(err, push.ErrNoSpace) {
		t.Errorf("do = %v, want ErrNoSpace", err)
	}
	if dropped, tries := testutil.ToFloat64(s.metrics.droppedMarks), testutil.ToFloat64(s.metrics.errors.WithLabelValues("no_space")); dropped != 41 || tries != 1 {
		t.Errorf("dropped marks = %v after %v attempts, want 41 after 1", dropped, tries)
	}
}

func TestReadinessReturnsWithoutTraffic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &fakeWriter{broken: failure.ErrStorage}
		s := newFake(t, w, 10, 10)
		stop := commit(s)
		defer stop()
		if err := s.do(t.Context(), named("first")); !errors.Is(err, failure.ErrStorage) {
			t.Errorf("do = %v, want the error of the database", err)
		}
		w.setBroken(nil)
		time.Sleep(2 * probeInterval)
		if err := s.Ready(t.Context()); err != nil {
			t.Errorf("Ready = %v, want nil", err)
		}
		if diff := cmp.Diff([]named{"{}"}, w.written()); diff != "" {
			t.Errorf("written differs, want a probe (-want +got):\n%s", diff)
		}
	})
}

func TestWritesShareTransactionsInOrder(t *testing.T) {
	w := &fakeWriter{hold: make(chan struct{})}
	s := newFake(t, w, 100, 100)
	stop := commit(s)
	var want []named
	var last *entry
	for i := range 9 {
		last = &entry{op: named(fmt.Sprint(i)), size: 1, done: make(chan error, 1)}
		want = append(want, last.op.(named))
		if err := s.queue.put(last); err != nil {
			t.Fatal(err)
		}
	}
	close(w.hold)
	if err := <-last.done; err != nil {
		t.Fatal(err)
	}
	stop()
	if diff := cmp.Diff(want, w.written()); diff != "" {
		t.Errorf("order differs (-want +got):\n%s", diff)
	}
	if n := len(w.batches); n > 4 {
		t.Errorf("%d transactions for 9 operations, at most 4 fit into one", n)
	}
}

func TestEndDrainsTheQueue(t *testing.T) {
	w := &fakeWriter{}
	s := newFake(t, w, 100, 100)
	called := make(chan error, 2)
	s.AdvancePushes(nil, func(_ []push.Outcome, err error) { called <- err })
	s.AdvancePushes(nil, nil)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	s.committer.run(ctx)
	s.answers.close()
	s.answers.run()
	if err := <-called; err != nil || len(w.written()) != 2 {
		t.Errorf("done got %v and %d operations were written, want nil and 2", err, len(w.written()))
	}
	if err := s.do(t.Context(), named("late")); !errors.Is(err, ErrClosed) {
		t.Errorf("do after the end = %v, want ErrClosed", err)
	}
	s.AdvancePushes(nil, func(_ []push.Outcome, err error) { called <- err })
	if err := <-called; !errors.Is(err, ErrClosed) {
		t.Errorf("AdvancePushes after the end = %v, want ErrClosed", err)
	}
}

// TestTransactionsAreBoundedByTheirRows takes a call with many transitions for what it costs.
func TestTransactionsAreBoundedByTheirRows(t *testing.T) {
	q := newQueue(100, 100)
	for _, size := range []int{3, 2, 2, 9, 1} {
		if err := q.put(&entry{op: named("op"), size: size}); err != nil {
			t.Fatal(err)
		}
	}
	var got []int
	for batch := q.take(4); len(batch) > 0; batch = q.take(4) {
		got = append(got, len(batch))
	}
	if diff := cmp.Diff([]int{1, 2, 1, 1}, got); diff != "" {
		t.Errorf("batches differ (-want +got):\n%s", diff)
	}
}
