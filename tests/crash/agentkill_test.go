package crash

import (
	"fmt"
	"testing"
	"time"
)

// backlog is how many pushes wait for the agent, so that whenever it is killed it has something to do.
const backlog = 40

// TestAgentKilled kills the agent at random points while it handles pushes, some of them while it starts.
func TestAgentKilled(t *testing.T) {
	n := kills(t)
	site := newSite(t)
	server := launch(t, site)
	must(t, server.AwaitReady(t.Context()))
	api, err := site.Client()
	must(t, err)
	t.Cleanup(api.Close)
	endpoint := newAgent(t, site, api)
	l := &load{site: site, api: api, book: newBook(), next: func(caller, round int) (int, bool) {
		p, err := api.Presence(t.Context(), agentID)
		return round*share*callers + caller, err == nil && p.QueuedPushes < backlog
	}}
	began := time.Now()
	stop := l.start(t, nil)
	for k := range n {
		program := endpoint.start(t)
		if k%8 == 7 { // on its way up
			pause(t, program, between(0, 60*time.Millisecond))
		} else {
			must(t, endpoint.AwaitOnline(t.Context(), program))
			pause(t, program, between(5*time.Millisecond, 60*time.Millisecond))
		}
		must(t, program.Kill())
	}
	killed := time.Since(began)
	program := endpoint.start(t)
	l.drain(t, server, nil)
	if err := endpoint.AwaitIdle(t.Context(), program, api); err != nil {
		t.Error(err) // verify says which
	}
	stop()
	verify(t, l, endpoint, fmt.Sprintf("%d kills of the agent in %v", n, killed.Round(time.Second)))
	must(t, program.Kill())
	must(t, server.Stop(10*time.Second))
}
