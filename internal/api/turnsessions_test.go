package api

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"signalbox/internal/access"
	"signalbox/internal/turnsession"
)

// fakeTURN is a TURN server that remembers what it serves, and fails on demand.
type fakeTURN struct {
	mu     sync.Mutex
	open   map[turnsession.ID]turnsession.Grant
	broken error
}

func (f *fakeTURN) fail(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.broken = err
}

func (f *fakeTURN) Open(_ context.Context, g turnsession.Grant) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.broken == nil {
		f.open[g.ID] = g
	}
	return f.broken
}

func (f *fakeTURN) End(_ context.Context, id turnsession.ID, _ string) (turnsession.Counters, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.open, id)
	return turnsession.Counters{Allocations: 2, BytesUp: 1000, RefusedPeers: map[string]uint64{"127.0.0.1": 3}}, nil
}

func (*fakeTURN) Counters(context.Context, turnsession.ID) (turnsession.Counters, error) {
	return turnsession.Counters{Allocations: 2, OpenAllocations: 2, BytesUp: 500}, nil
}

func (*fakeTURN) Credentials(id turnsession.ID, s turnsession.Side) turnsession.Credentials {
	return turnsession.Credentials{
		Username: "1767369600:" + id.String() + ":" + s.String(), Password: "secret-of-" + s.String(), URLs: []string{"turn:turn.example.test:3478?transport=udp"},
		Expires: time.Unix(1767369600, 0),
	}
}

// openTURN opens a session and returns its path.
func (w *world) openTURN(body string) string {
	w.t.Helper()
	return w.do("POST", "/v1/turn/sessions", body).ok(http.StatusCreated).header.Get("Location")
}

// TestTURNSessions: what the API shows of a session from its opening to its end.
func TestTURNSessions(t *testing.T) {
	w := newWorld(t, Default())
	w.do("POST", "/v1/endpoints", `{"id":"pc-1"}`).ok(http.StatusCreated)
	made := w.do("POST", "/v1/turn/sessions", `{"ttl":60,"allow_peers":["192.0.2.9/24","2001:db8::1"],"endpoints":{"b":"pc-1"},"technician":"ann","max_allocations":2,"rate":1000000}`).ok(http.StatusCreated)
	path := made.header.Get("Location")
	id := strings.TrimPrefix(path, "/v1/turn/sessions/")
	want := `{"id":"` + id + `","sides":{"a":{"username":"1767369600:` + id + `:a","credential":"secret-of-a","urls":["turn:turn.example.test:3478?transport=udp"],"expires_at":"2026-01-02T16:00:00Z"},` +
		`"b":{"username":"1767369600:` + id + `:b","credential":"secret-of-b","urls":["turn:turn.example.test:3478?transport=udp"],"expires_at":"2026-01-02T16:00:00Z"}},"expires_at":"`
	if !strings.HasPrefix(string(made.body), want) {
		t.Errorf("answer %s\nwant   %s...", made.body, want)
	}
	if renewed := w.do("POST", path+"/credentials", "").ok(http.StatusOK); string(renewed.body) != string(made.body) {
		t.Errorf("renewed %s\nwant    %s", renewed.body, made.body)
	}
	fields := `"opened_by":"only admin","technician":"ann","endpoints":{"b":"pc-1"},"allow_peers":["192.0.2.0/24","2001:db8::1"],"max_allocations":2,"rate":1000000,"created_at":"`
	open := string(w.do("GET", path, "").ok(http.StatusOK).body)
	for _, part := range []string{`{"id":"` + id + `","state":"open",` + fields, `"counters":{"allocations":2,"open_allocations":2,"packets_up":0,"packets_down":0,"bytes_up":500,"bytes_down":0,"drops":{},"refused_peers":{}},"counted_at":"`} {
		if !strings.Contains(open, part) {
			t.Errorf("open session %s\nlacks %s", open, part)
		}
	}
	for range 2 {
		ended := string(w.do("DELETE", path, "").ok(http.StatusOK).body)
		for _, part := range []string{`"state":"ended","reason":"requested",` + fields, `"ended_at":"`, `"bytes_up":1000,"bytes_down":0,"drops":{},"refused_peers":{"127.0.0.1":3}}`} {
			if !strings.Contains(ended, part) {
				t.Errorf("ended session %s\nlacks %s", ended, part)
			}
		}
	}
	for _, text := range []string{open, string(w.do("GET", "/v1/turn/sessions", "").ok(http.StatusOK).body)} {
		if strings.Contains(text, "secret-of") {
			t.Errorf("%s shows a password again", text)
		}
	}
	for _, e := range w.logs.All() {
		if strings.Contains(e.Message, "secret-of") {
			t.Errorf("log line %q has a password", e.Message)
		}
	}
}

// TestTURNSessionPages: lists go by pages and by state.
func TestTURNSessionPages(t *testing.T) {
	w := newWorld(t, Default())
	var paths []string
	for range 3 {
		paths = append(paths, w.openTURN(""))
	}
	w.do("DELETE", paths[1], "").ok(http.StatusOK)
	for state, want := range map[string][]int{"": {2, 1, 0}, "&state=open": {2, 0}, "&state=ended": {1}} {
		var got, wanted []string
		for cursor, more := "", true; more; {
			page := w.do("GET", "/v1/turn/sessions?limit=1"+state+cursor, "").ok(http.StatusOK).json()
			for _, item := range page["items"].([]any) {
				got = append(got, "/v1/turn/sessions/"+item.(map[string]any)["id"].(string))
			}
			var next string
			next, more = page["next"].(string)
			cursor = "&cursor=" + next
		}
		for _, i := range want {
			wanted = append(wanted, paths[i])
		}
		if strings.Join(got, " ") != strings.Join(wanted, " ") {
			t.Errorf("%q lists %v, want %v", state, got, wanted)
		}
	}
	w.do("GET", "/v1/turn/sessions?cursor=x", "").want(validationFailed, "cursor")
	w.do("GET", "/v1/turn/sessions?state=closed", "").want(validationFailed, "state")
}

func TestTURNSessionMistakes(t *testing.T) {
	w := newWorld(t, Default())
	for _, tc := range []struct{ name, body, pointers string }{
		{"no time", `{"ttl":0}`, "/ttl"},
		{"more than a day", `{"ttl":86401}`, "/ttl"},
		{"a name", `{"allow_peers":["192.0.2.1","turn.example.com"]}`, "/allow_peers/1"},
		{"a port", `{"allow_peers":["192.0.2.1:80"]}`, "/allow_peers/0"},
		{"a zone", `{"allow_peers":["fe80::1%eth0"]}`, "/allow_peers/0"},
		{"many peers", `{"allow_peers":["192.0.2.1"` + strings.Repeat(`,"192.0.2.1"`, 16) + `]}`, "/allow_peers"},
		{"one endpoint twice", `{"endpoints":{"a":"pc-1","b":"pc-1"}}`, "/endpoints/b"},
		{"a long name", `{"technician":"` + strings.Repeat("x", 65) + `"}`, "/technician"},
		{"allocations and rate", `{"max_allocations":1001,"rate":-1}`, "/max_allocations /rate"},
		{"an unknown side", `{"endpoints":{"c":"pc-1"}}`, "/endpoints/c"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w.t = t
			w.do("POST", "/v1/turn/sessions", tc.body).want(validationFailed, strings.Fields(tc.pointers)...)
		})
	}
	w.t = t
	w.do("POST", "/v1/turn/sessions", `{"endpoints":{"b":"pc-9"}}`).want(unknownEndpoint, "/endpoints/b")
	w.send(request("POST", "/v1/turn/sessions", w.tokens[access.ScopePush], "{}")).want(insufficientScope)
	w.send(request("POST", "/v1/turn/sessions", w.tokens[access.ScopeSessions], "{}")).ok(http.StatusCreated)
	if len(w.turn.open) != 1 {
		t.Errorf("%d sessions were opened", len(w.turn.open))
	}
}

// TestTURNServerAway: what needs the TURN server says so, and when to come back.
func TestTURNServerAway(t *testing.T) {
	w := newWorld(t, Default())
	w.turn.fail(context.DeadlineExceeded)
	a := w.do("POST", "/v1/turn/sessions", "")
	a.want(turnUnavailable)
	if a.header.Get("Retry-After") != "2" {
		t.Errorf("Retry-After = %q", a.header.Get("Retry-After"))
	}
	if page := string(w.do("GET", "/v1/turn/sessions", "").ok(http.StatusOK).body); !strings.Contains(page, `"items":[]`) {
		t.Errorf("sessions = %s", page)
	}
}
