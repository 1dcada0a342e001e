package endpoint

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
)

// machine is a session that answers questions, or does not.
type machine struct {
	fake
	dead  bool
	pings int
	heard func(bool)
	last  time.Time
}

func (m *machine) Facts() Facts { return Facts{Resource: m.name, Client: m.name} }

func (m *machine) Ping(heard func(bool)) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.pings++
	m.heard = heard
	if !m.dead {
		go heard(true) // ends at once
	}
	return true
}

// say answers the last question.
func (m *machine) say(alive bool) {
	m.mu.Lock()
	heard := m.heard
	m.mu.Unlock()
	heard(alive)
}

func (m *machine) LastHeard() time.Time { return m.last }

// login binds as a client does that may be refused, and returns why it was.
func (m *machine) login(t *testing.T) Reason {
	t.Helper()
	why := m.r.Admit(t.Context(), m.k, Newcomer{Client: m.name, Resource: m.name})
	if why.Name == "" {
		if err := m.r.Bind(m.k, m); err != nil {
			t.Fatal(err)
		}
	}
	return why
}

func newMachine(r *Registry, name string) *machine {
	return &machine{fake: fake{r: r, k: pc1, name: name}}
}

// End shadows that of fake, whose receiver the registry does not know.
func (m *machine) End(why Reason) {
	m.mu.Lock()
	first := m.ended.Name == ""
	m.ended = why
	m.mu.Unlock()
	if first {
		m.r.Unbind(m.k, m, why)
	}
}

func TestFlapping(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, p, _ := newTestRegistry(t)
		for i := range 6 {
			if got := r.Unrest(pc1); got.Flapping || got.Sessions != i {
				t.Errorf("before session %d: %+v", i+1, got)
			}
			m := newMachine(r, "a")
			if why := m.login(t); why.Name != "" {
				t.Fatalf("refused as %s", why)
			}
			if tell := p.all[pc1].Tell; (i == 5) != tell.After(time.Now()) {
				t.Errorf("session %d is told of at %v", i+1, tell)
			}
			time.Sleep(time.Second)
			m.End(ReasonConnectionLost)
			want := p.all[pc1].Since.Add(r.cfg.OfflineGrace)
			if got := p.all[pc1].Tell; !got.Equal(want) {
				t.Errorf("the end of session %d is told at %v, want %v", i+1, got, want)
			}
		}
		if got := r.Unrest(pc1); !got.Flapping || got.Sessions != 6 || len(p.troubles) != 1 || p.troubles[0].Rival != nil || p.troubles[0].Sessions != 6 {
			t.Errorf("after six sessions: %+v, %+v", got, p.troubles)
		}
		if got := testutil.ToFloat64(r.metrics.flapping); got != 1 {
			t.Errorf("%v endpoints flap, want 1", got)
		}

		begun := time.Now()
		m := newMachine(r, "a")
		m.login(t)
		if took := time.Since(begun); took < slowLogin || took > slowestLogin {
			t.Errorf("a login took %v, want %v to %v", took, slowLogin, slowestLogin)
		}
		if len(p.troubles) != 1 {
			t.Errorf("told %d times that it flaps, want once", len(p.troubles))
		}
		time.Sleep(r.cfg.FlappingCalm)
		if got := r.Unrest(pc1); got.Flapping || got.Sessions != 0 {
			t.Errorf("after the calm: %+v", got)
		}
		begun = time.Now()
		newMachine(r, "a").login(t)
		if took := time.Since(begun); took != 0 {
			t.Errorf("a login after the calm took %v", took)
		}
	})
}

// TestHabitsAreForgotten: nothing is remembered of endpoints whose sessions stay, nor longer than it matters.
func TestHabitsAreForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _, _ := newTestRegistry(t)
		habits := func() (n int) {
			for i := range r.shards {
				r.shards[i].mu.Lock()
				n += len(r.shards[i].habits)
				r.shards[i].mu.Unlock()
			}
			return n
		}
		m := newMachine(r, "a")
		m.login(t)
		if got := habits(); got != 0 {
			t.Errorf("%d habits of a session that stays", got)
		}
		newMachine(r, "b").login(t)
		if got := habits(); got != 1 {
			t.Errorf("%d habits after a takeover, want 1", got)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- r.Run(ctx, nil) }()
		time.Sleep(contestWindow + habitsSweep)
		if got := habits(); got != 0 {
			t.Errorf("%d habits at the end of the window", got)
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

// TestClones: of two machines that throw each other out the one that is there stays.
func TestClones(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, p, _ := newTestRegistry(t)
		old := newMachine(r, "old")
		young := newMachine(r, "young")
		old.login(t)
		if why := young.login(t); why.Name != "" || old.ended.Name != ReasonReplaced.Name {
			t.Fatalf("the machine that replaces another: %q, the other ended as %q", why, old.ended)
		}
		if old.pings != 0 {
			t.Error("the first takeover waited for an answer")
		}
		for range 3 {
			time.Sleep(time.Minute)
			if why := newMachine(r, "old").login(t); why.Name != ReasonCloned.Name || young.ended.Name != "" {
				t.Fatalf("the machine that comes back: %q, the other ended as %q", why, young.ended)
			}
		}
		got := r.Unrest(pc1)
		if got.Rival == nil || got.Rival.Resource != "old" || len(p.troubles) != 1 || p.troubles[0].Rival == nil || p.troubles[0].Presence.Resource != "young" {
			t.Errorf("unrest %+v, told %+v", got, p.troubles)
		}
		if got := testutil.ToFloat64(r.metrics.cloned); got != 1 {
			t.Errorf("%v endpoints are cloned, want 1", got)
		}

		// The one that is there does not answer any more: nobody is locked out.
		young.dead = true
		again := newMachine(r, "old")
		if why := again.login(t); why.Name != "" || young.ended.Name != ReasonReplaced.Name {
			t.Errorf("over a dead session: %q, it ended as %q", why, young.ended)
		}
		// A session that lost its connection is no hindrance at all.
		r.Suspend(pc1, again, 0, ReasonConnectionLost)
		if why := newMachine(r, "young").login(t); why.Name != "" || again.pings != 0 {
			t.Errorf("over a suspended session: %q, it was asked %d times", why, again.pings)
		}
		time.Sleep(contestWindow)
		if got := r.Unrest(pc1); got.Rival != nil {
			t.Errorf("twenty minutes later: %+v", got)
		}
	})
}

// TestPatientClone: a machine that is refused and tries again as seldom as an agent does is known again each time, and told of once.
func TestPatientClone(t *testing.T) {
	const slowest = 16 * time.Minute // between two tries of an agent that is refused
	synctest.Test(t, func(t *testing.T) {
		r, p, _ := newTestRegistry(t)
		newMachine(r, "old").login(t)
		young := newMachine(r, "young")
		young.login(t)
		for i := range 4 {
			if why := newMachine(r, "old").login(t); why.Name != ReasonCloned.Name || young.ended.Name != "" {
				t.Fatalf("try %d: %q, the one that is there ended as %q", i+1, why, young.ended)
			}
			time.Sleep(slowest)
			r.forgetHabits()
		}
		if len(p.troubles) != 1 {
			t.Errorf("told of %d times, want once", len(p.troubles))
		}
	})
}

// TestDisabledIsToldAtOnce: one that is disabled while it flaps does not come back.
func TestDisabledIsToldAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, p, _ := newTestRegistry(t)
		var last *machine
		for range r.cfg.FlappingSessions + 2 {
			if last != nil {
				last.End(ReasonConnectionLost)
			}
			last = newMachine(r, "a")
			last.login(t)
		}
		last.End(ReasonDisabled)
		if got := p.all[pc1]; !r.Unrest(pc1).Flapping || got.State != StateOffline || !got.Tell.IsZero() {
			t.Errorf("presence %+v of an endpoint with %+v", got, r.Unrest(pc1))
		}
	})
}

// TestManyTakeovers: clones that nothing tells apart, such as two behind one address, are found by their number.
func TestManyTakeovers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _, _ := newTestRegistry(t)
		var refused int
		for range manyTakeovers + 2 {
			if newMachine(r, "same").login(t).Name == ReasonCloned.Name {
				refused++
			}
			time.Sleep(time.Minute)
		}
		if refused != 1 {
			t.Errorf("%d logins were refused, want the one after %d takeovers", refused, manyTakeovers)
		}
		if all := r.Restless(); len(all) != 1 || all[0] != pc1 {
			t.Errorf("restless are %v", all)
		}
		if !r.Disconnect(pc1, ReasonDisconnected) || r.Unrest(pc1).Rival != nil || len(r.Restless()) != 0 {
			t.Error("an operator ended the session, and the endpoint still counts as cloned")
		}
	})
}

// TestAdmitEndsWithItsLogin: a login that is held up goes when its stream does.
func TestAdmitEndsWithItsLogin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _, _ := newTestRegistry(t)
		for range r.cfg.FlappingSessions + 1 {
			m := newMachine(r, "a")
			m.login(t)
			m.End(ReasonConnectionLost)
		}
		ctx, cancel := context.WithTimeout(t.Context(), slowLogin/2)
		defer cancel()
		begun := time.Now()
		if why := r.Admit(ctx, pc1, Newcomer{Client: "a"}); why.Name != "" || time.Since(begun) != slowLogin/2 {
			t.Errorf("Admit = %q after %v", why, time.Since(begun))
		}
	})
}
