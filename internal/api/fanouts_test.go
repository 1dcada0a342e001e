package api

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"signalbox/internal/push"
)

func manyIDs(n int) []string {
	ids := make([]string, n)
	for i := range ids {
		ids[i] = fmt.Sprintf("pc-%d", i)
	}
	return ids
}

func fanoutWorld(t *testing.T) *world {
	t.Helper()
	w := newWorld(t, Default())
	for _, id := range []string{"pc-1", "pc-2", "pc-3"} {
		w.do("POST", "/v1/endpoints", `{"id":"`+id+`"}`).ok(http.StatusCreated)
	}
	return w
}

// deliveries lists the targets of a push as "to state reason", in pages of two.
func (w *world) deliveries(id, query string) (all []string, ids map[string]string) {
	w.t.Helper()
	ids = map[string]string{}
	for cursor := ""; ; {
		got := w.do("GET", "/v1/pushes/"+id+"/deliveries?limit=2"+query+cursor, "").ok(http.StatusOK).json()
		for _, item := range got["items"].([]any) {
			d := item.(map[string]any)
			all = append(all, strings.TrimSpace(fmt.Sprint(d["to"], " ", d["state"], " ", strings.TrimPrefix(fmt.Sprint(d["reason"]), "<nil>"))))
			ids[d["to"].(string)] = d["id"].(string)
		}
		next, more := got["next"].(string)
		if !more {
			return all, ids
		}
		cursor = "&cursor=" + next
	}
}

func TestFanout(t *testing.T) {
	w := fanoutWorld(t)
	w.do("PATCH", "/v1/endpoints/pc-3", `{"enabled":false}`).ok(http.StatusOK)
	const body = `{"to":["pc-2","nobody","pc-3","pc-1"],"type":"demo.ping","payload":{"n":1},"ttl":60,"ack":"handled"}`
	made := w.do("POST", "/v1/pushes", body, "Idempotency-Key", "k").ok(http.StatusAccepted)
	id := made.json()["id"].(string)
	counts := map[string]any{"accepted": 2.0, "rejected": 2.0}
	if diff := cmp.Diff(map[string]any{"id": id, "targets": 4.0, "counts": counts}, made.json()); diff != "" {
		t.Errorf("receipt (-want +got):\n%s", diff)
	}
	if loc := made.header.Get("Location"); loc != "/v1/pushes/"+id {
		t.Errorf("Location = %q", loc)
	}
	got := w.do("GET", "/v1/pushes/"+id, "").ok(http.StatusOK).json()
	delete(got, "created_at")
	delete(got, "expires_at")
	want := map[string]any{"id": id, "type": "demo.ping", "targets": 4.0, "counts": counts, "ttl": 60.0, "priority": "normal", "ack": "handled"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("fan-out (-want +got):\n%s", diff)
	}
	all, ids := w.deliveries(id, "")
	if diff := cmp.Diff([]string{"pc-2 accepted", "nobody rejected unknown_endpoint", "pc-3 rejected endpoint_disabled", "pc-1 accepted"}, all); diff != "" {
		t.Errorf("deliveries (-want +got):\n%s", diff)
	}
	if some, _ := w.deliveries(id, "&state=rejected"); len(some) != 2 {
		t.Errorf("rejected deliveries = %v", some)
	}
	target := w.do("GET", "/v1/pushes/"+ids["pc-2"], "").ok(http.StatusOK).json()
	if target["fanout"] != id || target["to"] != "pc-2" || target["state"] != "accepted" {
		t.Errorf("target = %v", target)
	}
	if refused := w.do("GET", "/v1/pushes/"+ids["nobody"], "").ok(http.StatusOK).json(); refused["fanout"] != id || refused["state"] != "rejected" {
		t.Errorf("refused target = %v", refused)
	}
	listed := w.do("GET", "/v1/pushes?endpoint=pc-2", "").ok(http.StatusOK).json()["items"].([]any)
	if len(listed) != 1 || listed[0].(map[string]any)["fanout"] != id {
		t.Errorf("pushes of pc-2 = %v", listed)
	}
	w.do("DELETE", "/v1/pushes/"+ids["pc-2"], "").ok(http.StatusOK)
	cancelled := w.do("DELETE", "/v1/pushes/"+id, "").ok(http.StatusOK).json()
	if diff := cmp.Diff(map[string]any{"cancelled": 2.0, "rejected": 2.0}, cancelled["counts"]); diff != "" {
		t.Errorf("counts after the cancel (-want +got):\n%s", diff)
	}
	again := w.do("POST", "/v1/pushes", body, "Idempotency-Key", "k").ok(http.StatusAccepted)
	if diff := cmp.Diff(made.json(), again.json()); diff != "" || again.header.Get("Idempotency-Replayed") != "true" {
		t.Errorf("repeated answer differs (-first +again):\n%s", diff)
	}
	w.do("POST", "/v1/pushes", `{"to":["pc-1"],"type":"b"}`, "Idempotency-Key", "k").want(idempotencyKeyReused)
	w.do("POST", "/v1/pushes", `{"to":"pc-1","type":"b"}`, "Idempotency-Key", "k").want(idempotencyKeyReused)
}

func TestFanoutOfNobody(t *testing.T) {
	w := newWorld(t, Default())
	made := w.do("POST", "/v1/pushes", `{"to":["a","b"],"type":"x"}`, "Prefer", "wait=20").ok(http.StatusAccepted)
	if diff := cmp.Diff(map[string]any{"rejected": 2.0}, made.json()["counts"]); diff != "" || made.header.Get("Preference-Applied") != "wait" {
		t.Errorf("counts (-want +got):\n%s", diff)
	}
}

func TestDeliveriesOfOnePush(t *testing.T) {
	w := fanoutWorld(t)
	id := w.do("POST", "/v1/pushes", `{"to":"pc-1","type":"a"}`).ok(http.StatusAccepted).json()["id"].(string)
	for query, want := range map[string]int{"": 1, "&state=accepted": 1, "&state=sent": 0} {
		if all, _ := w.deliveries(id, query); len(all) != want {
			t.Errorf("deliveries%s = %v, want %d", query, all, want)
		}
	}
	for _, unknown := range []string{"psh_0000000000000", "nonsense"} {
		w.do("GET", "/v1/pushes/"+unknown+"/deliveries", "").want(unknownPush)
	}
	w.do("GET", "/v1/pushes/"+id+"/deliveries?cursor=c1eA", "").want(validationFailed, "cursor")
}

func TestFanoutWaits(t *testing.T) {
	w := fanoutWorld(t)
	send := func(body, wait string) chan answer {
		answers := make(chan answer, 1)
		go func() { answers <- w.do("POST", "/v1/pushes", body, "Prefer", wait) }()
		return answers
	}
	answers := send(`{"to":["pc-1","pc-2"],"type":"a"}`, "wait=20")
	for seen := 0; seen < 2; { // the endpoints: each confirms its one push
		list, err := w.srv.deps.Pushes.List(t.Context(), w.srv.key(""), push.Accepted, 0, 2)
		if err != nil {
			t.Fatal(err)
		}
		for _, st := range list {
			done := make(chan error)
			w.srv.deps.Pushes.Receipt(st.To, st.ID, func(err error) { done <- err })
			if err := <-done; err != nil {
				t.Fatal(err)
			}
			seen++
		}
	}
	a := <-answers
	if diff := cmp.Diff(map[string]any{"delivered": 2.0}, a.ok(http.StatusAccepted).json()["counts"]); diff != "" || a.header.Get("Preference-Applied") != "wait" {
		t.Errorf("counts (-want +got):\n%s", diff)
	}
	a = <-send(`{"to":["pc-1"],"type":"a"}`, "wait=1")
	if diff := cmp.Diff(map[string]any{"accepted": 1.0}, a.ok(http.StatusAccepted).json()["counts"]); diff != "" || a.header.Get("Preference-Applied") != "wait" {
		t.Errorf("counts when the time is over (-want +got):\n%s", diff)
	}
}

// TestFanoutInterrupted: the answer says how far it came, and the repeated request goes on there.
func TestFanoutInterrupted(t *testing.T) {
	w := newWorld(t, Default())
	body := `{"to":["` + strings.Join(manyIDs(1500), `","`) + `"],"type":"a","payload":"` + strings.Repeat("x", push.MaxPayloadBytes-2) + `"}`
	full := push.ErrNoSpace
	w.store.chunk.Store(&full)
	p := w.do("POST", "/v1/pushes", body, "Idempotency-Key", "k").want(insufficientStorage)
	if !strings.HasPrefix(p.Detail, "500 of the 1500 targets are stored, as those of psh_") {
		t.Errorf("detail = %q", p.Detail)
	}
	w.store.chunk.Store(nil)
	a := w.do("POST", "/v1/pushes", body, "Idempotency-Key", "k").ok(http.StatusAccepted)
	id := a.json()["id"].(string)
	if !strings.Contains(p.Detail, id) || a.json()["counts"].(map[string]any)["rejected"] != 1500.0 || a.header.Get("Idempotency-Replayed") != "" {
		t.Errorf("repeated request = %s, want all targets of %s", a.body, id)
	}
}

// TestLargeBodies: a list of long ids fits, and only so many such bodies are in memory at the same time.
func TestLargeBodies(t *testing.T) {
	w := newWorld(t, Default())
	ids := manyIDs(push.MaxTargets)
	for i := range ids {
		ids[i] = strings.Repeat("x", 64-len(ids[i])) + ids[i]
	}
	body := `{"to":["` + strings.Join(ids, `","`) + `"],"type":"a","payload":"` + strings.Repeat("x", push.MaxPayloadBytes-2) + `"}`
	w.do("POST", "/v1/pushes", body).ok(http.StatusAccepted)
	w.do("POST", "/v1/endpoints", body).want(payloadTooLarge)
	for range maxLarge {
		w.srv.large <- struct{}{}
	}
	w.do("POST", "/v1/pushes", body).want(busy)
	w.do("POST", "/v1/pushes", `{"to":["a"],"type":"a"}`).ok(http.StatusAccepted)
}
