package diagnosis

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"signalbox/internal/endpoint"
)

// TestExplanations holds what cannot be brought about from outside in a test's time; the rest is played in tests/why.
func TestExplanations(t *testing.T) {
	for _, tt := range []struct {
		name  string
		push  Push
		edit  func(*world)
		code  string
		words []string
	}{
		{"behind others", pushOf("psh_1", "accepted"), func(w *world) { w.ahead = 4 }, "waits_behind", []string{"behind 4 pushes"}},
		{"about to go", pushOf("psh_1", "accepted"), func(w *world) {}, "being_sent", []string{"about to be sent"}},
		{"its time", pushOf("psh_1", "accepted"), func(w *world) { w.pushes[0].NotBefore = time.Now().Add(time.Hour) }, "not_before", []string{"waits for its time"}},
		{"its time has come", pushOf("psh_1", "accepted"), func(w *world) { w.pushes[0].NotBefore = time.Now().Add(-time.Hour) }, "being_sent", nil},
		{"detached", pushOf("psh_1", "accepted", "sent", "accepted:server_restarted"), func(w *world) {
			w.flow.Detached = true
			w.record.Presence.State, w.record.Presence.Reason = endpoint.StateOffline, "connection_lost"
		}, "waits_for_endpoint", []string{"since this server was restarted", "pc-1 lost its connection"}},
		{"came back a moment ago", pushOf("psh_1", "accepted"), func(w *world) { w.flow = nil }, "being_sent", nil},
		{"replaced", pushOf("psh_1", "accepted", "replaced:collapse_key"), func(w *world) {
			w.pushes[0].CollapseKey, w.pushes[0].History[1].By = "inventory", "psh_2"
		}, "push_replaced", []string{"by psh_2, a newer push", "key inventory"}},
		{"handled, and nothing is kept of it", pushOf("psh_1", "accepted", "sent", "handled:result_dropped"), func(w *world) {}, "handled_without_result", []string{"is not kept"}},
		{"dropped", pushOf("psh_1", "accepted", "rejected:dropped_oldest"), func(w *world) {}, "rejected_dropped_oldest", []string{"to make room"}},
		{"a message", pushOf("psh_1", "accepted", "sent"), func(w *world) { w.pushes[0].What = "a message of XMPP" }, "sent_no_receipt", []string{"psh_1, a message of XMPP, was sent"}},
		{"rejected", pushOf("psh_1", "rejected:queue_full"), func(w *world) {}, "rejected_queue_full", []string{"as may wait"}},
		{"rejected otherwise", pushOf("psh_1", "rejected:new_reason"), func(w *world) {}, "push_rejected", []string{"new_reason"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, endpoint.StateOnline, "")
			w.pushes = []Push{tt.push}
			tt.edit(w)
			e := w.explain("psh_1")
			if e.Code != tt.code {
				t.Errorf("code = %s, want %s", e.Code, tt.code)
			}
			for _, words := range tt.words {
				if !strings.Contains(e.Summary, words) {
					t.Errorf("summary does not say %q: %s", words, e.Summary)
				}
			}
			if n := len(e.Phases); n != len(tt.push.History) || n > 1 && e.Phases[0].Lasted != time.Minute || e.Done != (e.Phases[n-1].Lasted == 0) {
				t.Errorf("phases = %+v", e.Phases)
			}
		})
	}
	w := newWorld(t, endpoint.StateOnline, "")
	if _, err := w.service.Explain(t.Context(), "psh_2"); !errors.Is(err, ErrUnknownPush) {
		t.Errorf("Explain() = %v", err)
	}
}

// TestLargeFanout: of many targets some are looked at, and it is said that there may be more.
func TestLargeFanout(t *testing.T) {
	w := newWorld(t, endpoint.StateOffline, "silent")
	w.fanout = &Fanout{ID: "psh_9", Targets: 1000, Counts: map[string]int{"accepted": 400, "delivered": 500, "expired": 100}, Created: time.Now(), Expires: time.Now().Add(time.Hour)}
	for i := range 400 {
		w.pushes = append(w.pushes, pushOf(fmt.Sprintf("psh_%d", 100+i), "accepted"))
	}
	for i := range 100 {
		w.pushes = append(w.pushes, pushOf(fmt.Sprintf("psh_%d", 1000+i), "accepted", "expired:ttl"))
	}
	e := w.explain("psh_9")
	if e.Code != "fanout_waits" || len(e.Groups) != 2 || e.Groups[0].Code != "silent_death" || e.Groups[0].Count != perState || !e.Groups[0].Partial || e.Groups[1].Count != 100 || e.Groups[1].Partial {
		t.Errorf("explanation = %+v", e)
	}
	for _, words := range []string{"done for 500 endpoints of 1000 endpoints", "waits for 400 endpoints", "silent_death (200 endpoints, such as pc-1)"} {
		if !strings.Contains(e.Summary, words) {
			t.Errorf("summary does not say %q: %s", words, e.Summary)
		}
	}
	if !strings.HasPrefix(e.Action, "First for pc-1: ") {
		t.Errorf("action = %s", e.Action)
	}
}

// TestTimelinePages: pages join without gaps or repetitions, also where much happens in one moment.
func TestTimelinePages(t *testing.T) {
	w := newWorld(t, endpoint.StateOffline, "silent")
	now := time.Now().Truncate(time.Microsecond)
	for i := range 40 { // the newest first, ten in each moment
		at := now.Add(-time.Duration(i/10) * time.Second)
		w.events = append(w.events, stored(int64(100-i), at, "endpoint.online", fmt.Sprintf(`{"remote_addr":"192.0.2.1:%d"}`, i)))
	}
	w.pushes = []Push{pushOf("psh_1", "accepted", "sent", "accepted:session_lost", "sent", "delivered")}
	w.memory.Failed(failure("cert_closed", home))
	seen := map[string]int{}
	next, last := "", time.Time{}
	for range 100 {
		p, err := w.service.Timeline(t.Context(), "pc-1", next, 7)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range p.Entries {
			seen[e.Kind+e.Address+e.At.String()]++
			if !last.IsZero() && e.At.After(last) {
				t.Errorf("%s at %s stands behind %s", e.Kind, e.At, last)
			}
			last = e.At
		}
		if next = p.Next; next == "" {
			break
		}
	}
	if len(seen) != 46 {
		t.Errorf("%d entries, want 46", len(seen))
	}
	for e, n := range seen {
		if n != 1 {
			t.Errorf("%s is told %d times", e, n)
		}
	}
	for _, cursor := range []string{"x", "1", "1.x", "1.-1", "."} {
		if _, err := w.service.Timeline(t.Context(), "pc-1", cursor, 7); !errors.Is(err, ErrCursor) {
			t.Errorf("Timeline(%q) = %v", cursor, err)
		}
	}
}

// TestTimelineSaysWhereItEnds: where there is more than is looked at, it says since when nothing is missing.
func TestTimelineSaysWhereItEnds(t *testing.T) {
	w := newWorld(t, endpoint.StateOnline, "")
	now := time.Now()
	for i := range timelineDepth + 5 {
		w.events = append(w.events, stored(int64(timelineDepth-i), now.Add(-time.Duration(i)*time.Second), "endpoint.online", "{}"))
	}
	p, err := w.service.Timeline(t.Context(), "pc-1", "", 10)
	if want := now.Add(-(timelineDepth - 1) * time.Second); err != nil || !p.Since.Equal(want) {
		t.Errorf("since = %v, %v, want %v", p.Since, err, want)
	}
}

// TestEntries: one sentence for each kind of event.
func TestEntries(t *testing.T) {
	for kind, tt := range map[string]struct{ data, want string }{
		"endpoint.online":   {`{"remote_addr":"192.0.2.1:9","via":"tls"}`, "pc-1 came online from 192.0.2.1:9 by tls."},
		"endpoint.offline":  {`{"reason":"closed_by_peer"}`, "pc-1 went offline (closed_by_peer): the endpoint closed its stream properly."},
		"endpoint.detached": {`{"reason":"new"}`, "pc-1 lost its session, which counts as offline only if it does not come back soon (new)."},
		"endpoint.resumed":  {`{}`, "pc-1 came back in time, so nobody was told that it was away."},
		"endpoint.flapping": {`{}`, "pc-1 comes and goes too often to be called online or offline."},
		"endpoint.cloned":   {`{}`, "Two machines log in as pc-1."},
		"endpoint.created":  {`{}`, "pc-1 was registered."},
		"endpoint.deleted":  {`{}`, "pc-1 was deleted."},
		"endpoint.never":    {`{}`, "pc-1 has never been online."},
		"endpoint.updated":  {`{"changed":["labels","groups"]}`, "The labels and groups of pc-1 were changed."},
		"endpoint.other":    {`nonsense`, "endpoint other."},
	} {
		if got := entryOf("pc-1", stored(1, time.Now(), kind, tt.data)).Summary; got != tt.want {
			t.Errorf("%s = %q, want %q", kind, got, tt.want)
		}
	}
	for data, want := range map[string]string{
		`{"changed":["enabled"],"enabled":true}`: "pc-1 was enabled.", `{"changed":["enabled"]}`: "pc-1 was disabled.", `{"changed":["secret"]}`: "The secret of pc-1 was changed.",
		`{}`: "pc-1 was changed.",
	} {
		if got := entryOf("pc-1", stored(1, time.Now(), "endpoint.updated", data)).Summary; got != want {
			t.Errorf("updated %s = %q, want %q", data, got, want)
		}
	}
}

func TestOrdinals(t *testing.T) {
	for n, want := range map[int]string{2: "2nd", 3: "3rd", 4: "4th", 11: "11th", 12: "12th", 21: "21st", 101: "101st", 113: "113th"} {
		if got := ordinal(n); got != want {
			t.Errorf("ordinal(%d) = %s, want %s", n, got, want)
		}
	}
}
