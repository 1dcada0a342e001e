package api

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// groupWorld has two endpoints in lab, of which one is in paris, and one in neither.
func groupWorld(t *testing.T) *world {
	t.Helper()
	w := newWorld(t, Default())
	for _, e := range []string{
		`{"id":"pc-1","groups":["lab"],"labels":{"site":"paris","os":"linux"}}`, `{"id":"pc-2","groups":["lab","x"],"labels":{"site":"rome"}}`, `{"id":"pc-3"}`,
	} {
		w.do("POST", "/v1/endpoints", e).ok(http.StatusCreated)
	}
	return w
}

func TestGroupsAndLabels(t *testing.T) {
	w := groupWorld(t)
	for _, tt := range []struct {
		name, to string
		want     []string // ids; nil: nobody
	}{
		{"group", `{"group":"lab"}`, []string{"pc-1", "pc-2"}},
		{"label", `{"labels":{"site":"rome"}}`, []string{"pc-2"}},
		{"all labels", `{"labels":{"site":"paris","os":"linux"}}`, []string{"pc-1"}},
		{"both", `{"group":"lab","labels":{"site":"paris"}}`, []string{"pc-1"}},
		{"one label is not there", `{"labels":{"site":"rome","os":"linux"}}`, nil},
		{"nobody", `{"group":"nobody"}`, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w.t = t
			a := w.do("POST", "/v1/pushes", `{"to":`+tt.to+`,"type":"demo.ping"}`)
			if tt.want == nil {
				a.want(noTargets, "/to")
				return
			}
			made := a.ok(http.StatusAccepted).json()
			all, _ := w.deliveries(made["id"].(string), "")
			if want := strings.Join(tt.want, " accepted,") + " accepted"; strings.Join(all, ",") != want || made["targets"] != float64(len(tt.want)) {
				t.Errorf("deliveries %q of %v, want %q", all, made, want)
			}
		})
	}
}

func TestLateJoiners(t *testing.T) {
	w := groupWorld(t)
	made := w.do("POST", "/v1/pushes", `{"to":{"group":"new"},"type":"demo.ping","late_joiners":true,"collapse_key":"k"}`).ok(http.StatusAccepted).json()
	id := made["id"].(string)
	if diff := cmp.Diff(map[string]any{"id": id, "targets": 0.0, "counts": map[string]any{}}, made); diff != "" {
		t.Errorf("receipt (-want +got):\n%s", diff)
	}
	shown := w.do("GET", "/v1/pushes/"+id, "").ok(http.StatusOK).json()
	if diff := cmp.Diff(map[string]any{"group": "new"}, shown["to"]); diff != "" || shown["late_joiners"] != true || shown["collapse_key"] != "k" {
		t.Errorf("shown %v", shown)
	}
	if got := w.do("DELETE", "/v1/pushes/"+id, "").ok(http.StatusOK).json(); got["late_joiners"] != nil {
		t.Errorf("cancelled, it still takes late joiners: %v", got)
	}
}

func TestCollapseKey(t *testing.T) {
	w := groupWorld(t)
	first := w.do("POST", "/v1/pushes", `{"to":"pc-1","type":"a","collapse_key":"k-1_A"}`).ok(http.StatusAccepted).json()["id"].(string)
	second := w.do("POST", "/v1/pushes", `{"to":"pc-1","type":"b"}`, "Topic", "k-1_A", "Urgency", "very-low").ok(http.StatusAccepted).json()["id"].(string)
	old := w.do("GET", "/v1/pushes/"+first, "").ok(http.StatusOK).json()
	last := old["history"].([]any)[1].(map[string]any)
	if old["state"] != "replaced" || last["by"] != second || last["reason"] != "collapse_key" || old["collapse_key"] != "k-1_A" {
		t.Errorf("older push %v, want it replaced by %s", old, second)
	}
	if got := w.do("GET", "/v1/pushes/"+second, "").ok(http.StatusOK).json(); got["state"] != "accepted" || got["priority"] != "low" {
		t.Errorf("newer push %v", got)
	}
}

func TestNotBefore(t *testing.T) {
	w := groupWorld(t)
	at := time.Now().Add(time.Hour).Truncate(time.Second).UTC().Format(time.RFC3339)
	id := w.do("POST", "/v1/pushes", fmt.Sprintf(`{"to":"pc-1","type":"a","not_before":%q}`, at)).ok(http.StatusAccepted).json()["id"].(string)
	if got := w.do("GET", "/v1/pushes/"+id, "").ok(http.StatusOK).json(); got["not_before"] != at || got["state"] != "accepted" {
		t.Errorf("push %v, want it not before %s", got, at)
	}
}

func TestBatch(t *testing.T) {
	w := groupWorld(t)
	w.do("PATCH", "/v1/endpoints/pc-3", `{"enabled":false}`).ok(http.StatusOK)
	const body = `{"items":[{"to":"pc-1","type":"a"},{"to":"nobody","type":"a"},{"to":"pc-3","type":"a"},{"to":["pc-1"],"type":"a"},{"to":"pc-1","type":"a..b","ack":"x"},
		{"to":"pc-2","type":"now","ttl":0}]}`
	made := w.do("POST", "/v1/pushes/batch", body, "Idempotency-Key", "b").ok(http.StatusAccepted)
	got := made.json()
	var all []string
	for _, i := range got["items"].([]any) {
		item := i.(map[string]any)
		text := fmt.Sprint(item["state"], " ", item["to"])
		if p, bad := item["problem"].(map[string]any); bad {
			text = fmt.Sprint(p["code"])
			for _, e := range p["errors"].([]any) {
				text += fmt.Sprint(" ", e.(map[string]any)["pointer"])
			}
		}
		all = append(all, text)
	}
	want := []string{
		"accepted pc-1", "unknown_endpoint /items/1/to", "endpoint_disabled /items/2/to", "validation_failed /items/3/to", "validation_failed /items/4/ack", "expired pc-2",
	}
	if diff := cmp.Diff(want, all); diff != "" || got["accepted"] != 2.0 || got["refused"] != 4.0 {
		t.Errorf("results (-want +got):\n%s", diff)
	}
	again := w.do("POST", "/v1/pushes/batch", body, "Idempotency-Key", "b").ok(http.StatusAccepted)
	if diff := cmp.Diff(got, again.json()); diff != "" || again.header.Get("Idempotency-Replayed") != "true" {
		t.Errorf("repeated answer differs (-first +again):\n%s", diff)
	}
	w.do("POST", "/v1/pushes/batch", `{"items":[{"to":"pc-1","type":"b"}]}`, "Idempotency-Key", "b").want(idempotencyKeyReused)
	w.do("POST", "/v1/pushes", `{"to":"pc-1","type":"b"}`, "Idempotency-Key", "b").want(idempotencyKeyReused)
	for _, tt := range []struct{ body, place string }{
		{`{"items":[]}`, "/items"}, {`{}`, "/items"}, {`{"items":[{"to":"pc-1","type":"a","odd":1}]}`, "/items/0/odd"},
		{`{"items":[` + strings.Repeat(`{"to":"pc-1","type":"a"},`, 1000) + `{}]}`, "/items"},
	} {
		w.do("POST", "/v1/pushes/batch", tt.body).want(validationFailed, tt.place)
	}
	w.do("POST", "/v1/pushes/batch", `{"items":[{"to":"pc-1","type":"b"}]}`, "Topic", "k").want(validationFailed, "Topic")
}
