package crash

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"signalbox/tests/crash/rig"
)

// stops is how often TestServerStopped stops the server.
const stops = 6

// TestServerStopped stops the server in order (SIGTERM) under load and starts it again: endpoints resume their sessions each time, so no push comes twice, none is sent
// twice and none is lost; the agent's pushes take effect once.
func TestServerStopped(t *testing.T) {
	site := newSite(t)
	server := launch(t, site)
	must(t, server.AwaitReady(t.Context()))
	api, err := site.Client()
	must(t, err)
	t.Cleanup(api.Close)
	endpoint := newAgent(t, site, api)
	l := &load{site: site, api: api, book: newBook(), resume: true, next: func(caller, round int) (int, bool) { return round*callers + caller, true }}
	began := time.Now()
	stop := l.start(t, played[:])
	program := endpoint.start(t)
	for range stops {
		for _, id := range played { // each has a session to resume
			must(t, rig.Await(t.Context(), server.Process, id+" to be online", func() (bool, error) {
				p, err := api.Presence(t.Context(), id)
				return p.State == "online", err
			}))
		}
		pause(t, server.Process, between(300*time.Millisecond, 900*time.Millisecond))
		must(t, server.Stop(rig.Patience))
		server = launch(t, site)
		must(t, server.AwaitReady(t.Context()))
	}
	took := time.Since(began)
	l.drain(t, server, played[:])
	if err := endpoint.AwaitIdle(t.Context(), program, api); err != nil {
		t.Error(err) // verify says which
	}
	stop()
	must(t, program.Stop(rig.Patience))
	verify(t, l, endpoint, fmt.Sprintf("%d stops in %v, %d sessions resumed", stops, took.Round(time.Second), l.resumed.Load()))
	if l.book.twice > 0 {
		t.Errorf("%d pushes came twice", l.book.twice)
	}
	if n := l.resumed.Load(); n < stops*int64(len(played)) {
		t.Errorf("%d sessions were resumed, want %d for each of %d stops", n, len(played), stops)
	}
	all, err := rig.AllPushes(t.Context(), api)
	must(t, err)
	for _, p := range all {
		if slices.Contains(l.book.again, p.ID) {
			t.Logf("push %s for %s came again: %v", p.ID, p.To, p.History)
		}
		sent := 0
		for _, h := range p.History {
			if h.State == "sent" {
				sent++
			}
		}
		if p.To != agentID && sent > 1 {
			t.Errorf("push %s was sent %d times: %v", p.ID, sent, p.History)
		}
	}
	must(t, server.Stop(rig.Patience))
}
