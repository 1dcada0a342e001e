package store

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"signalbox/internal/push"
)

func pulse(s *Store) error {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	return s.Pulse(ctx)
}

// TestPulse: a writer lives if it answers, whatever the disk says.
func TestPulse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &fakeWriter{hold: make(chan struct{})}
		s := newFake(t, w, 10, 10)
		if err := pulse(s); err == nil || !strings.Contains(err.Error(), "does not answer") {
			t.Errorf("Pulse without a writer = %v, want that it does not answer", err)
		}
		stop := commit(s)
		if err := pulse(s); err == nil {
			t.Error("Pulse of a writer that hangs = nil")
		}
		if err := pulse(s); err == nil { // the queue takes no more
			t.Error("Pulse behind a write that hangs = nil")
		}
		close(w.hold)
		if err := pulse(s); err != nil {
			t.Errorf("Pulse = %v, want nil", err)
		}
		w.setBroken(push.ErrNoSpace)
		if err := pulse(s); err != nil {
			t.Errorf("Pulse with a full disk = %v, want nil: somebody has answered", err)
		}
		stop()
		if err := pulse(s); err != nil {
			t.Errorf("Pulse at the end = %v, want nil", err)
		}
	})
}
