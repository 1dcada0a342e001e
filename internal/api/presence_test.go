package api

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"signalbox/internal/endpoint"
)

// asked is a session that answers probes, or loses its connection when it is asked.
type asked struct {
	fakeSession
	lost bool
	w    *world
}

func (a *asked) Ping(heard func(bool)) bool {
	if a.lost {
		a.w.registry.Suspend(endpoint.Key{Domain: domain, ID: "pc-1"}, a, 0, endpoint.ReasonConnectionLost)
	}
	heard(!a.lost)
	return true
}

func TestProbe(t *testing.T) {
	w := newWorld(t, Default())
	probe := func() map[string]any {
		t.Helper()
		return w.do("POST", "/v1/endpoints/pc-1/probe", "").ok(http.StatusOK).json()
	}
	w.do("POST", "/v1/endpoints/pc-1/probe", "").want(unknownEndpoint)
	w.do("POST", "/v1/endpoints", `{"id":"pc-1"}`).ok(http.StatusCreated)
	if got := probe(); got["state"] != "offline" || got["presence"].(map[string]any)["state"] != "never" || got["rtt_ms"] != nil {
		t.Errorf("without a session: %v", got)
	}
	s := &asked{w: w}
	if err := w.registry.Bind(endpoint.Key{Domain: domain, ID: "pc-1"}, s); err != nil {
		t.Fatal(err)
	}
	if got := probe(); got["state"] != "online" || got["rtt_ms"].(float64) <= 0 || got["asked_at"] == nil {
		t.Errorf("a session that answers: %v", got)
	}
	s.lost = true
	got := probe()
	if p := got["presence"].(map[string]any); got["state"] != "offline" || p["state"] != "offline" || p["reason"] != "connection_lost" {
		t.Errorf("a session that is lost meanwhile: %v", got)
	}
}

func TestQueryPresence(t *testing.T) {
	w := newWorld(t, Default())
	for _, id := range []string{"a", "b", "c"} {
		w.do("POST", "/v1/endpoints", `{"id":"`+id+`"}`).ok(http.StatusCreated)
	}
	if err := w.registry.Bind(endpoint.Key{Domain: domain, ID: "b"}, &fakeSession{}); err != nil {
		t.Fatal(err)
	}
	var got queriedBody
	if err := json.Unmarshal(w.do("POST", "/v1/presence/query", `{"ids":["c","x","b","c","x"]}`).ok(http.StatusOK).body, &got); err != nil {
		t.Fatal(err)
	}
	var states []string
	for _, p := range got.Items {
		states = append(states, p.ID+" "+string(p.State))
	}
	if diff := cmp.Diff([]string{"c never", "b online"}, states); diff != "" {
		t.Errorf("states (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"x"}, got.Unknown); diff != "" {
		t.Errorf("unknown (-want +got):\n%s", diff)
	}
	w.do("POST", "/v1/presence/query", `{"ids":[]}`).want(validationFailed, "/ids")
	w.do("POST", "/v1/presence/query", `{}`).want(validationFailed, "/ids")
	many := `{"ids":[` + strings.Repeat(`"a",`, maxQueried) + `"a"]}`
	w.do("POST", "/v1/presence/query", many).want(validationFailed, "/ids")
}

// lines reads a snapshot.
func lines(t *testing.T, a answer) (head snapshotHead, all []snapshotLine) {
	t.Helper()
	if got := a.header.Get("Content-Type"); got != linesType {
		t.Errorf("Content-Type = %q, want %q", got, linesType)
	}
	for i, text := range strings.SplitAfter(strings.TrimSuffix(string(a.body), "\n"), "\n") {
		var line snapshotLine
		into := any(&line)
		if i == 0 {
			into = &head
		}
		if err := json.Unmarshal([]byte(text), into); err != nil {
			t.Fatalf("line %d: %q: %v", i, text, err)
		}
		if i > 0 {
			all = append(all, line)
		}
	}
	if head.Endpoints != len(all) {
		t.Errorf("%d endpoints are announced, %d lines follow", head.Endpoints, len(all))
	}
	return head, all
}

// TestSnapshot: an endpoint within its grace stands there as events told of it, and the number is that of the newest event.
func TestSnapshot(t *testing.T) {
	w := newWorld(t, Default())
	for _, id := range []string{"a-1", "a-2", "b"} {
		w.do("POST", "/v1/endpoints", `{"id":"`+id+`","groups":["`+id[:1]+`"]}`).ok(http.StatusCreated)
	}
	for _, id := range []string{"a-1", "b"} {
		if err := w.registry.Bind(endpoint.Key{Domain: domain, ID: id}, &fakeSession{}); err != nil {
			t.Fatal(err)
		}
	}
	w.do("POST", "/v1/endpoints", `{"id":"c"}`).ok(http.StatusCreated) // written behind the presences
	lost := endpoint.Presence{State: endpoint.StateOffline, Since: time.Now(), Reason: "silent", Tell: time.Now().Add(time.Hour)}
	w.store.SavePresence(endpoint.Key{Domain: domain, ID: "b"}, lost)
	w.do("POST", "/v1/endpoints", `{"id":"d"}`).ok(http.StatusCreated)
	head, all := lines(t, w.do("GET", "/v1/presence/snapshot", "").ok(http.StatusOK))
	bounds, err := w.store.EventBounds(t.Context())
	if err != nil || head.Seq != bounds.Newest || head.LastEvent == "" {
		t.Errorf("head = %+v, want number %d", head, bounds.Newest)
	}
	var got []string
	for _, l := range all {
		got = append(got, fmt.Sprint(l.ID, " ", l.State, " ", l.Actual))
	}
	if diff := cmp.Diff([]string{"a-1 online ", "a-2 never ", "b online offline", "c never ", "d never "}, got); diff != "" {
		t.Errorf("lines (-want +got):\n%s", diff)
	}
	if _, some := lines(t, w.do("GET", "/v1/presence/snapshot?group=a&state=online", "").ok(http.StatusOK)); len(some) != 1 || some[0].ID != "a-1" {
		t.Errorf("selected: %v, want a-1", some)
	}
	if _, none := lines(t, w.do("GET", "/v1/presence/snapshot?q=zzz", "").ok(http.StatusOK)); len(none) != 0 {
		t.Errorf("selected: %v, want nothing", none)
	}
	w.do("GET", "/v1/presence/snapshot?label=x", "").want(validationFailed, "label")
	for range maxSnapshots {
		w.srv.snapshots <- struct{}{}
	}
	w.do("GET", "/v1/presence/snapshot", "").want(busy)
}
