package store

import (
	"testing"
	"time"

	"signalbox/internal/endpoint"
	"signalbox/internal/store/outbox"
)

// TestTold: what is told of presences, and when. Each step is a presence that is stored at its time, or a look for what is due.
func TestTold(t *testing.T) {
	start := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	at := func(seconds int) time.Time { return start.Add(time.Duration(seconds) * time.Second) }
	const look = endpoint.State("look")
	type step struct {
		at    int
		state endpoint.State
		host  string
		tell  int // 0: at once
		want  string
	}
	on, off := endpoint.StateOnline, endpoint.StateOffline
	for _, tc := range []struct {
		name  string
		steps []step
	}{
		{"online and away", []step{{0, on, "a", 0, "online"}, {10, off, "a", 40, "detached"}, {39, look, "", 0, ""}, {40, look, "", 0, "offline"}, {99, look, "", 0, ""}, {100, on, "a", 0, "online"}}},
		{"back within the grace", []step{{0, on, "a", 0, "online"}, {10, off, "a", 40, "detached"}, {30, on, "a", 0, "resumed"}, {50, look, "", 0, ""}, {60, off, "a", 90, "detached"}, {90, look, "", 0, "offline"}}},
		{"back within the grace from elsewhere", []step{{0, on, "a", 0, "online"}, {10, off, "a", 40, "detached"}, {30, on, "b", 0, "resumed"}, {50, look, "", 0, ""}}},
		{"no grace", []step{{0, on, "a", 0, "online"}, {10, off, "a", 0, "offline"}, {11, on, "a", 0, "online"}}},
		{"taken over from elsewhere", []step{{0, on, "a", 0, "online"}, {10, on, "b", 0, "online"}, {20, on, "b", 0, "resumed"}}},
		{"taken over by itself", []step{{0, on, "a", 0, "online"}, {10, on, "a", 0, "resumed"}}},
		{"flapping, ends online", []step{{0, on, "a", 0, "online"}, {1, off, "a", 61, "detached"}, {2, on, "a", 62, "resumed"}, {3, off, "a", 63, "detached"}, {4, on, "a", 64, "resumed"}, {64, look, "", 0, ""}}},
		{"flapping, ends offline", []step{{0, on, "a", 0, "online"}, {2, on, "b", 62, "resumed"}, {3, off, "b", 63, "detached"}, {62, look, "", 0, ""}, {63, look, "", 0, "offline"}}},
		{"flapping, ends elsewhere", []step{{0, on, "a", 0, "online"}, {2, on, "b", 62, "resumed"}, {62, look, "", 0, "online"}, {63, on, "b", 0, "resumed"}}},
		{"began to flap when it was told offline", []step{{0, on, "a", 0, "online"}, {1, off, "a", 0, "offline"}, {2, on, "a", 62, "resumed"}, {3, off, "a", 63, "detached"}, {63, look, "", 0, ""}}},
		{"never seen online", []step{{0, off, "a", 30, "detached"}, {30, look, "", 0, "offline"}}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var told told
			var last endpoint.Presence
			names := map[int64]string{outbox.Online: "online", outbox.Offline: "offline", outbox.Detached: "detached", outbox.Resumed: "resumed"}
			for i, s := range tc.steps {
				got := ""
				if s.state == look {
					if !told.Due.IsZero() && !told.Due.After(at(s.at)) {
						told.Due = time.Time{}
						if told.news(&last, true) {
							got = names[told.tell(&last)]
						}
					}
				} else {
					p := endpoint.Presence{State: s.state, Since: at(s.at), RemoteAddr: "192.0.2.1:5000", Client: s.host}
					if s.tell > 0 {
						p.Tell = at(s.tell)
					}
					got = names[told.follow(last.State, &p, at(s.at))]
					last = p
				}
				if got != s.want {
					t.Errorf("step %d at %d s: %q is told, want %q", i, s.at, got, s.want)
				}
			}
		})
	}
}
