package why

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"signalbox/internal/config"
	"signalbox/internal/push"
	"signalbox/tests/harness"
)

// explained is the answer of the API.
type explained struct {
	ID, To, State, Code, Summary, Action string
	Done                                 bool
	Ahead                                int
	WaitingUntil                         time.Time `json:"waiting_until"`
	Endpoint                             *struct{ Code, Summary, Action string }
	History                              []struct {
		State, Reason string
		At            time.Time
		Seconds       float64
	}
	Targets int
	Counts  map[string]int
	Groups  []struct {
		State, Code, Example, Summary, Action string
		Count                                 int
	}
}

// explain waits for a code.
func (c *scene) explain(push, code string) explained {
	c.t.Helper()
	var e explained
	harness.Await(c.t, func() bool {
		e = explained{}
		_, text := c.s.Call(c.t, "GET", "/v1/pushes/"+push+"/explain", "", http.StatusOK)
		if err := json.Unmarshal([]byte(text), &e); err != nil {
			c.t.Fatalf("%v: %s", err, text)
		}
		return e.Code == code
	}, func() string { return fmt.Sprintf("code is %s, want %s\n%+v", e.Code, code, e) })
	oneSentence(c.t, "summary", e.Summary)
	oneSentence(c.t, "action", e.Action)
	return e
}

// submit posts a push for the scene's endpoint.
func (c *scene) submit(rest string) string {
	c.t.Helper()
	return c.s.Submit(c.t, `{"to":"`+c.id+`","type":"demo.work"`+rest+`}`)
}

// message posts a message as the API of a Tigase takes it, and returns the id of the push that it is.
func (c *scene) message() string {
	c.t.Helper()
	body := "<message to='" + c.id + "@" + harness.Domain + "' type='chat'><body>hello</body></message>"
	req, err := http.NewRequestWithContext(c.t.Context(), http.MethodPost, c.s.URL()+"/rest/stream?api-key="+c.s.Token, strings.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/xml")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		c.t.Fatal(err)
	}
	defer res.Body.Close()
	id, ok := strings.CutPrefix(res.Header.Get("Location"), "/v1/pushes/")
	if !ok {
		c.t.Fatalf("the message is answered by %s: no push", res.Status)
	}
	return id
}

// receipt acknowledges the next push.
func receipt(st *harness.Stream, id string) {
	st.Want(id)
	st.Send("<message xmlns='jabber:client' to='" + harness.Domain + "'><received xmlns='urn:xmpp:receipts' id='" + id + "'/></message>")
}

// result says what came of a push.
func result(st *harness.Stream, id, status, data string) {
	st.Send("<message xmlns='jabber:client' to='" + harness.Domain + "'><result xmlns='urn:signalbox:push:1' id='" + id + "' status='" + status + "'><json xmlns='urn:xmpp:json:0'>" + data +
		"</json></result></message>")
}

// pushRow is one state of a push for one reason.
type pushRow struct {
	name    string
	code    string
	inject  func(*scene) (id string)
	summary []string // $ID, $IP and $PUSH stand for the scene's
	action  []string
}

// TestPushes: every state that a push can be in, and why.
func TestPushes(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, quick, func(c *config.Config) { c.Push.Window, c.API.TigaseCompat = 2, true })
	for _, r := range []pushRow{
		{"endpoint is offline", "waits_for_endpoint", func(c *scene) string { c.home(); return c.submit(`,"ttl":600`) },
			[]string{"$PUSH waits until", "$ID, which is offline: $ID ended its session by itself"}, []string{"Start the machine"}},
		{"endpoint never came", "waits_for_first_login", func(c *scene) string { return c.submit("") }, []string{"$PUSH waits until", "never been online"}, []string{"signalbox-agent doctor"}},
		{"no presence", "waits_for_presence", func(c *scene) string {
			c.stream().Login(c.id, secret, "agent")
			return c.submit("")
		}, []string{"$ID is connected and sent no presence"}, []string{"<presence/>"}},
		{"the window is full", "window_full", func(c *scene) string {
			st := c.online()
			for range 2 {
				st.Want(c.submit(""))
			}
			return c.submit("")
		}, []string{"2 pushes are on the way to $ID"}, []string{"disconnect $ID"}},
		{"no receipt", "sent_no_receipt", func(c *scene) string {
			st := c.online()
			id := c.submit(`,"ttl":600`)
			st.Want(id)
			return id
		}, []string{"$PUSH was sent to $ID at", "no receipt", "until"}, []string{"still answers"}},
		{"sent again", "sent_no_receipt", func(c *scene) string {
			id := c.submit("")
			for range 2 {
				st := c.online()
				st.Want(id)
				c.s.AwaitPush(c.t, id, "sent")
				st.Close()
				c.s.AwaitPresence(c.t, c.id, "offline")
			}
			c.online().Want(id)
			return id
		}, []string{"for the 3rd time"}, nil},
		{"lost its session", "waits_for_endpoint", func(c *scene) string {
			st := c.online()
			id := c.submit("")
			st.Want(id)
			c.s.AwaitPush(c.t, id, "sent")
			st.Close()
			return id
		}, []string{"waits again, since its session was lost at", "$ID lost its connection"}, nil},
		{"no result yet", "delivered_no_result", func(c *scene) string {
			st := c.online()
			id := c.submit(`,"ack":"handled"`)
			receipt(st, id)
			return id
		}, []string{"$ID has $PUSH since", "has not said what came of it"}, []string{"log of the agent"}},
		{"nobody asked", "push_sent", func(c *scene) string { c.online(); return c.submit(`,"ack":"none"`) }, []string{"nobody asked for a receipt"}, []string{"Nothing"}},
		{"delivered", "push_delivered", func(c *scene) string {
			st := c.online()
			id := c.submit("")
			receipt(st, id)
			return id
		}, []string{"$PUSH is delivered: $ID"}, []string{"Nothing"}},
		{"handled", "push_handled", func(c *scene) string {
			st := c.online()
			id := c.submit(`,"ack":"handled"`)
			receipt(st, id)
			result(st, id, "ok", "{}")
			return id
		}, []string{"$ID handled it"}, []string{"Nothing"}},
		{"failed", "failed_by_handler", func(c *scene) string {
			st := c.online()
			id := c.submit(`,"ack":"handled"`)
			result(st, id, "failed", `{"reason":"exit_status","exit_code":3}`)
			return id
		}, []string{"$ID could not do what $PUSH asks", `"exit_code":3`}, []string{"result"}},
		{"interrupted", "failed_interrupted", func(c *scene) string {
			st := c.online()
			id := c.submit(`,"ack":"handled"`)
			result(st, id, "failed", `{"reason":"interrupted"}`)
			return id
		}, []string{"restarted while it handled $PUSH", "not known"}, []string{"Find out on $ID"}},
		{"no result in time", "failed_no_result", func(c *scene) string {
			st := c.online()
			id := c.submit(`,"ack":"handled","ttl":5`) // time enough for the receipt
			receipt(st, id)
			return id
		}, []string{"did not say what came of it"}, []string{"longer ttl"}},
		{"expired while offline", "expired_waiting", func(c *scene) string { return c.submit(`,"ttl":1`) }, []string{"$PUSH expired", "$ID had no session that takes pushes"}, []string{"timeline"}},
		{"expired without a receipt", "expired_no_receipt", func(c *scene) string {
			st := c.online()
			id := c.submit(`,"ttl":5`)
			st.Want(id)
			return id
		}, []string{"$PUSH expired", "was sent to $ID at", "not known"}, []string{"Find out on $ID"}},
		{"now or never", "expired_now_or_never", func(c *scene) string { return c.submit(`,"ttl":0`) }, []string{"ttl 0", "$ID had no session"}, []string{"ttl above 0"}},
		{"its time has not come", "not_before", func(c *scene) string {
			c.online()
			return c.submit(`,"not_before":"` + time.Now().Add(time.Hour).UTC().Format(time.RFC3339) + `"`)
		}, []string{"$PUSH waits for its time", "before which it is not sent"}, []string{"Nothing"}},
		{"replaced", "push_replaced", func(c *scene) string {
			id := c.submit(`,"collapse_key":"inventory"`)
			newer := c.submit(`,"collapse_key":"inventory"`)
			says(c.t, "summary", c.explain(id, "push_replaced").Summary, "by "+newer+", a newer push for "+c.id)
			return id
		}, []string{"$PUSH was replaced", "before it was sent", "the same collapse key inventory"}, []string{"signalbox push explain psh_"}},
		{"result too large", "handled_without_result", func(c *scene) string {
			st := c.online()
			id := c.submit(`,"ack":"handled"`)
			st.Want(id)
			result(st, id, "ok", `"`+strings.Repeat("x", push.MaxResultBytes)+`"`)
			return id
		}, []string{"$ID handled it", "too large and is not kept"}, []string{"handler on $ID"}},
		{"a message waits", "waits_for_first_login", func(c *scene) string { return c.message() }, []string{"$PUSH, a message of XMPP, waits until"}, nil},
		{"a message was sent", "push_sent", func(c *scene) string { c.online(); return c.message() }, []string{"$PUSH, a message of XMPP, was written", "nobody asked"}, nil},
		{"cancelled", "push_cancelled", func(c *scene) string {
			id := c.submit("")
			c.s.Call(c.t, "DELETE", "/v1/pushes/"+id, "", http.StatusOK)
			return id
		}, []string{"cancelled by the management server"}, nil},
	} {
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			c := newScene(t, s)
			r.play(c)
		})
	}
}

func (r pushRow) play(c *scene) {
	c.t.Helper()
	id := r.inject(c)
	e := c.explain(id, r.code)
	own := strings.NewReplacer("$ID", c.id, "$IP", c.ip, "$PUSH", id)
	for _, w := range r.summary {
		says(c.t, "summary", e.Summary, own.Replace(w))
	}
	for _, w := range r.action {
		says(c.t, "action", e.Action, own.Replace(w))
	}
	if e.To != c.id || len(e.History) == 0 || e.History[len(e.History)-1].State != e.State || e.Done != e.WaitingUntil.IsZero() {
		c.t.Errorf("explanation = %+v", e)
	}
	c.t.Logf("%s\n\t%s\n\t%s", e.Code, e.Summary, e.Action)
}

// TestPushThroughRestart: what was on its way when the server was restarted.
func TestPushThroughRestart(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, quick)
	c := newScene(t, s)
	st := c.online()
	id := c.submit("")
	st.Want(id)
	s.AwaitPush(t, id, "sent")
	s.Stop()
	s.Run()
	e := c.explain(id, "waits_for_endpoint")
	if e.Endpoint == nil || e.Endpoint.Code != "server_stopped" {
		t.Errorf("endpoint = %+v", e.Endpoint)
	}
	last := e.History[len(e.History)-1]
	if last.State != "accepted" || last.Reason == "" || e.History[1].Seconds <= 0 {
		t.Errorf("history = %+v", e.History)
	}
	t.Log(e.Summary)
}

// TestSessionFull: an endpoint that reads nothing, until its connection holds no more.
func TestSessionFull(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, quick, func(c *config.Config) {
		c.XMPP.QueueBytes, c.XMPP.MaxStanzaBytes, c.Push.Window, c.Push.QueueBytes = 256<<10, 128<<10, 128, 16<<20
	})
	c := newScene(t, s)
	c.deaf = true
	c.online()
	id := ""
	for range 110 {
		id = c.submit(`,"payload":"` + strings.Repeat("x", 60_000) + `"`)
	}
	e := c.explain(id, "session_full")
	says(t, "summary", e.Summary, id+" waits", c.id+" does not take in")
	says(t, "action", e.Action, "agent on "+c.id)
	if e.Ahead == 0 {
		t.Error("nothing is ahead of it")
	}
}

// TestFanouts: a push to many is explained by its targets.
func TestFanouts(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, quick)
	online, offline, never, disabled := newScene(t, s), newScene(t, s), newScene(t, s), newScene(t, s)
	st := online.online()
	offline.home()
	s.Call(t, "PATCH", "/v1/endpoints/"+disabled.id, `{"enabled":false}`, http.StatusOK)
	id := s.Submit(t, `{"to":["`+strings.Join([]string{online.id, offline.id, never.id, disabled.id, "ghost"}, `","`)+`"],"type":"demo.work","ttl":600}`)
	st.Want("demo.work")
	harness.Await(t, func() bool {
		_, text := s.Call(t, "GET", "/v1/pushes/"+id, "", http.StatusOK)
		return strings.Contains(text, `"sent":1`)
	}, func() string { return "no target is sent" })
	e := online.explain(id, "fanout_waits")
	says(t, "summary", e.Summary, id, "5 endpoints", "waits for 3 endpoints")
	got := map[string]string{}
	for _, g := range e.Groups {
		got[g.Code] = g.Example
		oneSentence(t, "summary", g.Summary)
		oneSentence(t, "action", g.Action)
	}
	want := map[string]string{
		"sent_no_receipt": online.id, "closed_by_endpoint": offline.id, "never_seen": never.id, "rejected_endpoint_disabled": disabled.id, "rejected_unknown_endpoint": "ghost",
	}
	for code, example := range want {
		if got[code] != example {
			t.Errorf("groups = %v, want %v", got, want)
			break
		}
	}
	s.Call(t, "DELETE", "/v1/pushes/"+id, "", http.StatusOK)
	_, text := s.Call(t, "GET", "/v1/pushes/"+id+"/deliveries?state=sent", "", http.StatusOK)
	var page struct{ Items []struct{ ID string } }
	if err := json.Unmarshal([]byte(text), &page); err != nil || len(page.Items) != 1 {
		t.Fatalf("%v: %s", err, text)
	}
	st.Send("<message xmlns='jabber:client' to='" + harness.Domain + "'><received xmlns='urn:xmpp:receipts' id='" + page.Items[0].ID + "'/></message>")
	says(t, "summary", online.explain(id, "fanout_failed").Summary, "done for 1 endpoint of 5 endpoints and not for 4 endpoints")

	all := s.Submit(t, `{"to":["`+online.id+`"],"type":"demo.other","ack":"none"}`)
	online.explain(all, "fanout_done")
}

// TestFullQueues: what becomes of pushes beyond what may wait, by both policies.
func TestFullQueues(t *testing.T) {
	t.Parallel()
	t.Run("reject", func(t *testing.T) {
		t.Parallel()
		c := newScene(t, harness.Start(t, quick, func(c *config.Config) { c.Push.QueueCount = 1 }))
		c.submit("")
		id := c.s.Submit(t, `{"to":["`+c.id+`"],"type":"demo.work"}`)
		e := c.explain(id, "fanout_failed")
		if len(e.Groups) != 1 || e.Groups[0].Code != "rejected_queue_full" {
			t.Fatalf("groups = %+v", e.Groups)
		}
		says(t, "summary", e.Groups[0].Summary, "as much waits for "+c.id)
	})
	t.Run("drop_oldest", func(t *testing.T) {
		t.Parallel()
		c := newScene(t, harness.Start(t, quick, func(c *config.Config) { c.Push.QueueCount, c.Push.QueuePolicy = 1, push.DropOldest }))
		first := c.submit("")
		c.submit("")
		e := c.explain(first, "rejected_dropped_oldest")
		says(t, "summary", e.Summary, first+" was dropped", "waited for "+c.id)
		says(t, "action", e.Action, "signalbox endpoint diagnose "+c.id, "signalbox.resync")
		_, text := c.s.Call(t, "GET", "/v1/pushes?endpoint="+c.id, "", http.StatusOK)
		var page struct{ Items []struct{ ID, Type string } }
		if err := json.Unmarshal([]byte(text), &page); err != nil {
			t.Fatal(err)
		}
		i := slices.IndexFunc(page.Items, func(p struct{ ID, Type string }) bool { return p.Type == push.ResyncType })
		if i < 0 {
			t.Fatalf("no push tells of it: %s", text)
		}
		says(t, "summary", c.explain(page.Items[i].ID, "waits_for_first_login").Summary, page.Items[i].ID+", by which this server tells of pushes that it dropped, waits until")
	})
}

// TestUnknownPush: there is nothing to explain.
func TestUnknownPush(t *testing.T) {
	t.Parallel()
	s := harness.Start(t)
	for _, id := range []string{"psh_0000000000000", "nonsense"} {
		if _, text := s.Call(t, "GET", "/v1/pushes/"+id+"/explain", "", http.StatusNotFound); !strings.Contains(text, "unknown_push") {
			t.Errorf("%s: %s", id, text)
		}
	}
	if _, text := s.Call(t, "GET", "/v1/endpoints/nobody/diagnosis", "", http.StatusNotFound); !strings.Contains(text, "unknown_endpoint") {
		t.Error(text)
	}
	if _, text := s.Call(t, "GET", "/v1/endpoints/nobody/timeline", "", http.StatusNotFound); !strings.Contains(text, "unknown_endpoint") {
		t.Error(text)
	}
}
