package store

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"signalbox/internal/endpoint"
	"signalbox/internal/push"
)

// TestHangingWrite has a disk that neither takes nor refuses a write.
func TestHangingWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &fakeWriter{hold: make(chan struct{})}
		s := newFake(t, w, 10, 10)
		stop := commit(s)
		answers := make(chan error, 2)
		write := func() { answers <- s.do(context.Background(), named("write")) }
		go write()
		time.Sleep(time.Second)
		if err := s.Ready(t.Context()); err != nil {
			t.Errorf("Ready after a second = %v, want nil", err)
		}
		go write() // while the disk is only slow
		time.Sleep(5 * time.Second)
		if err := s.Ready(t.Context()); err == nil {
			t.Error("Ready after 6 s = nil, want an error")
		}
		if err := tryFor(t, s, named("late")); !errors.Is(err, push.ErrBusy) {
			t.Errorf("do = %v, want ErrBusy at once", err)
		}
		s.SavePresence(endpoint.Key{ID: "pc-1"}, endpoint.Presence{}) // has time
		close(w.hold)
		for range 2 {
			if err := <-answers; err != nil {
				t.Errorf("do before it was busy = %v", err)
			}
		}
		if err := s.do(t.Context(), named("again")); err != nil {
			t.Errorf("do when the disk answers = %v", err)
		}
		if err := s.Ready(t.Context()); err != nil {
			t.Errorf("Ready = %v, want nil", err)
		}
		stop()
		if n := len(w.written()); n != 4 {
			t.Errorf("%d operations were written, want 3 writes and the presence", n)
		}
	})
}

// tryFor is do for an operation that should be refused at once.
func tryFor(t *testing.T, s *Store, op operation) error {
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	return s.do(ctx, op)
}

// TestLeftAlone: whoever does not wait for a write to its end has nothing of what it found, which belongs to the writer yet.
func TestLeftAlone(t *testing.T) {
	s := running(t)
	ctx, leave := context.WithCancel(t.Context())
	returned := make(chan struct{})
	found, err := outcome(ctx, s, func(*tx) (int, error) {
		leave()
		<-returned
		return 1, nil
	})
	if found != 0 || !errors.Is(err, context.Canceled) {
		t.Errorf("outcome = %d, %v; want nothing and %v", found, err, context.Canceled)
	}
	close(returned)
	if found, err := outcome(t.Context(), s, func(*tx) (int, error) { return 2, push.ErrLateFull }, push.ErrLateFull); found != 2 || !errors.Is(err, push.ErrLateFull) {
		t.Errorf("outcome = %d, %v; want 2 and %v", found, err, push.ErrLateFull)
	}
}
