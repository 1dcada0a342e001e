package crash

import (
	"fmt"
	"testing"
	"time"

	"signalbox/internal/client"
	"signalbox/internal/push"
	"signalbox/tests/crash/rig"
)

// TestServerKilled kills the server at random points under load, some of them while it starts, and at times the agent too.
func TestServerKilled(t *testing.T) {
	n := kills(t)
	site := newSite(t)
	server := launch(t, site)
	must(t, server.AwaitReady(t.Context()))
	api, err := site.Client()
	must(t, err)
	t.Cleanup(api.Close)
	endpoint := newAgent(t, site, api)
	l := &load{site: site, api: api, book: newBook(), next: func(caller, round int) (int, bool) { return round*callers + caller, true }}
	began := time.Now()
	stop := l.start(t, played[:])
	program := endpoint.start(t)
	for k := range n {
		switch {
		case k%8 == 7: // on its way up
			pause(t, server.Process, between(0, 150*time.Millisecond))
		case k%10 == 9: // long enough for an agent, which does not hurry back
			must(t, server.AwaitReady(t.Context()))
			must(t, program.Kill())
			program = endpoint.start(t)
			pause(t, server.Process, between(100*time.Millisecond, 800*time.Millisecond))
		default:
			must(t, server.AwaitReady(t.Context()))
			pause(t, server.Process, between(5*time.Millisecond, 60*time.Millisecond))
		}
		must(t, server.Kill())
		server = launch(t, site)
	}
	must(t, server.AwaitReady(t.Context()))
	killed := time.Since(began)
	must(t, program.Kill())
	program = endpoint.start(t)
	l.drain(t, server, played[:])
	if err := endpoint.AwaitIdle(t.Context(), program, api); err != nil {
		t.Error(err) // verify says which
	}
	stop()
	must(t, program.Stop(rig.Patience))
	verify(t, l, endpoint, fmt.Sprintf("%d kills of the server in %v", n, killed.Round(time.Second)))
	must(t, server.Stop(rig.Patience))
}

// verify holds what the server and the handler say at the end against the book.
func verify(t *testing.T, l *load, a *agent, what string) {
	t.Helper()
	all, err := rig.AllPushes(t.Context(), l.api)
	must(t, err)
	effects, err := a.Effects()
	must(t, err)
	var agents rig.Tally
	faults := l.book.verify(all, func(o rig.Order, p client.Push) error {
		if o.To == agentID {
			o.End = push.State(p.State)
			n := effects[p.ID]
			delete(effects, p.ID)
			return agents.Check(p, n)
		}
		if p.State != string(o.End) {
			return fmt.Errorf("push %s to %s is %s, its endpoint said %s: %v", p.ID, p.To, p.State, o.End, p.History)
		}
		return nil
	})
	t.Logf("%s: %d pushes answered 202, of those %d again after a lost answer; %d came twice to played endpoints; the agent handled %d, %d were interrupted (%d with effect)",
		what, len(l.book.accepted), l.book.replayed, l.book.twice, agents.Handled, agents.Interrupted, agents.InterruptedWithEffect)
	if len(effects) > 0 {
		t.Errorf("the handler ran for pushes that nobody posted: %v", effects)
	}
	if len(faults) > 0 {
		t.Errorf("%d faults:%s", len(faults), lines(faults))
	}
	if logged := l.site.Errors(); len(logged) > 0 {
		t.Errorf("the server logged errors:%s", lines(logged))
	}
	if len(l.book.accepted) == 0 || agents.Handled == 0 {
		t.Error("there was no load")
	}
}
