package api

import (
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"signalbox/internal/endpoint"
	"signalbox/internal/push"
)

func TestPreferredWait(t *testing.T) {
	for header, want := range map[string]time.Duration{
		"": 0, "wait=5": 5 * time.Second, "respond-async, Wait = 10": 10 * time.Second, `wait="7"`: 7 * time.Second, "wait=600": time.Minute,
		"wait=0": 0, "wait=-1": 0, "wait": 0, "wait=x": 0, "return=minimal": 0, "waiting=5": 0,
	} {
		if got := preferredWait(header); got != want {
			t.Errorf("preferredWait(%q) = %v, want %v", header, got, want)
		}
	}
}

// TestPushWaits: the answer shows the state in which the push is done, or the one that it is in when the time is over.
func TestPushWaits(t *testing.T) {
	w := newWorld(t, Default())
	w.do("POST", "/v1/endpoints", `{"id":"pc-1","secret":"s3cret-1"}`).ok(http.StatusCreated)
	result := make(chan error, 1)
	go func() { // the endpoint: it answers the one push that there is
		for {
			list, err := w.srv.deps.Pushes.List(t.Context(), endpoint.Key{Domain: w.srv.deps.Domain, ID: "pc-1"}, push.Accepted, 0, 1)
			if err != nil {
				result <- err
				return
			}
			if len(list) == 1 {
				w.srv.deps.Pushes.Result(list[0].To, list[0].ID, true, json.RawMessage(`{"n":1}`), func(err error) { result <- err })
				return
			}
		}
	}()
	made := w.do("POST", "/v1/pushes", `{"to":"pc-1","type":"a","ack":"handled"}`, "Prefer", "wait=20").ok(http.StatusAccepted)
	if got := made.json()["state"]; got != "handled" || made.header.Get("Preference-Applied") != "wait" {
		t.Errorf("state = %v, Preference-Applied %q; want handled, wait", got, made.header.Get("Preference-Applied"))
	}
	if err := <-result; err != nil {
		t.Error(err)
	}
	made = w.do("POST", "/v1/pushes", `{"to":"pc-1","type":"a","ack":"handled"}`, "Prefer", "wait=1").ok(http.StatusAccepted)
	if got := made.json()["state"]; got != "accepted" {
		t.Errorf("state after the time is over = %v, want accepted", got)
	}
}
