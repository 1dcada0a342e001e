package console

import (
	"encoding/json"
	"net/netip"
	"net/url"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	coder "github.com/coder/websocket"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"signalbox/internal/access/technician"
	"signalbox/internal/endpoint"
	"signalbox/internal/events"
	"signalbox/internal/remote"
	"signalbox/internal/signalling"
)

// session is an endpoint's session.
type session struct{ _ byte } // each has its own address

func (*session) Deliver(endpoint.Stanza) error { return endpoint.ErrOffline }
func (*session) End(endpoint.Reason)           {}
func (*session) LastHeard() time.Time          { return time.Now() }
func (*session) Facts() endpoint.Facts {
	return endpoint.Facts{Resource: "agent", Remote: netip.MustParseAddrPort("192.0.2.9:4711"), Via: "tls", TLSVersion: 0x0304, Bound: time.Now()}
}

func (w *world) bind(k endpoint.Key, s endpoint.Session) {
	w.t.Helper()
	if err := w.registry.Bind(k, s); err != nil {
		w.t.Fatal(err)
	}
}

// heard is a message to an open page.
type heard struct {
	Presence map[string]struct {
		State  string `json:"state"`
		Reason string `json:"reason"`
	} `json:"presence"`
	Session  *sessionBody `json:"session"`
	Endpoint string       `json:"endpoint"`
	Gap      bool         `json:"gap"`
}

// state hears until an endpoint is in a state, and returns why.
func state(t *testing.T, ws *coder.Conn, id, want string) (reason string) {
	t.Helper()
	for {
		var m heard
		hear(t, ws, &m)
		if p, told := m.Presence[id]; told && p.State == want {
			return p.Reason
		}
	}
}

// presences hears the next presences; endpoints that the page may see may have been told of before them.
func presences(t *testing.T, ws *coder.Conn) (m heard) {
	t.Helper()
	for m.Presence == nil {
		m = heard{}
		hear(t, ws, &m)
	}
	return m
}

// TestLivePresence: what an open page watches and may see is told as it changes, and nothing else.
func TestLivePresence(t *testing.T) {
	w := newWorld(t)
	one, other, hidden := w.endpoint("pc-1", "lab"), w.endpoint("pc-2", "lab"), w.endpoint("pc-3", "attic")
	w.role(technician.Role{Name: "lab", Groups: []string{"lab"}})
	ws := w.signedIn("ada", "lab").open(livePath, liveProtocol)
	say(t, ws, `{"watch":{"endpoints":["pc-1","pc-3","nowhere"]}}`)
	if first := presences(t, ws); len(first.Presence) != 1 || first.Presence["pc-1"].State != "never" {
		t.Fatalf("answer = %+v", first)
	}
	s := &session{}
	w.bind(hidden, &session{})
	w.bind(other, &session{})
	w.bind(one, s)
	state(t, ws, "pc-1", "online")
	w.registry.Unbind(one, s, endpoint.ReasonConnectionLost)
	if reason := state(t, ws, "pc-1", "offline"); reason != endpoint.ReasonConnectionLost.Name {
		t.Errorf("reason = %q", reason)
	}
	say(t, ws, `{"watch":{"endpoints":["pc-2"]}}`)
	state(t, ws, "pc-2", "online")
	say(t, ws, `{"watch":{"endpoints":[]}}`)
	if none := presences(t, ws); len(none.Presence) > 0 {
		t.Errorf("answer to watching nothing = %+v", none)
	}
}

// TestLiveHidesEndpoints: a page that asks for endpoints by their ids is told of those that it may see when they are made and changed, and of no others.
func TestLiveHidesEndpoints(t *testing.T) {
	w := newWorld(t)
	w.role(technician.Role{Name: "lab", Groups: []string{"lab"}})
	ws := w.signedIn("ada", "lab").open(livePath, liveProtocol)
	say(t, ws, `{"watch":{"endpoints":["pc-1","pc-3"]}}`)
	presences(t, ws)
	hidden, seen := w.endpoint("pc-3", "attic"), w.endpoint("pc-1", "lab")
	for range 2 {
		var m heard
		if hear(t, ws, &m); m.Endpoint != "pc-1" {
			t.Errorf("told %+v, want pc-1 alone", m)
		}
		for _, k := range []endpoint.Key{hidden, seen} {
			if _, err := w.directory.Update(t.Context(), k, endpoint.Patch{Labels: map[string]string{"os": "linux"}}); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestLiveRights: a role that changes, and an endpoint that comes into its reach, hold for pages that are open.
func TestLiveRights(t *testing.T) {
	w := newWorld(t)
	k := w.endpoint("pc-1", "attic")
	w.role(technician.Role{Name: "lab", Groups: []string{"lab"}})
	ws := w.signedIn("ada", "lab").open(livePath, liveProtocol)
	say(t, ws, `{"watch":{"endpoints":["pc-1"]}}`)
	var m heard
	if hear(t, ws, &m); len(m.Presence) > 0 {
		t.Fatalf("it may see %+v", m)
	}
	if _, err := w.directory.Update(t.Context(), k, endpoint.Patch{Groups: []string{"lab"}}); err != nil {
		t.Fatal(err)
	}
	for m.Endpoint != "pc-1" {
		hear(t, ws, &m)
	}
	say(t, ws, `{"watch":{"endpoints":["pc-1"]}}`) // as a page does that reads it again
	w.bind(k, &session{})
	state(t, ws, "pc-1", "online")
}

// TestLiveSessions: of sessions those are told who take part, or manage the endpoint's.
func TestLiveSessions(t *testing.T) {
	w := newWorld(t)
	w.endpoint("pc-1", "lab")
	w.role(technician.Role{Name: "boss", Groups: []string{"lab"}, Manages: true})
	w.role(technician.Role{Name: "else", Groups: []string{"attic"}, Manages: true})
	mine, boss, others := w.signedIn("ada", "operator"), w.signedIn("bob", "boss"), w.signedIn("eve", "else", "operator")
	pages := map[string]*coder.Conn{}
	for name, b := range map[string]*browser{"ada": mine, "bob": boss, "eve": others} {
		pages[name] = b.open(livePath, liveProtocol)
		say(t, pages[name], `{"watch":{"endpoints":[]}}`)
		var m heard
		hear(t, pages[name], &m) // so it is there
	}
	ada, err := w.technicians.Technician(t.Context(), "ada")
	if err != nil {
		t.Fatal(err)
	}
	opened, err := w.broker.Open(t.Context(), domain, remote.Spec{Endpoint: "pc-1", Technician: signalling.Technician{ID: ada.ID, Name: "ADA"}}, remote.Caller{Name: "ada"})
	if err != nil {
		t.Fatal(err)
	}
	for _, data := range []string{`{"id":"` + opened.ID.String() + `"}`, `{"id":"nonsense"}`, `{}`, `[]`} {
		w.h.live.tell(t.Context(), &events.Event{Type: "session.accepted", Domain: domain, Data: []byte(data)})
	}
	for name, isMine := range map[string]bool{"ada": true, "bob": false} {
		var m heard
		if hear(t, pages[name], &m); m.Session == nil || m.Session.ID != opened.ID.String() || m.Session.Mine != isMine {
			t.Errorf("%s is told %+v", name, m)
		}
	}
	say(t, pages["eve"], `{"watch":{"endpoints":[]}}`)
	var m heard
	if hear(t, pages["eve"], &m); m.Session != nil {
		t.Errorf("eve is told of %+v", m.Session)
	}
}

func TestLiveRefusals(t *testing.T) {
	w := newWorld(t)
	b := w.signedIn("ada", "viewer")
	for _, origin := range []string{"https://evil.example", "null", strings.Replace(w.srv.URL, "https", "http", 1)} {
		if _, resp, err := b.dial(livePath, liveProtocol, "Origin", origin); err == nil || resp.StatusCode != 403 {
			t.Errorf("from %s: %v, %v", origin, resp, err)
		}
	}
	closes(t, (&browser{w: w}).open(livePath, liveProtocol), endSignedOut)
	closes(t, (&browser{w: w, cookie: strings.Repeat("A", 43)}).open(livePath, liveProtocol), endSignedOut)
	many := `{"watch":{"endpoints":["` + strings.Repeat(`x","`, maxWatched) + `x"]}}`
	for _, text := range []string{`{`, `{}`, `[]`, `{"watch":{}} {}`, `{"watch":{"all":true}}`, `{"other":1}`, many} {
		ws := b.open(livePath, liveProtocol)
		say(t, ws, text)
		closes(t, ws, endMalformed)
	}
	ws := b.open(livePath, liveProtocol)
	if err := ws.Write(t.Context(), coder.MessageBinary, []byte(`{"watch":{"endpoints":[]}}`)); err != nil {
		t.Fatal(err)
	}
	closes(t, ws, endMalformed)
	ws = b.open(livePath, liveProtocol)
	say(t, ws, `{"watch":{"endpoints":["`+strings.Repeat("x", maxBodyBytes)+`"]}}`)
	closes(t, ws, endTooBig)
}

// TestLiveIsBounded: one technician has so many pages open at most.
func TestLiveIsBounded(t *testing.T) {
	w := newWorld(t)
	b := w.signedIn("ada", "viewer")
	var first *coder.Conn
	for range maxPerMember {
		ws := b.open(livePath, liveProtocol)
		say(t, ws, `{"watch":{"endpoints":[]}}`)
		var m heard
		hear(t, ws, &m)
		if first == nil {
			first = ws
		}
	}
	closes(t, b.open(livePath, liveProtocol), endTooMany)
	if err := first.Close(coder.StatusNormalClosure, ""); err != nil {
		t.Fatal(err)
	}
	for { // until the place is given back
		ws := b.open(livePath, liveProtocol)
		say(t, ws, `{"watch":{"endpoints":[]}}`)
		if _, _, err := ws.Read(t.Context()); err == nil {
			break
		}
	}
}

// TestSlowPage: a page that takes nothing is let go, and holds nobody up.
func TestSlowPage(t *testing.T) {
	w := newWorld(t)
	v := &viewer{h: w.h, socket: &socket{out: make(chan []byte, 2), ended: make(chan struct{})}}
	for range 4 {
		v.say(message{Gap: true})
	}
	select {
	case <-v.socket.ended:
	default:
		t.Fatal("it goes on")
	}
	if v.socket.how != endTooSlow || len(v.socket.out) != 2 {
		t.Errorf("it ended as %+v with %d messages", v.socket.how, len(v.socket.out))
	}
}

// TestLiveGap: where events could not be followed for a while, open pages are told so once they can.
func TestLiveGap(t *testing.T) {
	w := newWorld(t)
	full, err := events.NewHub(events.Config{Followers: 1, Heartbeat: time.Second}, w.store, zap.NewNop(), prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	run(t, full.Run)
	other, err := full.Follow(t.Context(), events.FromNow, events.Filter{})
	if err != nil {
		t.Fatal(err)
	}
	core, logs := observer.New(zap.WarnLevel)
	h := *w.h
	h.deps.Events, h.log = full, zap.New(core)
	b := newHub(&h)
	v := &viewer{h: &h, socket: &socket{out: make(chan []byte, 2), ended: make(chan struct{})}}
	b.add(v)
	run(t, b.run)
	for logs.Len() == 0 { // until it was tried
		runtime.Gosched()
	}
	other.Close()
	if got := string(<-v.socket.out); got != `{"gap":true}` {
		t.Errorf("told %s", got)
	}
}

func FuzzWatch(f *testing.F) {
	for _, text := range []string{`{"watch":{"endpoints":["pc-1"]}}`, `{"watch":{}}`, `{"watch":{"endpoints":[]}} `, `{"watch":null}`, `{}`, `[]`} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		ids, ok := parseWatch(text)
		if !ok {
			return
		}
		again, err := json.Marshal(map[string]any{"watch": map[string]any{"endpoints": ids}})
		if err != nil {
			t.Fatal(err)
		}
		if got, ok := parseWatch(again); len(ids) > maxWatched || !ok || !slices.Equal(got, ids) {
			t.Errorf("%q is read as %q, and that as %q", text, ids, got)
		}
	})
}

func FuzzCursor(f *testing.F) {
	f.Add(newCursor("pc-1"))
	f.Add("k1")
	f.Fuzz(func(t *testing.T, text string) {
		place, err := placeOf(url.Values{"cursor": {text}})
		if err != nil || place == "" {
			return
		}
		if got, err := placeOf(url.Values{"cursor": {newCursor(place)}}); err != nil || got != place {
			t.Errorf("%q is the place %q, and that %q, %v", text, place, got, err)
		}
	})
}
