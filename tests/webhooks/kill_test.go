package webhooks

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"signalbox/certs"
	"signalbox/internal/client"
	"signalbox/tests/crash/rig"
	"signalbox/tests/harness"
)

// distinct returns the events without those that came again.
func distinct(all []event) []event {
	seen := map[string]bool{}
	return slices.DeleteFunc(all, func(e event) bool {
		again := seen[e.ID]
		seen[e.ID] = true
		return again
	})
}

// TestServerKilled kills the server while events are on their way to a receiver that fails now and then: each change that the API confirmed arrives, those of one
// endpoint in their order.
func TestServerKilled(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the programs")
	}
	const kills, perRound = 5, 12
	dir := t.TempDir()
	programs, err := rig.Build(dir)
	must(t, err)
	site, err := rig.NewSite(programs, dir, filepath.Join(dir, "data"))
	must(t, err)
	must(t, site.MakeToken())
	a := newAuthority(t, certs.CAOptions{})
	must(t, os.WriteFile(filepath.Join(dir, ".env"), fmt.Appendf(nil,
		"SIGNALBOX_EVENTS_CA_FILE=%s\nSIGNALBOX_EVENTS_WEBHOOK_ALLOW=127.0.0.0/8\nSIGNALBOX_EVENTS_RETRIES=%s\n", a.file, "20ms,50ms,100ms,200ms,500ms,1s,1s,1s,1s"), 0o600))
	r := listen(t, a, "")
	var n atomic.Int64
	r.answers(func(http.ResponseWriter, *http.Request, event) int {
		if n.Add(1)%13 == 0 {
			return http.StatusInternalServerError
		}
		return http.StatusOK
	})
	var server *rig.Server
	launch := func() {
		t.Helper()
		server, err = site.Launch()
		must(t, err)
		must(t, server.AwaitReady(t.Context()))
	}
	launch()
	t.Cleanup(func() { server.End() })
	c, err := site.Client()
	must(t, err)
	t.Cleanup(c.Close)
	register(t, c, r, "endpoint.created", "endpoint.updated")
	made := map[string]int{}
	for k := range kills {
		for i := range perRound {
			id := fmt.Sprintf("pc-%d-%d", k, i)
			_, err := c.CreateEndpoint(t.Context(), client.NewEndpoint{ID: id, Secret: "s3cret"})
			must(t, err)
			_, err = c.ChangeEndpoint(t.Context(), id, client.EndpointChange{Labels: &map[string]string{"k": "v"}})
			must(t, err)
			made[id] = 2
		}
		must(t, server.Kill())
		launch()
	}
	harness.Await(t, func() bool { return len(distinct(r.events())) == 2*len(made) }, func() string {
		return fmt.Sprintf("%d of %d events came", len(distinct(r.events())), 2*len(made))
	})
	all := distinct(r.events())
	last := map[string]int64{}
	for _, e := range all {
		if e.Data.Seq < last[e.Data.Endpoint] {
			t.Errorf("%s: event %d came after %d", e.Data.Endpoint, e.Data.Seq, last[e.Data.Endpoint])
		}
		last[e.Data.Endpoint] = e.Data.Seq
		made[e.Data.Endpoint]--
	}
	for id, missing := range made {
		if missing > 0 {
			t.Errorf("%d events of %s never came", missing, id)
		}
	}
	r.check(t)
	t.Logf("%d kills: %d events, %d of them came twice", kills, len(all), len(r.events())-len(all))
	must(t, server.Stop(10*time.Second))
}
