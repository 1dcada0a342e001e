package endpoint

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"pgregory.net/rapid"
)

// noBus is a node without others.
type noBus struct{}

func (noBus) Announce(Key, uint64)    {}
func (noBus) Withdraw(Key, uint64)    {}
func (noBus) Route(Key, Stanza) error { return ErrOffline }

// lastPresence keeps the last presence of each endpoint, as a store does.
type lastPresence struct {
	mu  sync.Mutex
	all map[Key]Presence

	troubles []Trouble
}

func (l *lastPresence) SavePresence(k Key, p Presence) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all[k] = p
}

func (l *lastPresence) EndPresences(context.Context, Reason, time.Time, time.Time) error { return nil }
func (l *lastPresence) TellPresences(context.Context, time.Time) error                   { return nil }

func (l *lastPresence) SaveTrouble(_ Key, t Trouble) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.troubles = append(l.troubles, t)
}

func (l *lastPresence) state(k Key) State {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all[k].State
}

// fake is a session that ends as the registry is told to hear of it.
type fake struct {
	r     *Registry
	k     Key
	name  string // resource
	mu    sync.Mutex
	round uint32
	ended Reason
	got   []string
}

func (f *fake) Deliver(s Stanza) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.got = append(f.got, string(s.Raw))
	return nil
}

func (f *fake) End(r Reason) {
	f.mu.Lock()
	first := f.ended.Name == ""
	f.ended = r
	f.mu.Unlock()
	if first {
		f.r.Unbind(f.k, f, r)
	}
}

func (f *fake) Facts() Facts         { return Facts{Resource: f.name} }
func (f *fake) LastHeard() time.Time { return time.Unix(1, 0) }

// bind is what a session does that may be ended while it is bound.
func (f *fake) bind() error {
	if err := f.r.Bind(f.k, f); err != nil {
		return err
	}
	f.mu.Lock()
	ended := f.ended
	f.mu.Unlock()
	if ended.Name != "" {
		f.r.Unbind(f.k, f, ended)
	}
	return nil
}

// lead returns the epoch of the session that leads.
func lead(r *Registry, k Key) uint64 {
	sh := r.shard(k)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	return sh.entries[k][0].epoch
}

type told struct {
	mu   sync.Mutex
	list []string
}

func (w *told) SessionChanged(c Change) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.list = append(w.list, fmt.Sprint(c.Kind, c.Reason.Name))
}

func newTestRegistry(t testing.TB) (*Registry, *lastPresence, *told) {
	t.Helper()
	p, w := &lastPresence{all: map[Key]Presence{}}, &told{}
	r := NewRegistry(noBus{}, p, 1, prometheus.NewRegistry())
	r.Watch(w)
	return r, p, w
}

var pc1 = Key{"d.test", "pc-1"}

// TestTakeover: the older session ends as replaced, and the endpoint never turns offline by it.
func TestTakeover(t *testing.T) {
	r, p, w := newTestRegistry(t)
	old, young := &fake{r: r, k: pc1}, &fake{r: r, k: pc1}
	old.bind()
	before := lead(r, pc1)
	young.bind()
	if old.ended.Name != "replaced" || young.ended.Name != "" {
		t.Errorf("old ended as %q, young as %q", old.ended, young.ended)
	}
	if after := lead(r, pc1); after <= before {
		t.Errorf("epochs %d, %d: want them to grow", before, after)
	}
	if got := p.state(pc1); got != StateOnline {
		t.Errorf("stored presence = %s, want online", got)
	}
	if err := r.Route(pc1, Stanza{Raw: []byte("x")}); err != nil || len(young.got) != 1 {
		t.Errorf("route: %v, young got %v", err, young.got)
	}
	if err := r.RouteEpoch(pc1, before, Stanza{}); err != ErrOffline {
		t.Errorf("route to the old epoch: %v, want ErrOffline", err)
	}
	if got, want := fmt.Sprint(w.list), fmt.Sprintf("[%d %dreplaced %d]", Bound, Ended, Bound); got != want {
		t.Errorf("watchers were told %s, want %s", got, want)
	}
	if got := testutil.ToFloat64(r.metrics.online); got != 1 {
		t.Errorf("%v online, want 1", got)
	}
}

func TestSuspendedIsOffline(t *testing.T) {
	r, p, _ := newTestRegistry(t)
	s := &fake{r: r, k: pc1}
	s.bind()
	r.Suspend(pc1, s, 0, ReasonSilent)
	r.Suspend(pc1, s, 0, ReasonConnectionLost) // only once
	if live, ok := r.Live(pc1); !ok || live.State != StateOffline || live.Reason != "silent" {
		t.Errorf("live presence = %+v, %v", live, ok)
	}
	if p.state(pc1) != StateOffline || testutil.ToFloat64(r.metrics.online) != 0 {
		t.Error("a suspended session counts as online")
	}
	if err := r.Route(pc1, Stanza{}); err != ErrOffline {
		t.Errorf("route: %v, want ErrOffline", err)
	}
	if !r.Resume(pc1, s, 1) || p.state(pc1) != StateOnline || testutil.ToFloat64(r.metrics.online) != 1 {
		t.Error("a resumed session is not online")
	}
	if r.Resume(pc1, &fake{r: r, k: pc1}, 1) {
		t.Error("a session was resumed that is not the endpoint's")
	}
	r.Suspend(pc1, s, 0, ReasonConnectionLost)
	if p.state(pc1) != StateOnline {
		t.Error("late word of the loss of an older connection suspends a resumed session")
	}
	if !r.Disconnect(pc1, ReasonDisconnected) || p.state(pc1) != StateOffline {
		t.Error("a disconnected session is not offline")
	}
	if r.Disconnect(pc1, ReasonDisconnected) {
		t.Error("disconnected twice")
	}
}

// TestLossBeforeResume: a connection that is lost while its resumption is still on the way to the registry makes nobody online.
func TestLossBeforeResume(t *testing.T) {
	for _, tc := range []struct {
		name      string
		suspended bool // when it is resumed; else its older connection is still open
	}{{"of a session without a connection", true}, {"of a session with an open one", false}} {
		t.Run(tc.name, func(t *testing.T) {
			r, p, _ := newTestRegistry(t)
			s := &fake{r: r, k: pc1}
			s.bind()
			if tc.suspended {
				r.Suspend(pc1, s, 0, ReasonSilent)
			}
			r.Suspend(pc1, s, 1, ReasonConnectionLost)
			if !r.Resume(pc1, s, 1) {
				t.Error("the session is none of the endpoint's any more")
			}
			if live, _ := r.Live(pc1); live.State != StateOffline || p.state(pc1) != StateOffline || testutil.ToFloat64(r.metrics.online) != 0 {
				t.Errorf("a session without a connection is %s, stored as %s", live.State, p.state(pc1))
			}
			r.Suspend(pc1, s, 0, ReasonConnectionLost) // an older connection's
			if !r.Resume(pc1, s, 2) || p.state(pc1) != StateOnline {
				t.Errorf("resumed once more it is %s", p.state(pc1))
			}
		})
	}
}

// TestResumedElsewhere: where a session takes a new connection while its older one is open, what is stored says from where.
func TestResumedElsewhere(t *testing.T) {
	r, p, w := newTestRegistry(t)
	s := newMachine(r, "a")
	s.login(t)
	s.last = time.Unix(2, 0)
	if !r.Resume(pc1, s, 1) || !p.all[pc1].LastHeard.Equal(s.last) {
		t.Errorf("stored presence = %+v", p.all[pc1])
	}
	if got, want := fmt.Sprint(w.list), fmt.Sprintf("[%d]", Bound); got != want {
		t.Errorf("watchers were told %s, want %s", got, want)
	}
}

// TestOnlineIsTheTruth runs random lives of sessions: the gauge, the live presence and the stored presence always agree with what happened.
func TestOnlineIsTheTruth(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		r, p, _ := newTestRegistry(t)
		keys := []Key{pc1, {"d.test", "pc-2"}}
		live := map[Key]*fake{}
		up := map[Key]bool{}
		for range rapid.IntRange(1, 40).Draw(rt, "steps") {
			k := rapid.SampledFrom(keys).Draw(rt, "key")
			switch rapid.IntRange(0, 3).Draw(rt, "step") {
			case 0:
				live[k] = &fake{r: r, k: k}
				live[k].bind()
				up[k] = true
			case 1:
				if s := live[k]; s != nil {
					r.Suspend(k, s, s.round, ReasonConnectionLost)
					up[k] = false
				}
			case 2:
				if s := live[k]; s != nil {
					s.round++
					r.Resume(k, s, s.round)
					up[k] = true
				}
			case 3:
				if s := live[k]; s != nil {
					s.End(ReasonClosedByPeer)
					delete(live, k)
					up[k] = false
				}
			}
			online := 0.0
			for k, is := range up {
				want := StateOffline
				if is {
					want = StateOnline
					online++
				}
				if got := p.state(k); got != want {
					rt.Fatalf("stored presence of %s = %s, want %s", k, got, want)
				}
				if now, ok := r.Live(k); ok && now.State != want {
					rt.Fatalf("live presence of %s = %s, want %s", k, now.State, want)
				}
			}
			if got := testutil.ToFloat64(r.metrics.online); got != online {
				rt.Fatalf("%v online, want %v", got, online)
			}
		}
	})
}

// TestManyBindAtOnce: whatever the order, one session is left, and every other one was told to go.
func TestManyBindAtOnce(t *testing.T) {
	r, p, _ := newTestRegistry(t)
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			(&fake{r: r, k: pc1}).bind()
		})
	}
	wg.Wait()
	if got := testutil.ToFloat64(r.metrics.online); got != 1 {
		t.Errorf("%v online, want 1", got)
	}
	s, _ := r.Session(pc1)
	s.End(ReasonShutdown)
	if got := p.state(pc1); got != StateOffline {
		t.Errorf("stored presence = %s, want offline", got)
	}
	if got := testutil.ToFloat64(r.metrics.online); got != 0 {
		t.Errorf("%v online at the end, want 0", got)
	}
}

func TestAllSessions(t *testing.T) {
	p := &lastPresence{all: map[Key]Presence{}}
	r := NewRegistry(noBus{}, p, 3, prometheus.NewRegistry())
	want := map[string]string{"a/1": "false true false", "a/2": "true true false", "b/1": "true false true"}
	for _, id := range []string{"a/1", "b/1", "a/2"} {
		f := &fake{r: r, k: Key{Domain: "d", ID: id[:1]}, name: id[2:]}
		if err := f.bind(); err != nil {
			t.Fatal(err)
		}
		if id[:1] == "b" {
			r.Suspend(f.k, f, 0, ReasonConnectionLost)
		} else {
			r.Available(f.k, f, true)
		}
	}
	got := map[string]string{}
	for s := range r.All() {
		got[s.ID+"/"+s.Session.Facts().Resource] = fmt.Sprint(s.Leads, s.Available, s.Suspended)
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("All() = %v, want %v", got, want)
	}
	for range r.All() {
		break // and no lock stays held
	}
	if !r.Disconnect(Key{Domain: "d", ID: "a"}, ReasonDisconnected) {
		t.Error("no session of a")
	}
}
