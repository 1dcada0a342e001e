package push

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap/zaptest"

	"signalbox/internal/endpoint"
)

var pc1 = endpoint.Key{Domain: "example.test", ID: "pc-1"}

// wire is a Sender whose sessions are scripted: a test opens them, takes what was sent, and says when it was written.
type wire struct {
	mu       sync.Mutex
	sessions map[endpoint.Key]*session
	sync     bool // written is called inside Send
	err      error
}

type session struct {
	epoch    uint64
	open     bool
	ended    bool
	capacity int // of its queue; 0: no bound
	queue    []sent
	log      []sent // everything ever sent
}

type sent struct {
	push    Push
	delayed bool
	written func(time.Time)
	at      time.Time
}

func (w *wire) Send(k endpoint.Key, epoch uint64, p Push, delayed bool, written func(time.Time)) error {
	w.mu.Lock()
	s, err := w.sessions[k], w.err
	switch {
	case err != nil:
		w.mu.Unlock()
		return err
	case s == nil || s.epoch != epoch || !s.open:
		w.mu.Unlock()
		return endpoint.ErrOffline
	case s.capacity > 0 && len(s.queue) >= s.capacity:
		w.mu.Unlock()
		return endpoint.ErrFull
	}
	m := sent{p, delayed, written, time.Now()}
	s.log = append(s.log, m)
	if w.sync {
		w.mu.Unlock()
		written(time.Now())
		return nil
	}
	s.queue = append(s.queue, m)
	w.mu.Unlock()
	return nil
}

// rig is a service over a memory store and a scripted wire.
type rig struct {
	t     testing.TB
	svc   *Service
	store *memory
	wire  *wire
	reg   *prometheus.Registry
	stop  func()

	carried map[ID]bool // by sessions of the last run; not nil: the store is that of another rig
}

// newRig starts a service. Inside a synctest bubble everything ends with the test.
func newRig(t testing.TB, change func(*Config)) *rig {
	t.Helper()
	r := idleRig(t)
	r.start(change, r.wire)
	return r
}

func idleRig(t testing.TB) *rig {
	return &rig{t: t, store: newMemory(), wire: &wire{sessions: map[endpoint.Key]*session{}}, reg: prometheus.NewRegistry()}
}

// start runs the service with this sender until the test ends.
func (r *rig) start(change func(*Config), sender Sender) {
	t := r.t
	t.Helper()
	cfg := Default()
	if change != nil {
		change(&cfg)
	}
	var err error
	if r.svc, err = New(cfg, r.store, sender, zaptest.NewLogger(t), r.reg); err != nil {
		t.Fatal(err)
	}
	r.svc.standing = func() uint64 { return 0 } // how busy the machine is must not move the clock
	if err := r.svc.Recover(t.Context(), r.carried); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- r.svc.Run(ctx) }()
	r.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run() = %v", err)
		}
		if r.carried == nil {
			r.store.close()
		}
	})
	t.Cleanup(r.stop)
}

// bind opens a session that takes pushes.
func (r *rig) bind(k endpoint.Key, epoch uint64) {
	r.wire.mu.Lock()
	r.wire.sessions[k] = &session{epoch: epoch, open: true}
	r.wire.mu.Unlock()
	r.tell(endpoint.Bound, k, epoch)
	r.tell(endpoint.Available, k, epoch)
	synctest.Wait()
}

// end ends the endpoint's session.
func (r *rig) end(k endpoint.Key) {
	r.wire.mu.Lock()
	s := r.wire.sessions[k]
	s.open, s.ended = false, true
	r.wire.mu.Unlock()
	r.tell(endpoint.Ended, k, s.epoch)
}

func (r *rig) setOpen(k endpoint.Key, open bool) {
	r.wire.mu.Lock()
	s := r.wire.sessions[k]
	s.open = open
	r.wire.mu.Unlock()
	kind := endpoint.Suspended
	if open {
		kind = endpoint.Resumed
	}
	r.tell(kind, k, s.epoch)
}

func (r *rig) tell(kind endpoint.ChangeKind, k endpoint.Key, epoch uint64) {
	r.svc.SessionChanged(endpoint.Change{Kind: kind, Key: k, Epoch: epoch, At: time.Now()})
}

// submit posts a push with defaults filled in and returns its id.
func (r *rig) submit(p Push) Status {
	r.t.Helper()
	st, err := r.svc.Submit(r.t.Context(), Request{Push: fill(p)})
	if err != nil {
		r.t.Fatalf("Submit() = %v", err)
	}
	return st
}

// fill gives a push the address, type and TTL of most tests. A negative TTL stands for 0.
func fill(p Push) Push {
	if p.To == (endpoint.Key{}) {
		p.To = pc1
	}
	if p.Type == "" {
		p.Type = "demo.ping"
	}
	if p.TTL == 0 {
		p.TTL = time.Hour
	}
	return p
}

// now posts a push with TTL 0.
func (r *rig) now(p Push) (Status, error) {
	p = fill(p)
	p.TTL = 0
	return r.svc.Submit(r.t.Context(), Request{Push: p})
}

// taken returns the ids in the session's queue after everything has settled, oldest first.
func (r *rig) taken(k endpoint.Key) []ID {
	synctest.Wait()
	r.wire.mu.Lock()
	defer r.wire.mu.Unlock()
	var ids []ID
	for _, m := range r.wire.sessions[k].queue {
		ids = append(ids, m.push.ID)
	}
	return ids
}

// write writes everything in the session's queue to the connection and returns it.
func (r *rig) write(k endpoint.Key) []sent {
	synctest.Wait()
	r.wire.mu.Lock()
	s := r.wire.sessions[k]
	ms := s.queue
	s.queue = nil
	r.wire.mu.Unlock()
	for _, m := range ms {
		m.written(time.Now())
	}
	synctest.Wait()
	return ms
}

// settle lets the committer and the workers finish what is queued.
func (r *rig) settle() {
	time.Sleep(100 * time.Millisecond)
	synctest.Wait()
}

// receipt reports a receipt and waits until it is confirmed.
func (r *rig) receipt(k endpoint.Key, id ID) {
	r.t.Helper()
	c := make(chan error, 1)
	r.svc.Receipt(k, id, func(err error) { c <- err })
	if err := <-c; err != nil {
		r.t.Errorf("Receipt(%s) done = %v", id, err)
	}
}

func (r *rig) result(k endpoint.Key, id ID, ok bool, text string) {
	r.t.Helper()
	c := make(chan error, 1)
	var result []byte
	if text != "" {
		result = []byte(text)
	}
	r.svc.Result(k, id, ok, result, func(err error) { c <- err })
	if err := <-c; err != nil {
		r.t.Errorf("Result(%s) done = %v", id, err)
	}
}

func (r *rig) status(id ID) Status {
	r.t.Helper()
	st, err := r.svc.Status(r.t.Context(), pc1.Domain, id)
	if err != nil {
		r.t.Fatalf("Status(%s) = %v", id, err)
	}
	return st
}

// wantHistory compares the states and reasons of a push with lines such as "expired ttl".
func (r *rig) wantHistory(id ID, want ...string) {
	r.t.Helper()
	var got []string
	for _, c := range r.status(id).History {
		text := string(c.State)
		if c.Reason != "" {
			text += " " + c.Reason
		}
		got = append(got, text)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		r.t.Errorf("history of %s (-want +got):\n%s", id, diff)
	}
}

func (r *rig) wantTaken(k endpoint.Key, want ...ID) {
	r.t.Helper()
	if diff := cmp.Diff(want, r.taken(k), cmpopts.EquateEmpty()); diff != "" {
		r.t.Errorf("queue of %s (-want +got):\n%s", k, diff)
	}
}

func (r *rig) wantMetric(name string, want float64, labels ...string) {
	r.t.Helper()
	families, err := r.reg.Gather()
	if err != nil {
		r.t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		for _, m := range f.GetMetric() {
			if len(labels) > 0 && m.GetLabel()[0].GetValue() != labels[0] {
				continue
			}
			if got := m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount()); got != want {
				r.t.Errorf("%s%v = %v, want %v", name, labels, got, want)
			}
			return
		}
	}
	r.t.Errorf("no metric %s%v", name, labels)
}
