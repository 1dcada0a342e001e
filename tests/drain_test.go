package tests

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"signalbox/internal/config"
	"signalbox/tests/harness"
)

// retryAfter returns the seconds of the hint in the end of a stream.
func retryAfter(t *testing.T, end string) int {
	t.Helper()
	_, rest, found := strings.Cut(end, "<retry xmlns='urn:signalbox:stream:1' after='")
	text, _, _ := strings.Cut(rest, "'")
	n, err := strconv.Atoi(text)
	if !found || err != nil || !strings.Contains(end, "<system-shutdown") {
		t.Fatalf("the stream ended with %s, want system-shutdown and when to come back", end)
	}
	return n
}

// draining returns what the API says of the drain.
func draining(t *testing.T, s *harness.Server) (d struct {
	State          string
	Sessions, Left int
	Reason         string
}) {
	t.Helper()
	_, text := s.Call(t, "GET", "/v1/drain", "", http.StatusOK)
	if err := json.Unmarshal([]byte(text), &d); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return d
}

// TestDrain: endpoints are sent away over the period, newcomers with them, while the API takes pushes; then all may come again, and sessions go on.
func TestDrain(t *testing.T) {
	t.Parallel()
	s := harness.Start(t)
	const period = 4
	sent := make(map[string]*harness.Stream)
	ids := make(map[string]string)
	for i := range 4 {
		id := fmt.Sprintf("pc-%d", i)
		register(t, s, id)
		sent[id] = s.Connect(t, id)
		ids[id] = resumable(t, sent[id], id)
		s.AwaitPresence(t, id, "online")
	}
	began := time.Now()
	s.Call(t, "POST", "/v1/drain", fmt.Sprintf(`{"period":%d,"reason":"upgrade"}`, period), http.StatusAccepted)
	if _, text := s.Call(t, "GET", "/readyz", "", http.StatusServiceUnavailable); !strings.Contains(text, "upgrade") {
		t.Errorf("readiness: %s", text)
	}
	newcomer := s.Connect(t, "newcomer")
	newcomer.Want("(stream)")
	after := retryAfter(t, newcomer.Next())
	if back := time.Now().Add(time.Duration(after) * time.Second); back.Before(began.Add(period*time.Second)) || after > period+3 {
		t.Errorf("a newcomer comes back after %d s, which is %v after the drain began", after, back.Sub(began))
	}
	push := s.Submit(t, `{"to":"pc-1","type":"demo.any"}`)
	for id, st := range sent {
		end := skipRequests(st)
		if strings.HasPrefix(end, "<message") { // the push came before
			end = skipRequests(st)
		}
		if after := retryAfter(t, end); after < 1 || after > period+3 {
			t.Errorf("%s comes back after %d s", id, after)
		}
		st.Want("(end)")
		st.Close()
	}
	harness.Await(t, func() bool { return draining(t, s).State == "drained" }, func() string { return fmt.Sprint(draining(t, s)) })
	if took := time.Since(began); took < period*time.Second*3/4 {
		t.Errorf("all were gone after %v, want them spread over %d s", took, period)
	}
	if d := draining(t, s); d.Sessions != 4 || d.Left != 0 || d.Reason != "upgrade" {
		t.Errorf("drain: %+v", d)
	}
	if p := s.AwaitPresence(t, "pc-1", "offline"); !strings.Contains(p, `"reason":"shutdown"`) {
		t.Errorf("presence: %s", p)
	}
	s.Call(t, "DELETE", "/v1/drain", "", http.StatusOK)
	s.Call(t, "GET", "/readyz", "", http.StatusOK)
	st, answer := again(t, s, ids["pc-1"])
	if !strings.Contains(answer, "<resumed") {
		t.Fatalf("got %s; presence %s", answer, s.AwaitPresence(t, "pc-1", "offline"))
	}
	if item := skipRequests(st); !strings.Contains(item, "id='"+push+"'") {
		t.Errorf("got %s, want push %s", item, push)
	}
	s.AwaitPresence(t, "pc-1", "online")
}

// TestStopIsNotTakenBack: who asks while the server stops hears so at once, not when everybody is gone.
func TestStopIsNotTakenBack(t *testing.T) {
	t.Parallel()
	const period = 6 * time.Second
	s := harness.Start(t, func(c *config.Config) { c.Drain.Period = period })
	for i := range 3 {
		id := fmt.Sprintf("pc-%d", i)
		register(t, s, id)
		resumable(t, s.Connect(t, id), id)
	}
	stopped := make(chan struct{})
	go func() { defer close(stopped); s.Stop() }()
	t.Cleanup(func() { <-stopped }) // of a test that fails meanwhile: only one may stop the server at a time
	harness.Await(t, func() bool { return draining(t, s).State == "stopping" }, func() string { return fmt.Sprint(draining(t, s)) })
	asked := time.Now()
	s.Call(t, "DELETE", "/v1/drain", "", http.StatusConflict)
	s.Call(t, "POST", "/v1/drain", `{"period":1}`, http.StatusConflict)
	took := time.Since(asked)
	<-stopped
	if all := time.Since(asked); took > all/2 {
		t.Errorf("the answers took %v, and the stop %v", took, all)
	}
}

// TestDrainTellsComponents: they hear of it after the endpoints, and may come again when it is taken back.
func TestDrainTellsComponents(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Components)
	st := s.ConnectComponent(t, "bot")
	st.Serve(bot)
	s.Call(t, "POST", "/v1/drain", `{"period":1}`, http.StatusAccepted)
	retryAfter(t, st.Next())
	s.Call(t, "DELETE", "/v1/drain", "", http.StatusOK)
	st.Want("(end)")
	st.Close()
	harness.Await(t, func() bool {
		_, text := s.Call(t, "GET", "/metrics", "", http.StatusOK)
		return strings.Contains(text, "signalbox_component_connected_streams 0")
	}, func() string { return "the component is still there" })
	s.ConnectComponent(t, "bot again").Serve(bot)
}
