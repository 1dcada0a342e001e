package endpoint

import (
	"fmt"
	"slices"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"pgregory.net/rapid"
)

func newSharedRegistry(t testing.TB, most int) (*Registry, *lastPresence, *told) {
	t.Helper()
	p, w := &lastPresence{all: map[Key]Presence{}}, &told{}
	r := NewRegistry(noBus{}, p, most, prometheus.NewRegistry())
	r.Watch(w)
	return r, p, w
}

// TestNewestAvailableLeads: pushes go to the session that came to take stanzas last, and to an older one when that goes.
func TestNewestAvailableLeads(t *testing.T) {
	r, p, w := newSharedRegistry(t, 3)
	a, b := &fake{r: r, k: pc1, name: "a"}, &fake{r: r, k: pc1, name: "b"}
	step := func(want string, do func()) {
		t.Helper()
		w.list = nil
		do()
		if got := fmt.Sprint(w.list); got != want {
			t.Errorf("watchers were told %s, want %s", got, want)
		}
	}
	leads := func(want *fake) {
		t.Helper()
		if s, _ := r.Session(pc1); s != Session(want) {
			t.Errorf("%s leads, want %s", s.(*fake).name, want.name)
		}
		if got := p.all[pc1].Resource; got != want.name {
			t.Errorf("stored presence is that of %q, want %s", got, want.name)
		}
	}
	step(fmt.Sprint([]string{fmt.Sprint(Bound)}), func() { a.bind() })
	step(fmt.Sprint([]string{fmt.Sprint(Available)}), func() { r.Available(pc1, a, true) })
	step("[]", func() { b.bind() })
	leads(a)
	step(fmt.Sprintf("[%dreplaced %d %d]", Ended, Bound, Available), func() { r.Available(pc1, b, true) })
	leads(b)
	step(fmt.Sprintf("[%dreplaced %d %d]", Ended, Bound, Available), func() { r.Suspend(pc1, b, 0, ReasonSilent) })
	leads(a)
	if p.state(pc1) != StateOnline {
		t.Error("one of two sessions was lost, and the endpoint counts as offline")
	}
	step(fmt.Sprintf("[%dreplaced %d %d]", Ended, Bound, Available), func() { r.Resume(pc1, b, 1) })
	leads(b)
	step(fmt.Sprintf("[%dshutdown %d %d]", Ended, Bound, Available), func() { b.End(ReasonShutdown) })
	leads(a)
	step(fmt.Sprintf("[%dshutdown]", Ended), func() { a.End(ReasonShutdown) })
	if p.state(pc1) != StateOffline || testutil.ToFloat64(r.metrics.online) != 0 {
		t.Error("the endpoint has no session and is not offline")
	}
}

// TestResources: a resource belongs to one session, and there are only so many.
func TestResources(t *testing.T) {
	r, _, _ := newSharedRegistry(t, 2)
	a, b, c := &fake{r: r, k: pc1, name: "a"}, &fake{r: r, k: pc1, name: "b"}, &fake{r: r, k: pc1, name: "c"}
	again := &fake{r: r, k: pc1, name: "a"}
	for _, s := range []*fake{a, b, again} {
		if err := s.bind(); err != nil {
			t.Fatal(err)
		}
	}
	if a.ended.Name != ReasonReplaced.Name || b.ended.Name != "" {
		t.Errorf("a ended as %q, b as %q: want a replaced by the session with its resource", a.ended.Name, b.ended.Name)
	}
	if err := c.bind(); err != ErrResources {
		t.Errorf("a third session: %v, want ErrResources", err)
	}
	if got := len(r.AppendSessions(nil, pc1)); got != 2 {
		t.Errorf("%d sessions, want 2", got)
	}
	if !r.Disconnect(pc1, ReasonDisabled) || b.ended.Name != ReasonDisabled.Name || again.ended.Name != ReasonDisabled.Name {
		t.Error("a disabled endpoint keeps a session")
	}
}

// TestLeadIsTheTruth runs random lives of several sessions per endpoint: an endpoint is online if one of them is, the leading one can take pushes if any can, and
// watchers see every epoch begin and end once.
func TestLeadIsTheTruth(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		r, p, _ := newSharedRegistry(t, 3)
		terms := &terms{t: rt}
		r.Watch(terms)
		type life struct {
			*fake
			up, available bool
		}
		var all []*life
		for range rapid.IntRange(1, 60).Draw(rt, "steps") {
			step := rapid.IntRange(0, 5).Draw(rt, "step")
			if step == 0 {
				l := &life{fake: &fake{r: r, k: pc1, name: rapid.SampledFrom([]string{"a", "b", "c", "d"}).Draw(rt, "resource")}, up: true}
				if l.bind() == nil {
					all = slices.DeleteFunc(all, func(o *life) bool { return o.ended.Name != "" })
					all = append(all, l)
				}
			} else if len(all) > 0 {
				i := rapid.IntRange(0, len(all)-1).Draw(rt, "session")
				l := all[i]
				switch step {
				case 1:
					r.Suspend(pc1, l.fake, l.round, ReasonConnectionLost)
					l.up = false
				case 2:
					l.round++
					r.Resume(pc1, l.fake, l.round)
					l.up = true
				case 3, 4:
					l.available = step == 3
					r.Available(pc1, l.fake, l.available)
				case 5:
					l.End(ReasonClosedByPeer)
					all = slices.Delete(all, i, i+1)
				}
			}
			up := slices.ContainsFunc(all, func(l *life) bool { return l.up })
			takes := slices.ContainsFunc(all, func(l *life) bool { return l.up && l.available })
			if got := p.state(pc1) == StateOnline; got != up {
				rt.Fatalf("stored as online: %v, want %v", got, up)
			}
			if got := testutil.ToFloat64(r.metrics.online) == 1; got != up {
				rt.Fatalf("counted as online: %v, want %v", got, up)
			}
			if got := terms.takes(); got != takes {
				rt.Fatalf("watchers believe that the lead takes pushes: %v, want %v", got, takes)
			}
		}
	})
}

// terms follows the lead as the push service does.
type terms struct {
	t                             *rapid.T
	epoch                         uint64
	leads, available, interrupted bool
}

func (w *terms) takes() bool { return w.leads && w.available && !w.interrupted }

func (w *terms) SessionChanged(c Change) {
	if c.Kind == Bound {
		if w.leads || c.Epoch <= w.epoch {
			w.t.Fatalf("epoch %d begins in epoch %d, which has not ended: %v", c.Epoch, w.epoch, w.leads)
		}
		*w = terms{t: w.t, epoch: c.Epoch, leads: true}
		return
	}
	if !w.leads || c.Epoch != w.epoch {
		w.t.Fatalf("change %d of epoch %d, but %d leads: %v", c.Kind, c.Epoch, w.epoch, w.leads)
	}
	switch c.Kind {
	case Available, Unavailable:
		w.available = c.Kind == Available
	case Suspended, Resumed:
		w.interrupted = c.Kind == Suspended
	case Ended:
		w.leads = false
	}
}

// TestLostSessionsGiveWay: a client that cannot resume its sessions is not shut out by them: the one that was lost first makes room.
func TestLostSessionsGiveWay(t *testing.T) {
	r, _, _ := newSharedRegistry(t, 3)
	a, b, c, d := &fake{r: r, k: pc1, name: "a"}, &fake{r: r, k: pc1, name: "b"}, &fake{r: r, k: pc1, name: "c"}, &fake{r: r, k: pc1, name: "d"}
	for _, s := range []*fake{a, b, c} {
		if err := s.bind(); err != nil {
			t.Fatal(err)
		}
	}
	r.Suspend(pc1, b, 0, ReasonSilent)
	for lost := clock(); !clock().After(lost); { // the next microsecond
	}
	r.Suspend(pc1, a, 0, ReasonSilent)
	if err := d.bind(); err != nil || b.ended.Name != ReasonReplaced.Name || a.ended.Name != "" || c.ended.Name != "" {
		t.Errorf("d is bound: %v; a ended as %q, b as %q, c as %q: want b replaced", err, a.ended.Name, b.ended.Name, c.ended.Name)
	}
}
