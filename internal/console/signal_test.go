package console

import (
	"errors"
	"runtime"
	"strings"
	"testing"

	coder "github.com/coder/websocket"

	"signalbox/internal/remote"
	"signalbox/internal/signalling"
)

const attachText = `{"type":"attach","id":"ses_0000000000001","token":"abc"}`

// attached opens a WebSocket and takes a seat.
func (w *world) attached() (*coder.Conn, *fakeSeat) {
	w.t.Helper()
	ws := (&browser{w: w}).open(SignalPath, signalProtocol)
	say(w.t, ws, attachText)
	var first map[string]any
	if hear(w.t, ws, &first); first["type"] != "state" {
		w.t.Fatalf("first answer = %v", first)
	}
	return ws, <-w.broker.attached
}

func TestSignalling(t *testing.T) {
	w := newWorld(t)
	ws, seat := w.attached()
	if seat.attach.Token != "abc" || seat.attach.ID != "ses_0000000000001" || !seat.from.IsLoopback() {
		t.Errorf("attached with %+v from %v", seat.attach, seat.from)
	}
	say(t, ws, `{"type":"sdp","id":"ses_0000000000001","kind":"offer","sdp":"v=0","peer":1}`)
	if m := (<-seat.took).(signalling.SDP); m.SDP != "v=0" || m.Peer != 1 {
		t.Errorf("took %+v", m)
	}
	if !seat.send(signalling.SDP{About: seat.attach.About, Kind: "answer", SDP: "v=1", Peer: 1}) {
		t.Error("the answer is not taken")
	}
	var answer map[string]any
	if hear(t, ws, &answer); answer["type"] != "sdp" || answer["sdp"] != "v=1" {
		t.Errorf("heard %v", answer)
	}
	if err := ws.Close(coder.StatusNormalClosure, ""); err != nil {
		t.Fatal(err)
	}
	<-seat.detached
}

// TestSignallingOfBefore: a technician's program that ends at a message that it does not know asks for the first subprotocol alone, and does not get what was not said at first.
func TestSignallingOfBefore(t *testing.T) {
	w := newWorld(t)
	for protocols, want := range map[string][]string{
		signalProtocol + ", " + firstProtocol: {"restarted", "end"}, firstProtocol + ", " + signalProtocol: {"restarted", "end"}, signalProtocol: {"restarted", "end"}, firstProtocol: {"end"},
	} {
		ws := (&browser{w: w}).open(SignalPath, protocols)
		say(t, ws, attachText)
		var m map[string]any
		hear(t, ws, &m)
		seat := <-w.broker.attached
		for _, said := range []signalling.Message{signalling.Restarted{About: seat.attach.About}, signalling.End{About: seat.attach.About, Reason: "user_ended"}} {
			if !seat.send(said) {
				t.Errorf("%s is not taken", said.Name())
			}
		}
		for _, name := range want {
			if hear(t, ws, &m); m["type"] != name {
				t.Errorf("a technician with the protocols %q hears %v, want %s", protocols, m, name)
			}
		}
		if err := ws.Close(coder.StatusNormalClosure, ""); err != nil {
			t.Fatal(err)
		}
		<-seat.detached
	}
}

// TestSignallingRefusals: what is not the protocol, comes from elsewhere or has no right ends the connection, each with its code.
func TestSignallingRefusals(t *testing.T) {
	w := newWorld(t)
	b := &browser{w: w}
	if _, resp, err := b.dial(SignalPath, signalProtocol, "Origin", "https://evil.example"); err == nil || resp.StatusCode != 403 {
		t.Errorf("from another origin: %v, %v", resp, err)
	}
	if ws, _, err := b.dial(SignalPath, signalProtocol, "Origin", ""); err != nil { // a program, which no page makes do things
		t.Errorf("without an origin: %v", err)
	} else {
		_ = ws.CloseNow()
	}
	for first, code := range map[string]signalling.Code{
		`{`: signalling.Malformed, `{"type":"end","id":"ses_0000000000001","reason":"technician_ended"}`: signalling.Unexpected,
		`{"type":"root","id":"ses_0000000000001"}`:                             signalling.UnknownType,
		`{"type":"attach","id":"ses_0000000000001","token":"abc","root":true}`: signalling.UnknownMember,
		`{"type":"ice","id":"ses_0000000000001","ice_servers":[]}`:             signalling.NotAllowed,
	} {
		ws := b.open(SignalPath, signalProtocol)
		say(t, ws, first)
		t.Log(first)
		closes(t, ws, ending{coder.StatusPolicyViolation, string(code)})
		if got := <-w.broker.refused; got != code {
			t.Errorf("the broker is told of %s, want %s", got, code)
		}
	}
	ws := b.open(SignalPath, signalProtocol)
	say(t, ws, `{"type":"attach","id":"`+strings.Repeat("x", signalling.MaxMessage)+`"}`)
	closes(t, ws, endTooBig)
	if got := <-w.broker.refused; got != signalling.TooLarge {
		t.Errorf("the broker is told of %s, want %s", got, signalling.TooLarge)
	}
	for _, tc := range []struct {
		err  error
		want ending
	}{{remote.ErrTicket, endRefused}, {&remote.EndedError{Reason: "technician_ended"}, endOver}, {remote.ErrUnavailable, endTryLater}, {errors.New("disk"), endTryLater}} {
		w.broker.fail(tc.err)
		ws := b.open(SignalPath, signalProtocol)
		say(t, ws, attachText)
		t.Log(tc.err)
		closes(t, ws, tc.want)
	}
	if n := len(w.broker.refused); n != 0 {
		t.Errorf("the broker is told of %d messages more", n)
	}
}

func TestSignallingEnds(t *testing.T) {
	w := newWorld(t)
	about := signalling.About{ID: "ses_0000000000001"}
	for name, tc := range map[string]struct {
		do   func(ws *coder.Conn, s *fakeSeat)
		want ending
	}{
		"a second attach":     {func(ws *coder.Conn, _ *fakeSeat) { say(t, ws, attachText) }, ending{coder.StatusPolicyViolation, "unexpected"}},
		"no message":          {func(ws *coder.Conn, _ *fakeSeat) { say(t, ws, `x`) }, endMalformed},
		"replaced":            {func(_ *coder.Conn, s *fakeSeat) { s.closed(remote.LetGoReplaced) }, endReplaced},
		"let go for slowness": {func(_ *coder.Conn, s *fakeSeat) { s.closed(remote.LetGoSlow) }, endTooSlow},
		"the session ends": {func(_ *coder.Conn, s *fakeSeat) {
			s.send(signalling.End{About: about, Reason: "user_ended"})
			s.closed("user_ended")
		}, endOver},
		"what does not fit is dropped, a flood is not read": {func(ws *coder.Conn, s *fakeSeat) {
			s.broken = remote.ErrMessage
			say(t, ws, `{"type":"candidate","id":"ses_0000000000001","candidate":"","mid":"0","line":0,"peer":1}`)
			say(t, ws, `x`)
		}, endMalformed},
		"the seat is another's": {func(ws *coder.Conn, s *fakeSeat) {
			s.broken = remote.ErrReplaced
			say(t, ws, `{"type":"candidate","id":"ses_0000000000001","candidate":"","mid":"0","line":0,"peer":1}`)
		}, endReplaced},
	} {
		ws, seat := w.attached()
		tc.do(ws, seat)
		t.Log(name)
		closes(t, ws, tc.want)
		<-seat.detached
		if told := len(seat.refused) == 1; told != (tc.want.code == endMalformed.code) {
			t.Errorf("the broker is told of a message that was refused: %v", told)
		}
	}
}

// TestSignallingOfAnEndedSession: who comes to a session that has just ended is told why before the connection closes.
func TestSignallingOfAnEndedSession(t *testing.T) {
	w := newWorld(t)
	w.broker.fail(&remote.EndedError{Reason: "user_ended", Detail: "enough"})
	ws := (&browser{w: w}).open(SignalPath, signalProtocol)
	say(t, ws, attachText)
	var end map[string]any
	hear(t, ws, &end)
	if end["type"] != "end" || end["id"] != "ses_0000000000001" || end["reason"] != "user_ended" || end["detail"] != "enough" {
		t.Errorf("heard %v, want the end", end)
	}
	closes(t, ws, endOver)
}

// TestSlowTechnician: who takes nothing is let go; what is sent meanwhile is bounded.
func TestSlowTechnician(t *testing.T) {
	w := newWorld(t)
	ws, seat := w.attached()
	big := signalling.SDP{About: seat.attach.About, Kind: "answer", SDP: strings.Repeat("x", 60<<10), Peer: 1}
	sent := 0
	for seat.send(big) {
		if sent++; sent > 100_000 {
			t.Fatal("everything is taken")
		}
	}
	_ = ws.CloseNow()
	<-seat.detached
}

// TestStop: when the server stops, open WebSockets are told, and come back later.
func TestStop(t *testing.T) {
	w := newWorld(t)
	ws, seat := w.attached()
	live := w.signedIn("ada", "viewer").open(livePath, liveProtocol)
	w.stop()
	closes(t, ws, endStopping)
	closes(t, live, endStopping)
	<-seat.detached
}

// TestSignallingIsBounded: strangers hold so many connections at most, each for so long that they attach.
func TestSignallingIsBounded(t *testing.T) {
	w := newWorld(t)
	p := newPlaces()
	var leave func()
	for range maxPerSource {
		give, ok := p.take("a", maxPerSource)
		if !ok {
			t.Fatal("there is no place")
		}
		leave = give
	}
	if _, ok := p.take("a", maxPerSource); ok {
		t.Error("one caller has more places than there are for one")
	}
	if _, ok := p.take("b", maxPerSource); !ok {
		t.Error("another caller has no place")
	}
	if leave(); len(p.taken) != 2 || p.all != maxPerSource {
		t.Errorf("%v taken, %d in all", p.taken, p.all)
	}
	_, seat := w.attached()
	w.awaitPlaces("session ses_0000000000001", 1)
	w.awaitPlaces("from 127.0.0.1", 0) // who has shown who they are is no stranger any more
	seat.closed("user_ended")
	w.awaitPlaces("session ses_0000000000001", 0)
	w.h.sockets.mu.Lock()
	w.h.sockets.taken["from 127.0.0.1"] = maxPerSource
	w.h.sockets.mu.Unlock()
	for path, protocol := range map[string]string{SignalPath: signalProtocol, livePath: liveProtocol} {
		if _, resp, err := (&browser{w: w}).dial(path, protocol); err == nil || resp.StatusCode != tooFast.status {
			t.Errorf("beyond the bound: %v, %v", resp, err)
		}
	}
}

// awaitPlaces waits until a caller has so many places.
func (w *world) awaitPlaces(caller string, want int) {
	w.t.Helper()
	for got := -1; got != want; runtime.Gosched() {
		if err := w.t.Context().Err(); err != nil {
			w.t.Fatal(err)
		}
		w.h.sockets.mu.Lock()
		got = w.h.sockets.taken[caller]
		w.h.sockets.mu.Unlock()
	}
}
