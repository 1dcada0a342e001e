package crash

import (
	"fmt"
	"testing"
	"time"

	"signalbox/internal/client"
	"signalbox/tests/crash/rig"
)

// TestCampaignKilled kills the server at random points of a campaign: it goes on where it was, and every endpoint gets its push exactly once.
func TestCampaignKilled(t *testing.T) {
	const targets = 300
	site := newSite(t)
	server := launch(t, site)
	must(t, server.AwaitReady(t.Context()))
	api, err := site.Client()
	must(t, err)
	t.Cleanup(api.Close)
	ids := make([]string, targets)
	for i := range ids {
		ids[i] = fmt.Sprintf("pc-%03d", i)
		_, err := api.CreateEndpoint(t.Context(), client.NewEndpoint{ID: ids[i]})
		must(t, err)
	}
	made, err := api.CreateCampaign(t.Context(), client.NewCampaign{
		Name: "killed", Push: client.CampaignPush{To: ids, Push: client.NewPush{Type: "demo.roll"}}, Rate: 6000, Canary: &client.CampaignCanary{Percent: 5, Wait: new(int)},
	})
	must(t, err)
	killed := 0
	for sent := 0; sent < targets; {
		pause(t, server.Process, between(20*time.Millisecond, 400*time.Millisecond))
		must(t, server.Kill())
		killed++
		server = launch(t, site)
		must(t, server.AwaitReady(t.Context()))
		c, err := api.Campaign(t.Context(), made.ID)
		must(t, err)
		if c.Sent < sent {
			t.Errorf("%d were sent, and before the crash %d", c.Sent, sent)
		}
		sent = c.Sent
	}
	all, err := rig.AllPushes(t.Context(), api)
	must(t, err)
	got := map[string]int{}
	for _, p := range all {
		got[p.To]++
	}
	for _, id := range ids {
		if got[id] != 1 {
			t.Errorf("%s got %d pushes", id, got[id])
		}
	}
	t.Logf("%d kills during a campaign for %d endpoints", killed, targets)
	must(t, server.Stop(rig.Patience))
}
