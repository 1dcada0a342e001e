package api

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"signalbox/internal/push"
)

func pushWorld(t *testing.T) *world {
	t.Helper()
	w := newWorld(t, Default())
	w.do("POST", "/v1/endpoints", `{"id":"pc-1"}`).ok(http.StatusCreated)
	return w
}

func TestPushLife(t *testing.T) {
	w := pushWorld(t)
	made := w.do("POST", "/v1/pushes", `{"to":"pc-1","type":"demo.ping","payload":{"n":1},"ttl":60,"ack":"handled"}`).ok(http.StatusAccepted)
	id := made.json()["id"].(string)
	if diff := cmp.Diff(map[string]any{"id": id, "state": "accepted", "to": "pc-1"}, made.json()); diff != "" {
		t.Errorf("receipt (-want +got):\n%s", diff)
	}
	if loc := made.header.Get("Location"); loc != "/v1/pushes/"+id {
		t.Errorf("Location = %q", loc)
	}
	got := w.do("GET", "/v1/pushes/"+id, "").ok(http.StatusOK).json()
	history := got["history"].([]any)
	for _, volatile := range []string{"history", "created_at", "expires_at"} {
		delete(got, volatile)
	}
	want := map[string]any{"id": id, "to": "pc-1", "type": "demo.ping", "state": "accepted", "ttl": 60.0, "priority": "normal", "ack": "handled"}
	if diff := cmp.Diff(want, got); diff != "" || len(history) != 1 || history[0].(map[string]any)["state"] != "accepted" {
		t.Errorf("push (-want +got):\n%s history %v", diff, history)
	}
	if state := w.do("DELETE", "/v1/pushes/"+id, "").ok(http.StatusOK).json()["state"]; state != "cancelled" {
		t.Errorf("state after cancelling = %v", state)
	}
	w.do("DELETE", "/v1/pushes/"+id, "").want(pushNotCancellable)
	for _, unknown := range []string{"psh_0000000000000", "nonsense"} {
		w.do("GET", "/v1/pushes/"+unknown, "").want(unknownPush)
		w.do("DELETE", "/v1/pushes/"+unknown, "").want(unknownPush)
	}
}

func TestPushDefaults(t *testing.T) {
	w := pushWorld(t)
	for _, tt := range []struct {
		name, body string
		headers    []string
		want       string
	}{
		{"defaults", `{"to":"pc-1","type":"a"}`, nil, "86400 normal delivered"},
		{"body", `{"to":"pc-1","type":"a","ttl":5,"priority":"low","ack":"none"}`, nil, "5 low none"},
		{"headers", `{"to":"pc-1","type":"a"}`, []string{"TTL", "7", "Urgency", "very-low", "Prefer", "return=minimal"}, "7 low delivered"},
		{"urgency", `{"to":"pc-1","type":"a"}`, []string{"Urgency", "high"}, "86400 high delivered"},
		{"both alike", `{"to":"pc-1","type":"a","ttl":9}`, []string{"TTL", "9"}, "9 normal delivered"},
		{"urgency and the same priority", `{"to":"pc-1","type":"a","priority":"low"}`, []string{"Urgency", "very-low"}, "86400 low delivered"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w.t = t
			made := w.do("POST", "/v1/pushes", tt.body, tt.headers...).ok(http.StatusAccepted)
			if made.header.Get("Preference-Applied") != "" {
				t.Error("Preference-Applied for a preference that was ignored")
			}
			p := w.do("GET", made.header.Get("Location"), "").json()
			if got := fmt.Sprint(p["ttl"], " ", p["priority"], " ", p["ack"]); got != tt.want {
				t.Errorf("push = %s, want %s", got, tt.want)
			}
		})
	}
}

func TestPushNowOrNever(t *testing.T) {
	w := pushWorld(t)
	first := w.do("POST", "/v1/pushes", `{"to":"pc-1","type":"a","ttl":0}`, "Idempotency-Key", "k").ok(http.StatusAccepted)
	if state := first.json()["state"]; state != "expired" {
		t.Errorf("state of a push with TTL 0 for an endpoint that is offline = %v", state)
	}
	again := w.do("POST", "/v1/pushes", `{"to":"pc-1","type":"a","ttl":0}`, "Idempotency-Key", "k").ok(http.StatusAccepted)
	if diff := cmp.Diff(first.json(), again.json()); diff != "" || again.header.Get("Idempotency-Replayed") != "true" {
		t.Errorf("repeated answer differs (-first +again):\n%s", diff)
	}
}

func TestIdempotency(t *testing.T) {
	w := pushWorld(t)
	const body = `{"to":"pc-1","type":"a"}`
	first := w.do("POST", "/v1/pushes", body, "Idempotency-Key", "order-1").ok(http.StatusAccepted)
	if first.header.Get("Idempotency-Replayed") != "" {
		t.Error("the first answer says that it is a repetition")
	}
	w.do("DELETE", first.header.Get("Location"), "").ok(http.StatusOK)
	again := w.do("POST", "/v1/pushes", body, "Idempotency-Key", "order-1").ok(http.StatusAccepted)
	if diff := cmp.Diff(first.json(), again.json()); diff != "" || again.header.Get("Idempotency-Replayed") != "true" ||
		again.header.Get("Location") != first.header.Get("Location") {
		t.Errorf("repeated answer differs (-first +again):\n%s%v", diff, again.header)
	}
	w.do("POST", "/v1/pushes", `{"to":"pc-1","type":"b"}`, "Idempotency-Key", "order-1").want(idempotencyKeyReused)
	w.do("POST", "/v1/pushes", body, "Idempotency-Key", "order-1", "TTL", "5").want(idempotencyKeyReused)
	other := w.send(request("POST", "/v1/pushes", w.tokens["push"], body, "Idempotency-Key", "order-1")).ok(http.StatusAccepted)
	if other.json()["id"] == first.json()["id"] {
		t.Error("two tokens share an idempotency key")
	}
}

func TestIdempotencyInProgress(t *testing.T) {
	w := pushWorld(t)
	w.store.hold, w.store.held = make(chan struct{}), make(chan struct{})
	done := make(chan answer)
	go func() {
		done <- w.do("POST", "/v1/pushes", `{"to":"pc-1","type":"a"}`, "Idempotency-Key", "k")
	}()
	<-w.store.held
	w.do("POST", "/v1/pushes", `{"to":"pc-1","type":"a"}`, "Idempotency-Key", "k").want(idempotencyInProgress)
	close(w.store.hold)
	a := <-done
	a.ok(http.StatusAccepted)
}

func TestPushMistakes(t *testing.T) {
	w := pushWorld(t)
	large := strings.Repeat("x", push.MaxPayloadBytes)
	for _, tt := range []struct {
		name, body string
		headers    []string
		kind       kind
		places     []string
	}{
		{"unknown endpoint", `{"to":"pc-9","type":"a"}`, nil, unknownEndpoint, []string{"/to"}},
		{"no target", `{"type":"a"}`, nil, validationFailed, []string{"/to"}},
		{"null target", `{"to":null,"type":"a"}`, nil, validationFailed, []string{"/to"}},
		{"number", `{"to":1,"type":"a"}`, nil, validationFailed, []string{"/to"}},
		{"empty list", `{"to":[],"type":"a"}`, nil, validationFailed, []string{"/to"}},
		{"list", `{"to":["pc-1","PC-2","pc-3","pc-1"],"type":"a"}`, nil, validationFailed, []string{"/to/1", "/to/3"}},
		{"list of others", `{"to":["pc-1",1,null,{}],"type":"a"}`, nil, validationFailed, []string{"/to/1", "/to/2", "/to/3"}},
		{"long list", `{"to":["` + strings.Join(manyIDs(push.MaxTargets+1), `","`) + `"],"type":"a"}`, nil, validationFailed, []string{"/to"}},
		{"group of nobody", `{"to":{"group":"lab"},"type":"a"}`, nil, noTargets, []string{"/to"}},
		{"empty group", `{"to":{"group":""},"type":"a"}`, nil, validationFailed, []string{"/to/group"}},
		{"nothing chosen", `{"to":{},"type":"a"}`, nil, validationFailed, []string{"/to"}},
		{"no labels", `{"to":{"labels":{}},"type":"a"}`, nil, validationFailed, []string{"/to"}},
		{"odd label", `{"to":{"labels":{"site":1}},"type":"a"}`, nil, validationFailed, []string{"/to/labels/site"}},
		{"unknown choice", `{"to":{"groups":["lab"]},"type":"a"}`, nil, validationFailed, []string{"/to/groups"}},
		{"long group", `{"to":{"group":"` + strings.Repeat("g", 129) + `"},"type":"a"}`, nil, validationFailed, []string{"/to/group"}},
		{"late joiners of one", `{"to":"pc-1","type":"a","late_joiners":true}`, nil, validationFailed, []string{"/late_joiners"}},
		{"late joiners of a list", `{"to":["pc-1"],"type":"a","late_joiners":true}`, nil, validationFailed, []string{"/late_joiners"}},
		{"late joiners of a moment", `{"to":{"group":"lab"},"type":"a","ttl":0,"late_joiners":true}`, nil, validationFailed, []string{"/late_joiners"}},
		{"no type", `{"to":"pc-1"}`, nil, validationFailed, []string{"/type"}},
		{"bad type", `{"to":"pc-1","type":"a..b"}`, nil, validationFailed, []string{"/type"}},
		{"odd collapse key", `{"to":"pc-1","type":"a","collapse_key":"a.b"}`, nil, validationFailed, []string{"/collapse_key"}},
		{"empty collapse key", `{"to":"pc-1","type":"a","collapse_key":""}`, nil, validationFailed, []string{"/collapse_key"}},
		{"long collapse key", `{"to":"pc-1","type":"a","collapse_key":"` + strings.Repeat("k", 65) + `"}`, nil, validationFailed, []string{"/collapse_key"}},
		{"topic beside another", `{"to":"pc-1","type":"a","collapse_key":"k"}`, []string{"Topic", "t"}, validationFailed, []string{"/collapse_key"}},
		{"odd topic", `{"to":"pc-1","type":"a"}`, []string{"Topic", "t t"}, validationFailed, []string{"/collapse_key"}},
		{"no time", `{"to":"pc-1","type":"a","not_before":null}`, nil, validationFailed, []string{"/not_before"}},
		{"odd time", `{"to":"pc-1","type":"a","not_before":"tomorrow"}`, nil, validationFailed, []string{"/not_before"}},
		{"too late", `{"to":"pc-1","type":"a","ttl":60,"not_before":"2199-01-01T00:00:00Z"}`, nil, validationFailed, []string{"/not_before"}},
		{"later, now or never", `{"to":"pc-1","type":"a","ttl":0,"not_before":"2199-01-01T00:00:00Z"}`, nil, validationFailed, []string{"/not_before"}},
		{"two payloads", `{"to":"pc-1","type":"a","payload":1,"payload_base64":"AA=="}`, nil, validationFailed, []string{"/payload_base64"}},
		{"no base64", `{"to":"pc-1","type":"a","payload_base64":"A"}`, nil, validationFailed, []string{"/payload_base64"}},
		{"large payload", `{"to":"pc-1","type":"a","payload":"` + large + `"}`, nil, payloadTooLarge, []string{"/payload"}},
		{"large bytes", `{"to":"pc-1","type":"a","payload_base64":"` + base64.StdEncoding.EncodeToString([]byte(large+"y")) + `"}`, nil, payloadTooLarge, []string{"/payload_base64"}},
		{"large body", `{"to":"` + strings.Repeat("x", maxLargeBytes) + `"}`, nil, payloadTooLarge, nil},
		{"ttl", `{"to":"pc-1","type":"a","ttl":-1}`, nil, validationFailed, []string{"/ttl"}},
		{"long ttl", `{"to":"pc-1","type":"a","ttl":2419201}`, nil, validationFailed, []string{"/ttl"}},
		{"huge ttl", `{"to":"pc-1","type":"a","ttl":9223372036854775807}`, nil, validationFailed, []string{"/ttl"}},
		{"ttl header", `{"to":"pc-1","type":"a"}`, []string{"TTL", "soon"}, validationFailed, []string{"TTL"}},
		{"two ttls", `{"to":"pc-1","type":"a","ttl":1}`, []string{"TTL", "2"}, validationFailed, []string{"/ttl"}},
		{"words", `{"to":"pc-1","type":"a","priority":"urgent","ack":"maybe"}`, nil, validationFailed, []string{"/priority", "/ack"}},
		{"empty words", `{"to":"pc-1","type":"a","priority":"","ack":""}`, nil, validationFailed, []string{"/priority", "/ack"}},
		{"urgency", `{"to":"pc-1","type":"a"}`, []string{"Urgency", "extreme"}, validationFailed, []string{"Urgency"}},
		{"urgency beside priority", `{"to":"pc-1","type":"a","priority":"low"}`, []string{"Urgency", "extreme"}, validationFailed, []string{"Urgency"}},
		{"urgency and another priority", `{"to":"pc-1","type":"a","priority":"low"}`, []string{"Urgency", "high"}, validationFailed, []string{"/priority"}},
		{"long key", `{"to":"pc-1","type":"a"}`, []string{"Idempotency-Key", strings.Repeat("k", 256)}, validationFailed, []string{"Idempotency-Key"}},
		{"odd key", `{"to":"pc-1","type":"a"}`, []string{"Idempotency-Key", "k\u00e9"}, validationFailed, []string{"Idempotency-Key"}},
		{"empty key", `{"to":"pc-1","type":"a"}`, []string{"Idempotency-Key", ""}, validationFailed, []string{"Idempotency-Key"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w.t = t
			w.do("POST", "/v1/pushes", tt.body, tt.headers...).want(tt.kind, tt.places...)
		})
	}
	w.t = t
	r := request("POST", "/v1/pushes", w.tokens["push"], `{"to":"pc-1","type":"a"}`)
	r.Header["Ttl"] = []string{"1", "2"}
	w.send(r).want(validationFailed, "TTL")
	w.do("PATCH", "/v1/endpoints/pc-1", `{"enabled":false}`)
	w.do("POST", "/v1/pushes", `{"to":"pc-1","type":"a"}`).want(endpointDisabled, "/to")
}

func TestStoreErrors(t *testing.T) {
	w := pushWorld(t)
	for _, tt := range []struct {
		err    error
		kind   kind
		retry  string
		places []string
	}{
		{push.ErrQueueFull, queueFull, "30", []string{"/to"}},
		{fmt.Errorf("accept push: %w", push.ErrBusy), busy, "1", nil},
		{push.ErrStopped, busy, "1", nil},
		{push.ErrNoSpace, insufficientStorage, "60", nil},
		{errors.New("a secret in the store"), internalError, "", nil},
	} {
		w.store.accept.Store(&tt.err)
		a := w.do("POST", "/v1/pushes", `{"to":"pc-1","type":"a"}`)
		a.want(tt.kind, tt.places...)
		if got := a.header.Get("Retry-After"); got != tt.retry {
			t.Errorf("%v: Retry-After = %q, want %q", tt.err, got, tt.retry)
		}
		if strings.Contains(string(a.body), "secret in") {
			t.Errorf("the answer %s tells what failed inside", a.body)
		}
	}
}

func TestPayloadKeepsItsText(t *testing.T) {
	w := pushWorld(t)
	const payload = `{"n":123456789012345678901234567890.10,"e":1E400,"s":"\u00e9<&\/"}`
	w.do("POST", "/v1/pushes", `{"to":"pc-1","type":"a","payload": `+payload+` }`).ok(http.StatusAccepted)
	waiting, err := w.store.WaitingPushes(t.Context(), w.srv.key("pc-1"), push.Cursor{}, 10)
	if err != nil || len(waiting) != 1 {
		t.Fatal(waiting, err)
	}
	if got := string(waiting[0].Payload); got != payload {
		t.Errorf("payload = %s, want %s", got, payload)
	}
}

func TestListPushes(t *testing.T) {
	w := pushWorld(t)
	w.do("POST", "/v1/endpoints", `{"id":"pc-2"}`).ok(http.StatusCreated)
	var all []string
	for _, to := range []string{"pc-1", "pc-2", "pc-1"} {
		all = append(all, w.do("POST", "/v1/pushes", `{"to":"`+to+`","type":"a"}`).ok(http.StatusAccepted).json()["id"].(string))
	}
	w.do("DELETE", "/v1/pushes/"+all[0], "").ok(http.StatusOK)
	for _, tt := range []struct{ query, want string }{
		{"", all[2] + " " + all[1] + " " + all[0]},
		{"?endpoint=pc-1", all[2] + " " + all[0]},
		{"?state=cancelled", all[0]},
		{"?endpoint=pc-9", ""},
	} {
		if got, _ := ids(w.do("GET", "/v1/pushes"+tt.query, "").ok(http.StatusOK)); got != tt.want {
			t.Errorf("pushes%s = %q, want %q", tt.query, got, tt.want)
		}
	}
	first, next := ids(w.do("GET", "/v1/pushes?limit=2", ""))
	rest, end := ids(w.do("GET", "/v1/pushes?limit=2&cursor="+next, ""))
	if first != all[2]+" "+all[1] || rest != all[0] || end != "" {
		t.Errorf("pages = %q, %q, then %q", first, rest, end)
	}
	foreign := cursorPrefix + base64.RawURLEncoding.EncodeToString([]byte("pc-1"))
	w.do("GET", "/v1/pushes?cursor="+foreign, "").want(validationFailed, "cursor")
	w.do("GET", "/v1/pushes?state=green", "").want(validationFailed, "state")
}

// TestPagesOfPushesAreBounded: large results end a page before its limit does, and no push is lost or shown twice between two pages.
func TestPagesOfPushesAreBounded(t *testing.T) {
	w := pushWorld(t)
	result := json.RawMessage(`"` + strings.Repeat("x", push.MaxResultBytes-2) + `"`)
	const large, small = 40, pageRows + 5
	var want []string
	for i := range large + small {
		id := w.do("POST", "/v1/pushes", `{"to":"pc-1","type":"a","ack":"handled"}`).ok(http.StatusAccepted).json()["id"].(string)
		want = append([]string{id}, want...)
		if i >= large {
			continue
		}
		parsed, err := push.ParseID(id)
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan error)
		w.srv.deps.Pushes.Result(w.srv.key("pc-1"), parsed, true, result, func(err error) { done <- err })
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
	var got []string
	var counts []int
	for cursor, pages := "", 1; ; pages++ {
		a := w.do("GET", "/v1/pushes?limit=130"+cursor, "").ok(http.StatusOK)
		if len(a.body) > pageBytes+2*len(result) {
			t.Errorf("page %d has %d bytes", pages, len(a.body))
		}
		shown, next := ids(a)
		got = append(got, strings.Fields(shown)...)
		counts = append(counts, len(strings.Fields(shown)))
		if next == "" {
			break
		}
		cursor = "&cursor=" + next
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("pushes (-want +got):\n%s", diff)
	}
	fits := pageBytes / len(result)
	if diff := cmp.Diff([]int{small + fits, fits, large - 2*fits}, counts); diff != "" {
		t.Errorf("pushes on each page (-want +got):\n%s", diff)
	}
}
