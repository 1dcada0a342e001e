package push_test

import (
	"context"
	"errors"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"signalbox/internal/endpoint"
	"signalbox/internal/push"
	"signalbox/internal/store"
)

var pc1 = endpoint.Key{Domain: "example.test", ID: "pc-1"}

// wire is a Sender with one session; it says at once that a push was written.
type wire struct {
	mu    sync.Mutex
	epoch uint64 // 0: none
	sent  chan push.Push
}

func (w *wire) Send(_ endpoint.Key, epoch uint64, p push.Push, _ bool, written func(time.Time)) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if epoch != w.epoch {
		return endpoint.ErrOffline
	}
	written(time.Now())
	w.sent <- p
	return nil
}

func (w *wire) set(epoch uint64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.epoch = epoch
}

// world is a service on the real store.
type world struct {
	*push.Service
	wire *wire
	stop func()
}

func open(t testing.TB, path string) *world {
	t.Helper()
	db, err := store.Open(t.Context(), path, store.Default(), zap.NewNop(), prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	w := &world{wire: &wire{sent: make(chan push.Push, 1<<16)}}
	if w.Service, err = push.New(push.Default(), db, w.wire, zap.NewNop(), prometheus.NewRegistry()); err != nil {
		t.Fatal(err)
	}
	stopStore := run(t, db.Run)
	if err := db.CreateEndpoint(t.Context(), endpoint.Endpoint{Key: pc1, Enabled: true}, endpoint.Secret{}); err != nil && !errors.Is(err, endpoint.ErrExists) {
		t.Fatal(err)
	}
	if err := w.Recover(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	stopService := run(t, w.Run)
	w.stop = sync.OnceFunc(func() {
		stopService()
		stopStore()
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(w.stop)
	return w
}

// run starts f and returns what ends it and waits for that.
func run(t testing.TB, f func(context.Context) error) func() {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- f(ctx) }()
	return func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
}

func (w *world) session(epoch uint64) {
	w.wire.set(epoch)
	w.SessionChanged(endpoint.Change{Kind: endpoint.Bound, Key: pc1, Epoch: epoch, At: time.Now()})
	w.SessionChanged(endpoint.Change{Kind: endpoint.Available, Key: pc1, Epoch: epoch, At: time.Now()})
}

func (w *world) lose(epoch uint64) {
	w.wire.set(0)
	w.SessionChanged(endpoint.Change{Kind: endpoint.Ended, Key: pc1, Epoch: epoch, At: time.Now()})
}

func (w *world) submit(t testing.TB, p push.Push) push.Status {
	t.Helper()
	p.To, p.Type = pc1, "demo.ping"
	st, err := w.Submit(t.Context(), push.Request{Push: p})
	if err != nil {
		t.Fatalf("Submit() = %v", err)
	}
	return st
}

func (w *world) wantSent(t testing.TB, want push.ID) push.Push {
	t.Helper()
	select {
	case p := <-w.wire.sent:
		if p.ID != want {
			t.Errorf("sent %s, want %s", p.ID, want)
		}
		return p
	case <-time.After(20 * time.Second):
		t.Fatalf("%s was not sent", want)
	}
	return push.Push{}
}

func (w *world) confirm(t testing.TB, tell func(done func(error))) {
	t.Helper()
	c := make(chan error, 1)
	tell(func(err error) { c <- err })
	if err := <-c; err != nil {
		t.Errorf("done(%v)", err)
	}
}

func (w *world) wantHistory(t testing.TB, id push.ID, want ...push.Change) {
	t.Helper()
	st, err := w.Status(t.Context(), pc1.Domain, id)
	if err != nil {
		t.Fatal(err)
	}
	for i := range st.History {
		st.History[i].At = time.Time{}
	}
	if diff := cmp.Diff(want, st.History); diff != "" {
		t.Errorf("history of %s (-want +got):\n%s", id, diff)
	}
}

func TestOnStoreOnlineToHandled(t *testing.T) {
	w := open(t, filepath.Join(t.TempDir(), store.FileName))
	w.session(1)
	id := w.submit(t, push.Push{TTL: time.Hour, Ack: push.AckHandled, Payload: []byte(`{"n": 1}`)}).ID
	if p := w.wantSent(t, id); string(p.Payload) != `{"n":1}` {
		t.Errorf("payload = %s", p.Payload)
	}
	w.confirm(t, func(done func(error)) { w.Receipt(pc1, id, done) })
	w.confirm(t, func(done func(error)) { w.Result(pc1, id, false, []byte(`{"reason":"interrupted"}`), done) })
	w.wantHistory(t, id, push.Change{State: push.Accepted}, push.Change{State: push.Sent}, push.Change{State: push.Delivered},
		push.Change{State: push.Failed, Reason: push.ReasonInterrupted})
}

func TestOnStoreOfflineThenInOrder(t *testing.T) {
	w := open(t, filepath.Join(t.TempDir(), store.FileName))
	low := w.submit(t, push.Push{TTL: time.Hour, Priority: push.Low}).ID
	normal := w.submit(t, push.Push{TTL: time.Hour, Priority: push.Normal, Payload: []byte(`"kept"`)}).ID
	high := w.submit(t, push.Push{TTL: time.Hour, Priority: push.High}).ID
	gone := w.submit(t, push.Push{TTL: time.Hour}).ID
	if st, err := w.Cancel(t.Context(), pc1.Domain, gone); err != nil || st.State != push.Cancelled {
		t.Errorf("Cancel() = %s, %v", st.State, err)
	}
	w.session(1)
	w.wantSent(t, high)
	if p := w.wantSent(t, normal); string(p.Payload) != `"kept"` {
		t.Errorf("payload = %s", p.Payload)
	}
	w.wantSent(t, low)
	// What is on the way comes again in the next session, and only that.
	w.confirm(t, func(done func(error)) { w.Receipt(pc1, normal, done) })
	w.lose(1)
	w.session(2)
	w.wantSent(t, high)
	w.wantSent(t, low)
	w.wantHistory(t, normal, push.Change{State: push.Accepted}, push.Change{State: push.Sent}, push.Change{State: push.Delivered})
}

func TestOnStoreManyMoreThanTheWindow(t *testing.T) {
	w := open(t, filepath.Join(t.TempDir(), store.FileName))
	var ids []push.ID
	for range 100 {
		ids = append(ids, w.submit(t, push.Push{TTL: time.Hour}).ID)
	}
	w.session(1)
	for _, id := range ids {
		w.wantSent(t, id)
		w.Receipt(pc1, id, func(err error) {
			if err != nil {
				t.Errorf("done(%v)", err)
			}
		})
	}
}

func TestOnStoreConcurrentCallersKeepTheOrderOfIDs(t *testing.T) {
	w := open(t, filepath.Join(t.TempDir(), store.FileName))
	w.session(1)
	const callers, each = 16, 10
	var wg sync.WaitGroup
	for range callers {
		wg.Go(func() {
			for range each {
				w.submit(t, push.Push{TTL: time.Hour})
			}
		})
	}
	var last push.ID
	for range callers * each {
		p := <-w.wire.sent
		if p.ID <= last {
			t.Errorf("%s sent after %s", p.ID, last)
		}
		last = p.ID
		w.Receipt(pc1, p.ID, func(error) {})
	}
	wg.Wait()
}

func TestOnStoreNowOrNever(t *testing.T) {
	w := open(t, filepath.Join(t.TempDir(), store.FileName))
	if st := w.submit(t, push.Push{}); st.State != push.Expired {
		t.Errorf("Submit(TTL 0, offline) = %s", st.State)
	} else {
		w.wantHistory(t, st.ID, push.Change{State: push.Accepted}, push.Change{State: push.Expired, Reason: push.ReasonOffline})
	}
	w.session(1)
	st := w.submit(t, push.Push{Payload: []byte(`"from memory"`)})
	if p := w.wantSent(t, st.ID); string(p.Payload) != `"from memory"` {
		t.Errorf("payload = %s", p.Payload)
	}
	w.confirm(t, func(done func(error)) { w.Receipt(pc1, st.ID, done) })
}

func TestOnStoreRestart(t *testing.T) {
	path := filepath.Join(t.TempDir(), store.FileName)
	w := open(t, path)
	w.session(1)
	id := w.submit(t, push.Push{TTL: time.Hour}).ID
	w.wantSent(t, id)
	w.stop()
	w = open(t, path)
	w.session(1)
	w.wantSent(t, id)
	w.confirm(t, func(done func(error)) { w.Receipt(pc1, id, done) })
	w.wantHistory(t, id, push.Change{State: push.Accepted}, push.Change{State: push.Sent},
		push.Change{State: push.Accepted, Reason: endpoint.ReasonRestarted.Name}, push.Change{State: push.Sent}, push.Change{State: push.Delivered})
}
