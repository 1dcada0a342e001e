package tests

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"signalbox/tests/harness"
)

// campaign is one as the API shows it.
type campaign struct {
	ID, State, Reason string
	Waits             string    `json:"waits_for"`
	Until             time.Time `json:"waits_until"`
	Targets, Sent     int
	Counts            map[string]int
	Passed            bool `json:"canary_passed"`
	History           []struct{ State, Reason string }
}

func readCampaign(t *testing.T, text string) (c campaign) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &c); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return c
}

// awaitCampaign waits until a campaign is as it shall be.
func awaitCampaign(t *testing.T, s *harness.Server, id, what string, reached func(campaign) bool) (c campaign) {
	t.Helper()
	var text string
	harness.Await(t, func() bool {
		_, text = s.Call(t, "GET", "/v1/campaigns/"+id, "", http.StatusOK)
		c = readCampaign(t, text)
		return reached(c)
	}, func() string { return "campaign is not " + what + ": " + text })
	return c
}

// crew registers endpoints in a group.
func crew(t *testing.T, s *harness.Server, n int) {
	t.Helper()
	for i := range n {
		s.Call(t, "POST", "/v1/endpoints", fmt.Sprintf(`{"id":"pc-%03d","groups":["crew"]}`, i), http.StatusCreated)
	}
}

// pushesOf returns how many pushes each endpoint has.
func pushesOf(t *testing.T, s *harness.Server, typ string) map[string]int {
	t.Helper()
	all, cursor := map[string]int{}, ""
	for {
		_, text := s.Call(t, "GET", "/v1/pushes?limit=500&cursor="+cursor, "", http.StatusOK)
		var page struct {
			Items []struct{ To, Type string }
			Next  string
		}
		if err := json.Unmarshal([]byte(text), &page); err != nil {
			t.Fatal(err)
		}
		for _, p := range page.Items {
			if p.Type == typ {
				all[p.To]++
			}
		}
		if cursor = page.Next; cursor == "" {
			return all
		}
	}
}

// TestCampaignSurvivesRestarts: a campaign goes on where it was, and every endpoint gets its push once.
func TestCampaignSurvivesRestarts(t *testing.T) {
	t.Parallel()
	s := harness.Start(t)
	crew(t, s, 60)
	_, text := s.Call(t, "POST", "/v1/campaigns", `{"name":"restarts","push":{"to":{"group":"crew"},"type":"demo.roll","ttl":2},"rate_per_minute":600}`, http.StatusCreated)
	made := readCampaign(t, text)
	if made.State != "running" || made.Targets != 60 {
		t.Errorf("campaign = %s", text)
	}
	for restart := range 3 {
		awaitCampaign(t, s, made.ID, "under way", func(c campaign) bool { return c.Sent >= 10*(restart+1) })
		s.Stop()
		s.Run()
	}
	over := awaitCampaign(t, s, made.ID, "over", func(c campaign) bool { return c.State == "finished" })
	if over.Sent != 60 || over.Counts["expired"] != 60 || over.Reason != "done" {
		t.Errorf("campaign = %+v", over)
	}
	counts := pushesOf(t, s, "demo.roll")
	if most := slices.Max(slices.Collect(maps.Values(counts))); len(counts) != 60 || most != 1 {
		t.Errorf("%d endpoints got a push, one of them %d times", len(counts), most)
	}
}

// TestCampaignEndsByItself: the first few fail, so the others are spared.
func TestCampaignEndsByItself(t *testing.T) {
	t.Parallel()
	s := harness.Start(t)
	crew(t, s, 40)
	_, text := s.Call(t, "POST", "/v1/campaigns", `{"name":"fails","push":{"to":{"group":"crew"},"type":"demo.fail","ttl":1},
		"canary":{"percent":10},"abort":{"failed_percent":20,"after":2}}`, http.StatusCreated)
	over := awaitCampaign(t, s, readCampaign(t, text).ID, "over", func(c campaign) bool { return c.State == "aborted" })
	if over.Sent != 4 || over.Reason != "too_many_failures" || over.Passed || over.Counts["expired"] < 2 {
		t.Errorf("campaign = %+v", over)
	}
	if n := len(pushesOf(t, s, "demo.fail")); n != 4 {
		t.Errorf("%d endpoints got a push", n)
	}
}

// TestCampaignIsSteered: it is paused, goes on, waits for the first few, and is aborted with what waits.
func TestCampaignIsSteered(t *testing.T) {
	t.Parallel()
	s := harness.Start(t)
	crew(t, s, 20)
	body := `{"name":"steered","push":{"to":{"group":"crew"},"type":"demo.steer","ttl":3600},"canary":{"percent":50},"rate_per_minute":6000}`
	_, text := s.Call(t, "POST", "/v1/campaigns", body, http.StatusCreated)
	id := readCampaign(t, text).ID
	awaitCampaign(t, s, id, "at its canary", func(c campaign) bool { return c.Sent == 10 && c.Waits == "canary" })
	s.Call(t, "POST", "/v1/campaigns/"+id+"/pause", "", http.StatusOK)
	s.Call(t, "POST", "/v1/campaigns/"+id+"/pause", "", http.StatusConflict)
	s.Call(t, "POST", "/v1/campaigns/"+id+"/resume", "", http.StatusOK)
	s.Call(t, "POST", "/v1/campaigns/"+id+"/abort", "", http.StatusOK)
	s.Call(t, "POST", "/v1/campaigns/"+id+"/resume", "", http.StatusConflict)
	over := awaitCampaign(t, s, id, "cancelled", func(c campaign) bool { return c.Counts["cancelled"] == 10 })
	var states []string
	for _, h := range over.History {
		states = append(states, h.State)
	}
	if got := strings.Join(states, " "); got != "running paused running aborted" || over.Sent != 10 {
		t.Errorf("states %s, campaign %+v", got, over)
	}
	_, list := s.Call(t, "GET", "/v1/campaigns?state=aborted", "", http.StatusOK)
	if !strings.Contains(list, id) {
		t.Errorf("list = %s", list)
	}
	s.Call(t, "GET", "/v1/campaigns/cmp_0000000000000", "", http.StatusNotFound)
	s.Call(t, "GET", "/v1/campaigns/psh_0000000000000", "", http.StatusNotFound)
}

// TestCampaignWindow: one whose window opens in hours waits for it, while one whose window is open comes to its end.
func TestCampaignWindow(t *testing.T) {
	t.Parallel()
	s := harness.Start(t)
	crew(t, s, 2)
	now := time.Now().UTC()
	between := func(name string, from, until time.Time) string {
		_, text := s.Call(t, "POST", "/v1/campaigns", fmt.Sprintf(`{"name":%q,"push":{"to":{"group":"crew"},"type":"demo.%s","ttl":1},"window":{"from":%q,"until":%q}}`,
			name, name, from.Format("15:04"), until.Format("15:04")), http.StatusCreated)
		return readCampaign(t, text).ID
	}
	opens := now.Add(2 * time.Hour)
	shut := between("shut", opens, now.Add(4*time.Hour))
	open := between("open", now.Add(-2*time.Hour), opens)
	awaitCampaign(t, s, open, "over", func(c campaign) bool { return c.State == "finished" && c.Sent == 2 })
	c := awaitCampaign(t, s, shut, "at its window", func(c campaign) bool { return c.State == "running" && c.Waits == "window" })
	if c.Sent != 0 || !c.Until.Equal(opens.Truncate(time.Minute)) {
		t.Errorf("campaign = %+v, want it to wait until %v", c, opens.Truncate(time.Minute))
	}
	if n := len(pushesOf(t, s, "demo.shut")); n != 0 {
		t.Errorf("%d endpoints got a push outside the window", n)
	}
}

// TestCampaignRequests: what is wrong with a request, and what waits for its time.
func TestCampaignRequests(t *testing.T) {
	t.Parallel()
	s := harness.Start(t)
	crew(t, s, 2)
	for body, pointer := range map[string]string{
		`{"name":"","push":{"to":{"group":"crew"},"type":"a.b"}}`:                                                               "/name",
		`{"name":"x","push":{"to":{"group":"crew"},"type":"a b"}}`:                                                              "/push/type",
		`{"name":"x","push":{"to":{"group":"crew"},"type":"a.b","not_before":"2099-01-01T00:00:00Z"}}`:                          "/push/not_before",
		`{"name":"x","push":{"to":{"group":"crew"},"type":"a.b","late_joiners":true}}`:                                          "/push/late_joiners",
		`{"name":"x","push":{"to":["pc-000","pc-000"],"type":"a.b"}}`:                                                           "/push/to/1",
		`{"name":"x","push":{"to":{"group":"crew"},"type":"a.b"},"window":{"from":"29:00","until":"05:00"}}`:                    "/window/from",
		`{"name":"x","push":{"to":{"group":"crew"},"type":"a.b"},"window":{"from":"01:00","until":"05:00","zone":"Mars/Base"}}`: "/window/zone",
		`{"name":"x","push":{"to":{"group":"crew"},"type":"a.b"},"canary":{"percent":101}}`:                                     "/canary/percent",
	} {
		if _, text := s.Call(t, "POST", "/v1/campaigns", body, http.StatusUnprocessableEntity); !strings.Contains(text, `"`+pointer+`"`) {
			t.Errorf("%s\n  %s, want %s", body, text, pointer)
		}
	}
	s.Call(t, "POST", "/v1/campaigns", `{"name":"x","push":{"to":{"group":"nobody"},"type":"a.b"}}`, http.StatusNotFound)
	start := time.Now().Add(time.Hour).UTC().Format(time.RFC3339)
	_, text := s.Call(t, "POST", "/v1/campaigns", `{"name":"later","push":{"to":["pc-000","nobody"],"type":"a.b"},"start":"`+start+`"}`, http.StatusCreated)
	if c := readCampaign(t, text); c.Waits != "start" || c.Sent != 0 || c.Targets != 2 {
		t.Errorf("campaign = %s", text)
	}
}
