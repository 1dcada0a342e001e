package crash

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"

	"signalbox/tests/crash/rig"
)

// cutsVariable says how many connections TestConnectionsCut cuts.
const cutsVariable = "CRASH_CUTS"

const (
	defaultCuts = 10000
	shortCuts   = 300
	stopsPerRun = 5 // of the server, in order
)

func cutsWanted(t *testing.T) int {
	t.Helper()
	text := os.Getenv(cutsVariable)
	switch {
	case text == "" && testing.Short():
		return shortCuts
	case text == "":
		return defaultCuts
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < stopsPerRun {
		t.Fatalf("%s=%q is not a number of cuts", cutsVariable, text)
	}
	return n
}

// TestConnectionsCut cuts every connection of the endpoints at a random byte, by a reset, an end, silence or deafness, in the middle of handshakes, logins, pushes and
// receipts; endpoints resume their sessions. At times the server is stopped in order and started again.
func TestConnectionsCut(t *testing.T) {
	n := cutsWanted(t)
	site := newSite(t)
	server := launch(t, site)
	must(t, server.AwaitReady(t.Context()))
	api, err := site.Client()
	must(t, err)
	t.Cleanup(api.Close)
	cutting, end := context.WithCancel(t.Context())
	cutter, err := rig.NewCutter(cutting, site.TLS)
	must(t, err)
	t.Cleanup(func() {
		end()
		cutter.Wait()
	})
	behind := site.Through(cutter.Addr())
	endpoint := newAgent(t, behind, api)
	l := &load{site: behind, api: api, book: newBook(), resume: true, next: func(caller, round int) (int, bool) {
		n := round*callers + caller
		if endpointOf(n) != agentID {
			return n, true
		}
		if p, err := api.Presence(t.Context(), agentID); err != nil || p.QueuedPushes >= backlog {
			return leftOut, true // the agent does not hurry back, the others do
		}
		return n, true
	}}
	began := time.Now()
	stop := l.start(t, played[:])
	program := endpoint.start(t)
	for stops := 1; ; {
		pause(t, server.Process, 10*again)
		made, _ := cutter.Cuts()
		if made >= n {
			break
		}
		if made >= stops*n/(stopsPerRun+1) {
			stops++
			must(t, server.Stop(rig.Patience))
			server = launch(t, site)
			must(t, server.AwaitReady(t.Context()))
		}
	}
	took := time.Since(began)
	cutter.Calm()
	must(t, program.Kill())
	program = endpoint.start(t)
	l.drain(t, server, played[:])
	if err := endpoint.AwaitIdle(t.Context(), program, api); err != nil {
		t.Error(err) // verify says which
	}
	stop()
	must(t, program.Stop(rig.Patience))
	all, by := cutter.Cuts()
	verify(t, l, endpoint, fmt.Sprintf("%d connections cut in %v (%d reset, %d ended, %d silent, %d deaf), %d sessions resumed",
		all, took.Round(time.Second), by[0], by[1], by[2], by[3], l.resumed.Load()))
	if l.resumed.Load() == 0 {
		t.Error("no session was resumed")
	}
	must(t, server.Stop(rig.Patience))
}
