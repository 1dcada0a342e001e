package harness

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// Call speaks HTTP with the API as curl would, and fails unless the answer has this status.
func (s *Server) Call(t *testing.T, method, path, body string, want int) (http.Header, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, s.URL()+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+s.Token)
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != want {
		t.Fatalf("%s %s: status %d, want %d: %s", method, path, resp.StatusCode, want, text)
	}
	return resp.Header, strings.TrimSpace(string(text))
}

// Push is a push as the API shows it.
type Push struct {
	ID      string
	To      string
	State   string
	History []struct {
		State, Reason string
		At            time.Time
	}
	Result json.RawMessage
}

// States returns the names of the states that the push was in.
func (p Push) States() (names []string) {
	for _, h := range p.History {
		names = append(names, h.State)
	}
	return names
}

// Submit posts a push and returns its id.
func (s *Server) Submit(t *testing.T, body string) string {
	t.Helper()
	_, text := s.Call(t, "POST", "/v1/pushes", body, http.StatusAccepted)
	var p Push
	if err := json.Unmarshal([]byte(text), &p); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return p.ID
}

// Push reads a push.
func (s *Server) Push(t *testing.T, id string) Push {
	t.Helper()
	_, text := s.Call(t, "GET", "/v1/pushes/"+id, "", http.StatusOK)
	var p Push
	if err := json.Unmarshal([]byte(text), &p); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return p
}

// AwaitPush waits until a push is in this state.
func (s *Server) AwaitPush(t *testing.T, id, state string) Push {
	t.Helper()
	var p Push
	Await(t, func() bool {
		p = s.Push(t, id)
		return p.State == state
	}, func() string { return "push " + id + " is " + p.State + ", want " + state })
	return p
}

// AwaitPresence waits until an endpoint's presence is in this state and returns the answer of the API.
func (s *Server) AwaitPresence(t *testing.T, id, state string) string {
	t.Helper()
	var text string
	Await(t, func() bool {
		_, text = s.Call(t, "GET", "/v1/endpoints/"+id+"/presence", "", http.StatusOK)
		return strings.Contains(text, `"state":"`+state+`"`)
	}, func() string { return "presence of " + id + " is " + text + ", want " + state })
	return text
}

// Await looks until ok is true, and fails with what problem says if it does not come true.
func Await(t *testing.T, ok func() bool, problem func() string) {
	t.Helper()
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	end := time.After(patience)
	for !ok() {
		select {
		case <-look.C:
		case <-end:
			t.Fatal(problem())
		}
	}
}
