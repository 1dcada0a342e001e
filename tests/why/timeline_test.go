package why

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"signalbox/internal/config"
	"signalbox/tests/harness"
)

// timeline is a page of the API.
type timeline struct {
	Items []struct {
		At                           time.Time
		Kind, Summary, Code, Address string
		Push                         string
		Count                        int
	}
	Next string
}

func (c *scene) timeline(query string) (l timeline) {
	c.t.Helper()
	_, text := c.s.Call(c.t, "GET", "/v1/endpoints/"+c.id+"/timeline"+query, "", http.StatusOK)
	if err := json.Unmarshal([]byte(text), &l); err != nil {
		c.t.Fatalf("%v: %s", err, text)
	}
	return l
}

func (l timeline) kinds() (kinds []string) {
	for _, e := range l.Items {
		kinds = append(kinds, e.Kind)
	}
	return kinds
}

// TestTimeline: what happened to an endpoint, in one row.
func TestTimeline(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, quick, func(c *config.Config) { c.Events.OfflineGrace = 0 })
	c := newScene(t, s)
	st := c.online()
	c.awaitEntries("endpoint.online", 1) // what a change follows at once is not told
	st.Send("</stream:stream>")
	c.awaitEntries("endpoint.offline", 1)
	plain("$ID", "wrong-secret")(c)
	openssl("-no-CAfile", "-no-CApath", "-no-CAstore")(c)
	c.await("cert_unknown_ca")
	push := c.submit("")
	st = c.online()
	receipt(st, push)
	s.AwaitPush(t, push, "delivered")
	c.awaitEntries("endpoint.online", 2)
	s.Call(t, "POST", "/v1/endpoints/"+c.id+"/secret", "", http.StatusOK)
	s.AwaitPresence(t, c.id, "offline")
	want := []string{
		"endpoint.offline", "endpoint.updated", "push.delivered", "push.sent", "endpoint.online", "push.accepted", "attempt.failed", "attempt.failed", "endpoint.offline", "endpoint.online",
		"endpoint.created",
	}
	var l timeline
	harness.Await(t, func() bool { l = c.timeline(""); return len(l.Items) >= len(want) }, func() string { return strings.Join(l.kinds(), " ") })
	// The session ends with the change of the secret, in either order.
	if got := strings.Join(l.kinds(), " "); got != strings.Join(want, " ") && got != strings.Join(append([]string{want[1], want[0]}, want[2:]...), " ") {
		t.Errorf("timeline = %s\nwant %s", got, strings.Join(want, " "))
	}
	for i, e := range l.Items {
		oneSentence(t, "summary", e.Summary)
		if i > 0 && e.At.After(l.Items[i-1].At) {
			t.Errorf("%s is newer than what stands before it", e.Kind)
		}
		if strings.HasPrefix(e.Kind, "push.") != (e.Push == push) {
			t.Errorf("%s is about push %q", e.Kind, e.Push)
		}
		t.Log(e.At.Format(time.RFC3339Nano), e.Kind, e.Summary)
	}
	for _, words := range []string{"The secret of " + c.id + " was changed.", "does not know its secret", "alert 48", "(secret_changed): the endpoint's secret was changed.", push + " (demo.work) was delivered."} {
		if !strings.Contains(l.text(), words) {
			t.Errorf("nothing says %q", words)
		}
	}

	var paged []string
	for next, pages := "", 0; ; pages++ {
		page := c.timeline("?limit=2&cursor=" + url.QueryEscape(next))
		paged = append(paged, page.kinds()...)
		if next = page.Next; next == "" || pages > 20 {
			break
		}
	}
	if got := strings.Join(paged, " "); got != strings.Join(l.kinds(), " ") {
		t.Errorf("page by page = %s\nwant %s", got, strings.Join(l.kinds(), " "))
	}
	if _, text := s.Call(t, "GET", "/v1/endpoints/"+c.id+"/timeline?cursor=c1bm93aGVyZQ", "", http.StatusUnprocessableEntity); !strings.Contains(text, "cursor") {
		t.Error(text)
	}
}

func (l timeline) text() string {
	var b strings.Builder
	for _, e := range l.Items {
		b.WriteString(e.Summary + "\n")
	}
	return b.String()
}

// TestDoctor: the running server examines itself.
func TestDoctor(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, quick)
	c := newScene(t, s)
	c.home()
	openssl("-no-CAfile", "-no-CApath", "-no-CAstore")(c)
	c.await("cert_unknown_ca")
	_, text := s.Call(t, "GET", "/v1/doctor", "", http.StatusOK)
	var d struct {
		OK     bool
		Checks []struct {
			Step, Check, Detail, Action string
			OK, Warning                 bool
		}
	}
	if err := json.Unmarshal([]byte(text), &d); err != nil {
		t.Fatal(err)
	}
	seen := map[string]string{}
	for _, k := range d.Checks {
		seen[k.Step+" "+k.Check] = k.Detail
		t.Log(k.Step, k.Check, k.OK, k.Warning, k.Detail, k.Action)
	}
	for check, words := range map[string]string{
		"server listeners": "tls 127.0.0.1:", "server store": "takes writes", "server clock": "20", "server files": "file descriptors", "server refusals, cert_unknown_ca": "from " + c.ip,
		"server limits": "nobody", "server endpoints": "no two", "server events": "none waits",
	} {
		if !strings.Contains(seen[check], words) {
			t.Errorf("%s says %q, want %q", check, seen[check], words)
		}
	}
}
