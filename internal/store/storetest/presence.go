package storetest

import (
	"errors"
	"testing"
	"time"

	"signalbox/internal/endpoint"
	"signalbox/internal/events"
)

var presenceTests = map[string]func(*testing.T, Subject){
	"presence/grace":       testGrace,
	"presence/restart":     testGraceAfterRestart,
	"presence/last end":    testLastEnd,
	"presence/trouble":     testTrouble,
	"presence/by id":       testEndpointsByID,
	"presence/snapshot":    testSnapshot,
	"presence/consistency": testSnapshotAndEvents,
}

// stateAt is a presence with a session, told of after a while: zero at once.
func stateAt(state endpoint.State, at time.Time, grace time.Duration) endpoint.Presence {
	p := endpoint.Presence{State: state, Since: at, Bound: day, RemoteAddr: "192.0.2.1:5000"}
	if grace > 0 {
		p.Tell = at.Add(grace)
	}
	if state == endpoint.StateOffline {
		p.Reason = "silent"
	}
	return p
}

// tellAll writes what is due at a time.
func tellAll(t *testing.T, s Subject, now time.Time) {
	t.Helper()
	noError(t, s.TellPresences(t.Context(), now))
}

func testGrace(t *testing.T, s Subject) {
	now := time.Now().UTC().Truncate(time.Microsecond)
	stays, back := addEndpoint(t, s, "stays-away"), addEndpoint(t, s, "comes-back")
	gone := addEndpoint(t, s, "is-deleted")
	for _, state := range []endpoint.State{endpoint.StateOnline, endpoint.StateOffline} {
		for _, k := range []endpoint.Key{stays, back, gone} {
			s.SavePresence(k, stateAt(state, now, map[endpoint.State]time.Duration{endpoint.StateOffline: time.Hour}[state]))
		}
		flush(t, s)
		now = now.Add(time.Second)
	}
	tellAll(t, s, now.Add(time.Hour-3*time.Second)) // too early
	s.SavePresence(back, stateAt(endpoint.StateOnline, now, 0))
	noError(t, s.DeleteEndpoint(t.Context(), gone))
	before := len(readEvents(t, s, 0, 100))
	for range 2 {
		tellAll(t, s, now.Add(time.Hour))
	}
	told := readEvents(t, s, 0, 100)[before:]
	if got := ids(told, func(e events.Event) string { return string(e.Type) + "/" + e.Endpoint }); got != "endpoint.offline/stays-away" {
		t.Fatalf("told after the grace: %s", got)
	}
	diff(t, "time of the event", told[0].At, now.Add(-time.Second))
	got, err := s.Endpoint(t.Context(), back)
	noError(t, err)
	want := stateAt(endpoint.StateOnline, now, 0)
	want.LastEnd, want.LastReason = now.Add(-time.Second), "silent"
	diff(t, "presence", got.Presence, want)
	if got := len(readEvents(t, s, 0, 100)); got != before+1 {
		t.Errorf("%d events, want %d: the second look tells nothing", got, before+1)
	}
}

func testGraceAfterRestart(t *testing.T, s Subject) {
	now := time.Now().UTC().Truncate(time.Microsecond)
	down, up := addEndpoint(t, s, "down"), addEndpoint(t, s, "up")
	for _, k := range []endpoint.Key{down, up} {
		s.SavePresence(k, stateAt(endpoint.StateOnline, now, 0))
	}
	flush(t, s)
	s.SavePresence(down, stateAt(endpoint.StateOffline, now, time.Second)) // ended with the last run
	flush(t, s)
	later := now.Add(time.Hour)
	noError(t, s.EndPresences(t.Context(), endpoint.ReasonRestarted, later, later.Add(time.Minute)))
	before := len(readEvents(t, s, 0, 100))
	tellAll(t, s, later.Add(59*time.Second))
	if got := len(readEvents(t, s, 0, 100)); got != before {
		t.Errorf("%d events within the grace after a restart, want none", got-before)
	}
	tellAll(t, s, later.Add(time.Minute))
	if got := typesOf(readEvents(t, s, 0, 100)[before:]); got != "endpoint.offline endpoint.offline" {
		t.Errorf("told after it: %q", got)
	}
}

// testLastEnd: while an endpoint is online, the reason of its last end stays.
func testLastEnd(t *testing.T, s Subject) {
	k := addEndpoint(t, s, "pc-1")
	at := func(minutes int) time.Time { return day.Add(time.Duration(minutes) * time.Minute) }
	heard := stateAt(endpoint.StateOnline, at(2), 0)
	heard.LastHeard = at(3)
	for i, step := range []struct {
		p      endpoint.Presence
		ended  time.Time
		reason string
	}{
		{stateAt(endpoint.StateOnline, at(0), 0), time.Time{}, ""},
		{stateAt(endpoint.StateOffline, at(1), time.Hour), time.Time{}, ""},
		{stateAt(endpoint.StateOnline, at(2), 0), at(1), "silent"},
		{heard, at(1), "silent"},
		{stateAt(endpoint.StateOnline, at(4), 0), at(4), "replaced"},
	} {
		s.SavePresence(k, step.p)
		for _, when := range []string{"before", "after"} { // it is written
			got, err := s.Endpoint(t.Context(), k)
			noError(t, err)
			if !got.Presence.LastEnd.Equal(step.ended) || got.Presence.LastReason != step.reason {
				t.Errorf("step %d, %s it is written: the last end was at %v as %q, want %v, %q", i, when, got.Presence.LastEnd, got.Presence.LastReason, step.ended, step.reason)
			}
			flush(t, s)
		}
	}
}

func testTrouble(t *testing.T, s Subject) {
	k := addEndpoint(t, s, "pc-1")
	p := stateAt(endpoint.StateOnline, day, 0)
	s.SaveTrouble(k, endpoint.Trouble{At: day, Presence: p, Sessions: 6})
	s.SaveTrouble(key("unknown"), endpoint.Trouble{At: day})
	s.SaveTrouble(k, endpoint.Trouble{At: day, Presence: p, Rival: &endpoint.Rival{RemoteAddr: "192.0.2.2:6000", Resource: "other"}})
	flush(t, s)
	all := readEvents(t, s, 0, 10)[1:]
	if got := typesOf(all); got != "endpoint.flapping endpoint.cloned" {
		t.Fatalf("types = %q", got)
	}
	diff(t, "flapping", string(all[0].Data), `{"remote_addr":"192.0.2.1:5000","sessions_last_minute":6}`)
	diff(t, "cloned", string(all[1].Data), `{"remote_addr":"192.0.2.1:5000","other_addr":"192.0.2.2:6000","other_resource":"other"}`)
}

func testEndpointsByID(t *testing.T, s Subject) {
	for _, id := range []string{"a", "b", "c"} {
		addEndpoint(t, s, id)
	}
	s.SavePresence(key("b"), stateAt(endpoint.StateOnline, day, 0)) // perhaps not written yet
	got, err := s.EndpointsByID(t.Context(), domain, []string{"c", "x", "b", `"`})
	noError(t, err)
	states := map[string]endpoint.State{}
	for _, r := range got {
		states[r.ID] = r.Presence.State
	}
	diff(t, "states", states, map[string]endpoint.State{"b": endpoint.StateOnline, "c": endpoint.StateNever})
	none, err := s.EndpointsByID(t.Context(), "elsewhere.example", []string{"a"})
	noError(t, err)
	diff(t, "endpoints of another domain", len(none), 0)
}

// snapshotOf returns the states of a snapshot as events told them.
func snapshotOf(t *testing.T, s Subject, q endpoint.Query) (states map[string]endpoint.State, seq int64) {
	t.Helper()
	states = map[string]endpoint.State{}
	q.Domain = domain
	seq, err := s.Snapshot(t.Context(), q, func(told endpoint.Told) error {
		states[told.ID] = told.State
		return nil
	})
	noError(t, err)
	return states, seq
}

func testSnapshot(t *testing.T, s Subject) {
	states, seq := snapshotOf(t, s, endpoint.Query{})
	diff(t, "empty snapshot", len(states)+int(seq), 0)
	now := time.Now()
	for _, id := range []string{"on", "in-grace", "off", "never"} {
		addEndpoint(t, s, id)
	}
	for _, id := range []string{"on", "in-grace", "off"} {
		s.SavePresence(key(id), stateAt(endpoint.StateOnline, day, 0))
	}
	flush(t, s)
	s.SavePresence(key("in-grace"), stateAt(endpoint.StateOffline, now, time.Hour))
	s.SavePresence(key("off"), stateAt(endpoint.StateOffline, now, 0))
	flush(t, s)
	states, seq = snapshotOf(t, s, endpoint.Query{})
	diff(t, "snapshot", states, map[string]endpoint.State{
		"on": endpoint.StateOnline, "in-grace": endpoint.StateOnline, "off": endpoint.StateOffline, "never": endpoint.StateNever,
	})
	bounds, err := s.EventBounds(t.Context())
	noError(t, err)
	diff(t, "number", seq, bounds.Newest)
	online, _ := snapshotOf(t, s, endpoint.Query{State: endpoint.StateOnline, Search: "n"})
	diff(t, "selected", online, map[string]endpoint.State{"on": endpoint.StateOnline, "in-grace": endpoint.StateOnline})

	full := errors.New("full")
	if _, err := s.Snapshot(t.Context(), endpoint.Query{Domain: domain}, func(endpoint.Told) error { return full }); !errors.Is(err, full) {
		t.Errorf("Snapshot = %v, want the error of its caller", err)
	}
}

// testSnapshotAndEvents: a snapshot that is taken in the middle of changes, and the events behind its number, come to what is stored in the end.
func testSnapshotAndEvents(t *testing.T, s Subject) {
	const endpoints, rounds = 20, 30
	var keys []endpoint.Key
	for i := range endpoints {
		keys = append(keys, addEndpoint(t, s, string(rune('a'+i))))
	}
	start := time.Now()
	changing := make(chan struct{})
	go func() { // ends with the test
		defer close(changing)
		for r := range rounds {
			for i, k := range keys {
				state, grace := endpoint.StateOnline, time.Duration(0)
				if (r+i)%3 == 0 {
					state, grace = endpoint.StateOffline, time.Duration(i%2)*time.Millisecond
				}
				s.SavePresence(k, stateAt(state, start.Add(time.Duration(r)*time.Millisecond), grace))
			}
			if s.TellPresences(t.Context(), time.Now()) != nil {
				return
			}
		}
	}()
	type taken struct {
		states map[string]endpoint.State
		seq    int64
	}
	var snapshots []taken
	for done := false; !done; {
		states, seq := snapshotOf(t, s, endpoint.Query{})
		snapshots = append(snapshots, taken{states, seq})
		select {
		case <-changing:
			done = true
		default:
		}
	}
	flush(t, s)
	tellAll(t, s, time.Now().Add(time.Hour))
	want, _ := snapshotOf(t, s, endpoint.Query{})
	for _, one := range snapshots {
		for _, e := range readEvents(t, s, one.seq, 10000) {
			switch e.Type {
			case events.EndpointOnline:
				one.states[e.Endpoint] = endpoint.StateOnline
			case events.EndpointOffline:
				one.states[e.Endpoint] = endpoint.StateOffline
			}
		}
		diff(t, "snapshot and the events behind it", one.states, want)
	}
}
