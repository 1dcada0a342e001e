package webhook

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"signalbox/internal/events"
)

func TestSteps(t *testing.T) {
	plan := steps{5 * time.Second, 5 * time.Minute}
	for n, want := range map[int]time.Duration{1: 5 * time.Second, 2: 5 * time.Minute} {
		for range 100 {
			got, more := plan.pause(n)
			if !more || got < want-want/10 || got > want+want/10 {
				t.Fatalf("pause(%d) = %v, %v, want %v give or take a tenth", n, got, more, want)
			}
		}
	}
	if _, more := plan.pause(3); more {
		t.Error("there is a pause behind the last")
	}
}

func TestDoubling(t *testing.T) {
	plan := doubling(time.Minute)
	for n, want := range map[int]time.Duration{1: time.Second, 2: 2 * time.Second, 6: 32 * time.Second, 7: time.Minute, 1000: time.Minute} {
		got, more := plan.pause(n)
		if !more || got < want-want/10 || got > want+want/10 {
			t.Errorf("pause(%d) = %v, %v, want %v give or take a tenth", n, got, more, want)
		}
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 1, 2, 15, 4, 5, 0, time.UTC)
	for text, want := range map[string]time.Duration{
		"": 0, "120": 2 * time.Minute, " 1 ": time.Second, "-1": 0, "soon": 0, "99999999": maxRetryAfter, "99999999999999999999": 0,
		"Fri, 02 Jan 2026 15:05:05 GMT": time.Minute, "Fri, 02 Jan 2026 15:00:00 GMT": 0, "Fri, 02 Jan 2036 15:00:00 GMT": maxRetryAfter,
	} {
		if got := retryAfter(http.Header{"Retry-After": {text}}, now); got != want {
			t.Errorf("retryAfter(%q) = %v, want %v", text, got, want)
		}
	}
}

func TestTypes(t *testing.T) {
	for _, tc := range []struct {
		patterns []string
		t        events.Type
		want     bool
	}{
		{nil, events.PushDelivered, true},
		{nil, events.PushAccepted, false},
		{nil, events.EndpointResumed, false},
		{[]string{"*"}, events.PushAccepted, true},
		{[]string{"*"}, events.EndpointResumed, false},
		{[]string{"push.*"}, events.PushSent, true},
		{[]string{"push.*"}, events.EndpointOnline, false},
		{[]string{"endpoint.online", "push.failed"}, events.PushFailed, true},
		{[]string{"endpoint.online"}, events.EndpointOffline, false},
		{[]string{"presence.snapshot"}, Snapshot, true},
	} {
		if got := wants(tc.patterns, tc.t); got != tc.want {
			t.Errorf("wants(%q, %s) = %v, want %v", tc.patterns, tc.t, got, tc.want)
		}
	}
	for _, bad := range [][]string{{""}, {"push"}, {"push.done"}, {"*.failed"}, {"endpoint.resumed"}, {"webhook.test"}, make([]string, MaxTypes+1)} {
		if CheckTypes(bad) == nil {
			t.Errorf("CheckTypes(%q) finds no mistake", bad)
		}
	}
	if err := CheckTypes([]string{"*", "push.*", "webhook.disabled", "presence.*"}); err != nil {
		t.Errorf("CheckTypes() = %v", err)
	}
}

func TestCoalesce(t *testing.T) {
	now := time.Now()
	seq := int64(0)
	at := func(age time.Duration, typ events.Type, endpoint, push string) events.Event {
		seq++
		return events.Event{Seq: seq, At: now.Add(-age), Type: typ, Endpoint: endpoint, Push: push}
	}
	const old, young = time.Hour, time.Second
	list := []events.Event{
		at(old, events.EndpointOnline, "a", ""),     // 1: replaced by 5
		at(old, events.PushDelivered, "a", "psh_1"), // 2: replaced by 6
		at(old, events.EndpointUpdated, "a", ""),    // 3: stays
		at(old, events.EndpointOnline, "b", ""),     // 4: stays, it is the newest of b
		at(old, events.EndpointOffline, "a", ""),    // 5: replaced by 9
		at(old, events.PushHandled, "a", "psh_1"),   // 6
		at(old, events.PushDelivered, "a", "psh_2"), // 7
		at(old, events.EndpointUpdated, "a", ""),    // 8: stays
		at(young, events.EndpointOnline, "a", ""),   // 9: stays: it is young
		at(young, events.EndpointOffline, "a", ""),  // 10
	}
	var got []int64
	for _, e := range coalesce(list, now) {
		got = append(got, e.Seq)
	}
	if diff := cmp.Diff([]int64{3, 4, 6, 7, 8, 9, 10}, got); diff != "" {
		t.Errorf("kept (-want +got):\n%s", diff)
	}
	fresh := []events.Event{at(young, events.EndpointOnline, "a", ""), at(young, events.EndpointOffline, "a", "")}
	if got := coalesce(fresh, now); len(got) != 2 {
		t.Errorf("%d of 2 young events are left", len(got))
	}
}

func TestMessage(t *testing.T) {
	m, err := messageOf(events.Event{
		Seq: 7, At: time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC), Type: events.PushHandled, Domain: "d", Endpoint: "pc-1", Push: "psh_1",
		Data: json.RawMessage(`{"id":"psh_1","result":{"n":12345678901234567890,"text":"<&>"}}`),
	})
	if err != nil {
		t.Fatal(err)
	}
	want := `{"type":"push.handled","timestamp":"2026-01-02T03:04:05.000006Z","data":{"endpoint":"pc-1","id":"psh_1","result":{"n":12345678901234567890,"text":"<&>"},"seq":7}}`
	if string(m.body) != want || m.id != "evt_0000000000007" {
		t.Errorf("message %s\n%s\nwant\n%s", m.id, m.body, want)
	}
	if _, err := messageOf(events.Event{Data: json.RawMessage(`[]`)}); err == nil {
		t.Error("data that is no object makes a message")
	}
}

func TestFaultOfStatus(t *testing.T) {
	for status, want := range map[int]string{
		200: "", 204: "", 299: "", 301: Redirected, 304: Redirected, 400: Refused, 401: Refused, 404: Refused, 410: Gone, 429: Overloaded, 500: ServerFailed,
		501: ServerFailed, 502: Overloaded, 503: Overloaded, 504: Overloaded, 101: NoAnswer, 600: NoAnswer,
	} {
		f := faultOfStatus(status)
		if f.Code != want || (want != "") != strings.HasSuffix(f.Detail, ".") || (want != "") != strings.HasSuffix(f.Action, ".") {
			t.Errorf("faultOfStatus(%d) = %+v, want %q with sentences", status, f, want)
		}
	}
}

func TestConfig(t *testing.T) {
	if err := Default().Validate(); err != nil {
		t.Errorf("Default: %v", err)
	}
	for _, tc := range []struct {
		key  string
		edit func(*Config)
	}{
		{"host", func(c *Config) { c.Host = "https://itsm.example.com" }},
		{"host", func(c *Config) { c.Host = "itsm.example.com:0" }},
		{"host", func(c *Config) { c.Host = "itsm.example.com/x" }},
		{"host", func(c *Config) { c.Host = "a@itsm.example.com" }},
		{"host", func(c *Config) { c.Host = "itsm example" }},
		{"address", func(c *Config) { c.Host, c.Address = "itsm.example.com", "itsm" }},
		{"address", func(c *Config) { c.Address = "192.0.2.1" }},
		{"path", func(c *Config) { c.Path = "events" }},
		{"path", func(c *Config) { c.Path = "/a?b" }},
		{"types", func(c *Config) { c.Types = []string{"nothing"} }},
		{"webhook_allow[1]", func(c *Config) { c.WebhookAllow = []string{"10.0.0.0/8", "10.0.0.1"} }},
		{"retries", func(c *Config) { c.Retries = nil }},
		{"retries[0]", func(c *Config) { c.Retries = []string{"soon"} }},
		{"timeout", func(c *Config) { c.Timeout = 0 }},
		{"management_retry", func(c *Config) { c.ManagementRetry = 2 * time.Hour }},
		{"parallel", func(c *Config) { c.Parallel = 0 }},
	} {
		c := Default()
		tc.edit(&c)
		if err := c.Validate(); err == nil || !strings.HasPrefix(err.Error(), tc.key+": ") {
			t.Errorf("%s: Validate() = %v", tc.key, err)
		}
	}
	for host, want := range map[string]string{
		"itsm.example.com": "itsm.example.com:443", "itsm.example.com:8443": "itsm.example.com:8443", "192.0.2.1": "192.0.2.1:443", "2001:db8::1": "[2001:db8::1]:443",
		"[2001:db8::1]:8443": "[2001:db8::1]:8443",
	} {
		c := Default()
		c.Host = host
		if err := c.Validate(); err != nil || c.ManagementAddr() != want {
			t.Errorf("host %s: %v, connects to %s, want %s", host, err, c.ManagementAddr(), want)
		}
	}
}

func TestTrouble(t *testing.T) {
	now := time.Now()
	in := Info{Webhook: Webhook{ID: "whk_1", URL: "https://a.example:8443/x", Enabled: true}, Pending: 5}
	if tr, ok := in.Trouble(now); ok {
		t.Errorf("trouble of one that is well: %+v", tr)
	}
	in.Oldest = now.Add(-time.Hour)
	if tr, ok := in.Trouble(now); !ok || tr.Code != Backlog || !strings.Contains(tr.Sentence(), "Up to 5 events wait for a.example:8443") {
		t.Errorf("trouble of a slow one: %+v", tr)
	}
	in.Failures, in.Since, in.Next, in.Fault = 3, now.Add(-time.Hour), now.Add(time.Minute), faultOfStatus(500)
	if tr, ok := in.Trouble(now); !ok || tr.Code != ServerFailed || !strings.Contains(tr.Sentence(), "the next attempt is at "+in.Next.UTC().Format(time.RFC3339)) {
		t.Errorf("trouble of a failing one: %q", tr.Sentence())
	}
	in.Enabled, in.Disabled = false, "Nothing was taken."
	if tr, ok := in.Trouble(now); !ok || !strings.Contains(tr.Sentence(), "nothing is sent until it is enabled again") {
		t.Errorf("trouble of a disabled one: %q", tr.Sentence())
	}
}

func TestNewID(t *testing.T) {
	seen := map[string]bool{}
	last := ""
	for i := range 100 {
		id := newID("whk_", time.UnixMilli(int64(i)))
		if seen[id] || id <= last || len(id) != 30 || strings.Contains(id, ".") {
			t.Fatalf("id %q after %q", id, last)
		}
		seen[id], last = true, id
	}
}
