package api

import (
	"bufio"
	"encoding/json"
	"errors"
	"net"
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

// known fails the test unless the answer is the one that the push earned before anybody waited for it.
func (a answer) known() {
	a.t.Helper()
	a.ok(http.StatusAccepted)
	if got := a.json()["state"]; got != "accepted" || a.header.Get("Preference-Applied") != "" {
		a.t.Errorf("state = %v, Preference-Applied %q; want accepted and none", got, a.header.Get("Preference-Applied"))
	}
}

// TestFailedWaits: the push is on stable storage, so nothing that happens to the wait makes another answer of it.
func TestFailedWaits(t *testing.T) {
	w := pushWorld(t)
	send := func(wait string) answer {
		t.Helper()
		return w.do("POST", "/v1/pushes", `{"to":"pc-1","type":"a"}`, "Idempotency-Key", "k", "Prefer", wait)
	}
	send("").known()
	for _, err := range []error{push.ErrUnknown, errors.New("the disk is broken")} {
		w.store.push.Store(&err)
		send("wait=20").known()
	}
	if n := w.logs.FilterMessage("wait for a push failed").Len(); n != 1 {
		t.Errorf("%d lines in the log, want one about the disk", n)
	}
	w.store.push.Store(nil)
	w.do("DELETE", "/v1/endpoints/pc-1", "").ok(http.StatusNoContent)
	send("wait=20").known()
}

// TestWaitsAreBounded: when too many wait, one more gets the answer that is there.
func TestWaitsAreBounded(t *testing.T) {
	w := pushWorld(t)
	for range cap(w.srv.waits) {
		w.srv.waits <- struct{}{}
	}
	w.do("POST", "/v1/pushes", `{"to":"pc-1","type":"a"}`, "Prefer", "wait=20").known()
	<-w.srv.waits
	w.do("POST", "/v1/pushes", `{"to":"pc-1","type":"a"}`, "Prefer", "wait=1").ok(http.StatusAccepted)
	if n := len(w.srv.waits); n != cap(w.srv.waits)-1 {
		t.Errorf("%d of %d wait", n, cap(w.srv.waits))
	}
}

// TestWaitsTakeNoSlots: whoever waits is not at work.
func TestWaitsTakeNoSlots(t *testing.T) {
	w := pushWorld(t)
	w.store.asked = make(chan struct{}, 2) // at the beginning and at the end of the wait
	made := make(chan answer)
	go func() { made <- w.do("POST", "/v1/pushes", `{"to":"pc-1","type":"a"}`, "Prefer", "wait=2") }()
	<-w.store.asked
	if n := len(w.srv.slots); n != 0 {
		t.Errorf("%d slots are taken", n)
	}
	if a := <-made; a.ok(http.StatusAccepted).header.Get("Preference-Applied") != "wait" {
		t.Error("the wait was not applied")
	}
	if slots, waits := len(w.srv.slots), len(w.srv.waits); slots != 0 || waits != 0 {
		t.Errorf("%d at work and %d wait at the end", slots, waits)
	}
}

// TestWaitsEndWithTheServer: those who wait are answered at once, and the server ends without cutting them off.
func TestWaitsEndWithTheServer(t *testing.T) {
	w := pushWorld(t)
	w.store.asked = make(chan struct{}, 2) // at the beginning and at the end of the wait
	addr, stop := serving(t, w.srv)
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	r := request("POST", "http://"+addr+"/v1/pushes", w.tokens["push"], `{"to":"pc-1","type":"a"}`, "Prefer", "wait=60")
	if err := r.Write(conn); err != nil {
		t.Fatal(err)
	}
	<-w.store.asked
	start := time.Now()
	stopped := make(chan error, 1)
	go func() { stopped <- stop() }()
	res, err := http.ReadResponse(bufio.NewReader(conn), r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var body map[string]any
	if err := json.NewDecoder(res.Body).Decode(&body); err != nil {
		t.Fatal(err)
	}
	if res.StatusCode != http.StatusAccepted || body["state"] != "accepted" || res.Header.Get("Preference-Applied") != "" {
		t.Errorf("answer = %d %v, Preference-Applied %q", res.StatusCode, body, res.Header.Get("Preference-Applied"))
	}
	if err := <-stopped; err != nil || time.Since(start) > shutdownTimeout/2 {
		t.Errorf("Serve = %v after %v", err, time.Since(start))
	}
	if n := w.logs.FilterMessage("requests were cut off at the end").Len(); n != 0 {
		t.Error("requests were cut off")
	}
}
