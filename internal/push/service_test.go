package push

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap/zaptest"

	"signalbox/internal/endpoint"
)

func TestExpiry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, func(c *Config) { c.Window = 1 })
		offline := r.submit(Push{To: endpoint.Key{Domain: pc1.Domain, ID: "pc-2"}, TTL: time.Minute}).ID
		r.bind(pc1, 1)
		unanswered := r.submit(Push{TTL: time.Minute, Ack: AckHandled}).ID
		r.write(pc1)
		r.receipt(pc1, unanswered)
		silent, last := r.submit(Push{TTL: time.Minute}).ID, r.submit(Push{}).ID
		r.write(pc1)
		r.wantTaken(pc1)
		time.Sleep(time.Minute + 2*tickPeriod)
		r.wantHistory(offline, "accepted", "expired ttl")
		r.wantHistory(silent, "accepted", "sent", "expired ttl")
		r.wantHistory(unanswered, "accepted", "sent", "delivered", "failed no_result")
		r.wantTaken(pc1, last) // the expired one gave its place back
		r.wantMetric("signalbox_push_transitions_total", 2, "expired")
	})
}

// The sweeper cannot run while the store fails; what is read after that must not be sent late.
func TestPushReadPastItsTTLIsNotSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		id := r.submit(Push{TTL: 500 * time.Millisecond}).ID
		r.store.reading = make(chan struct{})
		r.bind(pc1, 1)
		time.Sleep(700 * time.Millisecond)
		close(r.store.reading)
		r.settle()
		r.wantTaken(pc1)
		r.wantHistory(id, "accepted", "expired ttl")
	})
}

func TestCancel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		waiting := r.submit(Push{}).ID
		st, err := r.svc.Cancel(t.Context(), pc1.Domain, waiting)
		if err != nil || st.State != Cancelled {
			t.Errorf("Cancel() = %s, %v", st.State, err)
		}
		if st, err = r.svc.Cancel(t.Context(), pc1.Domain, waiting); !errors.Is(err, ErrState) || st.State != Cancelled {
			t.Errorf("second Cancel() = %s, %v, want ErrState", st.State, err)
		}
		if _, err = r.svc.Cancel(t.Context(), pc1.Domain, 99); !errors.Is(err, ErrUnknown) {
			t.Errorf("Cancel(unknown) = %v", err)
		}
		r.bind(pc1, 1)
		onTheWay := r.submit(Push{}).ID
		if _, err = r.svc.Cancel(t.Context(), pc1.Domain, onTheWay); !errors.Is(err, ErrState) {
			t.Errorf("Cancel(on the way) = %v, want ErrState", err)
		}
		r.wantTaken(pc1, onTheWay)
	})
}

// A worker has read the push as waiting when it is cancelled: it must not be sent after that.
func TestCancelWhileTheQueueIsRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		id := r.submit(Push{}).ID
		r.store.reading = make(chan struct{})
		r.bind(pc1, 1)
		if st, err := r.svc.Cancel(t.Context(), pc1.Domain, id); err != nil || st.State != Cancelled {
			t.Errorf("Cancel() = %s, %v", st.State, err)
		}
		close(r.store.reading)
		r.settle()
		r.wantTaken(pc1)
	})
}

func TestIdempotency(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		r.bind(pc1, 1)
		key := NewIdempotency("tok", "k1", []byte("body"))
		other := NewIdempotency("tok", "k1", []byte("other"))
		first, err := r.svc.Submit(t.Context(), Request{Push: fill(Push{}), Idempotency: &key})
		if err != nil {
			t.Fatal(err)
		}
		again, err := r.svc.Submit(t.Context(), Request{Push: fill(Push{}), Idempotency: &key})
		if err != nil || !again.Replayed || again.ID != first.ID {
			t.Errorf("repeated Submit() = %+v, %v", again, err)
		}
		if _, err = r.svc.Submit(t.Context(), Request{Push: fill(Push{}), Idempotency: &other}); !errors.Is(err, ErrKeyReused) {
			t.Errorf("Submit(other body) = %v, want ErrKeyReused", err)
		}
		r.wantTaken(pc1, first.ID)

		running := NewIdempotency("tok", "k2", nil)
		r.store.commit = time.Second
		answers := make(chan error, 1)
		go func() {
			_, err := r.svc.Submit(t.Context(), Request{Push: fill(Push{}), Idempotency: &running})
			answers <- err
		}()
		synctest.Wait()
		if _, err = r.svc.Submit(t.Context(), Request{Push: fill(Push{}), Idempotency: &running}); !errors.Is(err, ErrKeyBusy) {
			t.Errorf("Submit(running key) = %v, want ErrKeyBusy", err)
		}
		if err := <-answers; err != nil {
			t.Errorf("Submit() = %v", err)
		}
	})
}

func TestSubmitPassesTheStoresErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, func(c *Config) { c.QueueCount = 1 })
		if _, err := r.svc.Submit(t.Context(), Request{Push: fill(Push{To: endpoint.Key{Domain: pc1.Domain, ID: "unknown"}})}); !errors.Is(err, endpoint.ErrUnknown) {
			t.Errorf("Submit(unknown endpoint) = %v", err)
		}
		r.submit(Push{})
		if _, err := r.svc.Submit(t.Context(), Request{Push: fill(Push{})}); !errors.Is(err, ErrQueueFull) {
			t.Errorf("Submit(full queue) = %v", err)
		}
	})
}

func TestWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		r.bind(pc1, 1)
		id := r.submit(Push{}).ID
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if st, err := r.svc.Wait(ctx, pc1.Domain, id); !errors.Is(err, context.DeadlineExceeded) || st.State != Accepted {
			t.Errorf("Wait() = %s, %v, want accepted and the deadline", st.State, err)
		}
		states := make(chan State, 1)
		go func() {
			st, _ := r.svc.Wait(t.Context(), pc1.Domain, id)
			states <- st.State
		}()
		synctest.Wait()
		r.write(pc1)
		r.receipt(pc1, id)
		if got := <-states; got != Delivered {
			t.Errorf("Wait() = %s", got)
		}
		if st, err := r.svc.Wait(t.Context(), pc1.Domain, id); err != nil || st.State != Delivered {
			t.Errorf("Wait(ended) = %s, %v", st.State, err)
		}
		if n := len(r.svc.waiters); n != 0 {
			t.Errorf("%d waiters are left", n)
		}
	})
}

// TestWaitEndsWithTheEndpoint: whoever waits for a push hears at once that it was deleted.
func TestWaitEndsWithTheEndpoint(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		id := r.submit(Push{}).ID
		f, err := r.spread(Push{}, nil, "pc-1")
		if err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 2)
		go func() {
			_, err := r.svc.Wait(t.Context(), pc1.Domain, id)
			ended <- err
		}()
		synctest.Wait()
		r.store.deleteEndpoint(endpoint.Key{Domain: pc1.Domain, ID: "another"})
		synctest.Wait()
		if len(ended) != 0 {
			t.Errorf("Wait() = %v at the end of another endpoint", <-ended)
		}
		go func() {
			_, err := r.svc.WaitFanout(t.Context(), pc1.Domain, f.ID)
			ended <- err
		}()
		synctest.Wait()
		r.store.deleteEndpoint(pc1)
		got := []error{<-ended, <-ended}
		if !errors.Is(errors.Join(got...), ErrUnknown) || got[0] != nil && got[1] != nil {
			t.Errorf("Wait() and WaitFanout() = %v, want ErrUnknown for the push, and nil for the fan-out, of which nothing is left", got)
		}
		if n := len(r.svc.waiters); n != 0 {
			t.Errorf("%d waiters are left", n)
		}
	})
}

func TestRecover(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		r.bind(pc1, 1)
		id := r.submit(Push{}).ID
		r.write(pc1)
		r.settle()
		if err := r.svc.Recover(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		r.wantHistory(id, "accepted", "sent", "accepted server_restarted")
		r.store.fail(ErrNoSpace)
		if err := r.svc.Recover(t.Context(), nil); !errors.Is(err, ErrNoSpace) {
			t.Errorf("Recover() = %v", err)
		}
		r.store.fail(nil)
	})
}

func TestListAndCount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		a, b := r.submit(Push{}).ID, r.submit(Push{}).ID
		r.receipt(pc1, a)
		sts, err := r.svc.List(t.Context(), pc1, "", 0, 10)
		if err != nil || len(sts) != 2 || sts[0].ID != b || sts[1].State != Delivered {
			t.Errorf("List() = %+v, %v", sts, err)
		}
		if n, err := r.svc.CountWaiting(t.Context(), pc1); n != 1 || err != nil {
			t.Errorf("CountWaiting() = %d, %v", n, err)
		}
	})
}

func TestNewRefusesBadConfigurationAndUsedRegistry(t *testing.T) {
	cfg := Config{Window: 0, QueueCount: -1, QueueBytes: 1, DefaultTTL: MaxTTL + 1}
	want := "window: must be 1 to 1024\nqueue_count: must be 1 to 10000\nqueue_bytes: must be at least 65536, the largest payload\nqueue_policy: must be reject or drop_oldest\n" +
		"max_targets: must be 1 to 1000000\ndefault_ttl: must be 0s to 672h0m0s"
	_, err := New(cfg, nil, nil, zaptest.NewLogger(t), prometheus.NewRegistry())
	if err == nil {
		t.Fatal("New(bad configuration) = nil")
	}
	if diff := cmp.Diff(want, err.Error()); diff != "" {
		t.Errorf("New(bad configuration) (-want +got):\n%s", diff)
	}
	reg := prometheus.NewRegistry()
	if _, err := New(Default(), &memory{}, nil, zaptest.NewLogger(t), reg); err != nil {
		t.Fatal(err)
	}
	if _, err := New(Default(), &memory{}, nil, zaptest.NewLogger(t), reg); err == nil {
		t.Error("New() with metrics that are registered already = nil")
	}
}
