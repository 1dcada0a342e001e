package xmpp

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"signalbox/internal/endpoint"
	"signalbox/internal/push"
	"signalbox/xmpp/feature"
	"signalbox/xmpp/kept"
)

// carrier is a Carrier that remembers what it was told.
type carrier struct {
	on      []push.Carried
	carried []push.Carried
	dropped []push.Carried
	wrote   []push.ID
	flushed int
}

func (c *carrier) Flush(context.Context) error              { c.flushed++; return nil }
func (c *carrier) Carried(endpoint.Key) []push.Carried      { return c.on }
func (c *carrier) Carry(_ endpoint.Key, all []push.Carried) { c.carried = append(c.carried, all...) }
func (c *carrier) Drop(_ endpoint.Key, all []push.Carried)  { c.dropped = append(c.dropped, all...) }
func (c *carrier) Wrote(_ endpoint.Key, id push.ID) func(time.Time) {
	return func(time.Time) { c.wrote = append(c.wrote, id) }
}

// shelf is a Shelf in memory; room is how many sessions it takes.
type shelf struct {
	room int
	err  error
	kept []kept.Session
}

func (s *shelf) Save(all []kept.Session) ([]bool, error) {
	if s.err != nil {
		return nil, s.err
	}
	saved := make([]bool, len(all))
	for i := range all {
		if len(s.kept) < s.room {
			s.kept, saved[i] = append(s.kept, all[i]), true
		}
	}
	return saved, nil
}

// onShelf gives the bench's server a carrier and a shelf.
func (b *bench) onShelf() (*carrier, *shelf) {
	c, s := &carrier{}, &shelf{room: 10}
	b.deps.Carrier, b.deps.Shelf = c, s
	return c, s
}

// TestKeepAndRestore: another server goes on with a session where the first ended: counts, what is sent again, and whose write is still to be told.
func TestKeepAndRestore(t *testing.T) {
	b := newBench(t)
	c, s := b.onShelf()
	k, id := b.resumable(t)
	k.wire.take()
	deliver := func(text string, ref int64) {
		t.Helper()
		if err := b.deps.Registry.Route(keyPC1, endpoint.Stanza{Raw: []byte(text), Ref: ref, Written: func(time.Time) {}}); err != nil {
			t.Fatal(err)
		}
	}
	deliver("<message id='1'/>", 1)
	deliver("<message id='2'/>", 2)
	k.wire.mute = true
	deliver("<message id='3'/>", 3)
	k.feed("<a xmlns='urn:xmpp:sm:3' h='1'/>")
	c.on = []push.Carried{{ID: 2, Written: true}, {ID: 3}}
	k.endWith(endpoint.ReasonShutdown, "")
	k.Closed(nil)
	b.keep()
	if c.flushed != 1 || len(s.kept) != 1 {
		t.Fatalf("flushed %d times, kept %d sessions", c.flushed, len(s.kept))
	}
	if got := b.changes.String(); strings.Contains(got, " ended") {
		t.Errorf("changes: %s", got)
	}

	after := newBench(t)
	next, _ := after.onShelf()
	if n := after.Restore(s.kept); n != 1 {
		t.Fatalf("restored %d sessions", n)
	}
	if got, want := after.changes.String(), "bound available suspended:shutdown"; got != want {
		t.Errorf("changes = %q, want %q", got, want)
	}
	if diff := cmp.Diff(c.on, next.carried); diff != "" {
		t.Errorf("carried pushes (-before +after):\n%s", diff)
	}
	if p, _ := after.deps.Registry.Live(keyPC1); p.State != endpoint.StateOffline || p.Reason != "shutdown" || p.Resource != "agent" || p.RemoteAddr != "192.0.2.1:1234" {
		t.Errorf("presence = %+v", p)
	}
	again := after.connect(t)
	again.feed(header + authPC1 + header + resumeOf(id, 2))
	_, got, _ := strings.Cut(again.wire.take(), "<resumed")
	if got != " xmlns='urn:xmpp:sm:3' previd='"+id+"' h='1'/><message id='3'/>"+ask {
		t.Errorf("resumed: %s", got)
	}
	if !slices.Equal(next.wrote, []push.ID{3}) {
		t.Errorf("writes told of %v, want that of push 3", next.wrote)
	}
}

// TestSessionsWithoutRoomEnd: also where nothing can be kept at all.
func TestSessionsWithoutRoomEnd(t *testing.T) {
	for _, tc := range []struct {
		name  string
		shelf *shelf
	}{{"no room", &shelf{}}, {"no disk", &shelf{room: 1, err: errors.New("disk")}}} {
		t.Run(tc.name, func(t *testing.T) {
			b := newBench(t)
			_, _ = b.onShelf()
			b.deps.Shelf = tc.shelf
			k, _ := b.resumable(t)
			k.lose()
			b.keep()
			if got := b.changes.String(); !strings.HasSuffix(got, "ended:shutdown") {
				t.Errorf("changes: %s", got)
			}
		})
	}
}

// TestRestoredSessionExpires: at the time that was kept.
func TestRestoredSessionExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.onShelf()
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { defer close(ended); b.wheel.Run(ctx) }()
		b.Restore([]kept.Session{{Domain: testDomain, Endpoint: "pc-1", Resource: "agent", ID: "id", Until: time.Now().Add(30 * time.Second), Reason: "shutdown"}})
		time.Sleep(25 * time.Second)
		if got := b.changes.String(); strings.Contains(got, " ended") {
			t.Errorf("changes after 25 s: %s", got)
		}
		time.Sleep(10 * time.Second)
		if got := b.changes.String(); !strings.HasSuffix(got, "ended:resume_expired") {
			t.Errorf("changes after 35 s: %s", got)
		}
		stop()
		<-ended
	})
}

// TestCopiesOverRestart: a message that two clients of an account got comes back once if neither reads it, and one that a client alone got comes back from that one.
func TestCopiesOverRestart(t *testing.T) {
	b := openBench(t)
	_, s := b.onShelf()
	one, _ := b.resumable(t)
	two := b.connect(t)
	two.feed(strings.Replace(login1, "agent", "other", 1) + enable + "<presence/>")
	both := feature.NewCopies(2)
	for _, c := range Clients(b.deps.Registry)(keyPC1) {
		c.SendMessage([]byte("<message id='both'/>"), both)
		c.SendMessage([]byte("<message id='own'/>"), feature.NewCopies(1))
	}
	one.lose()
	two.lose()
	_, records := b.records()
	s.kept = records

	after := openBench(t)
	after.onShelf()
	if n := after.Restore(s.kept); n != 2 {
		t.Fatalf("restored %d sessions", n)
	}
	var back []string
	for _, e := range after.deps.Resumptions.All() {
		end, _ := e.(*session).close(endpoint.ReasonResumeExpired)
		for _, raw := range end.lost {
			back = append(back, string(raw))
		}
	}
	slices.Sort(back)
	if want := []string{"<message id='both'/>", "<message id='own'/>", "<message id='own'/>"}; !slices.Equal(back, want) {
		t.Errorf("came back: %v, want %v", back, want)
	}
}

// TestLateSessionsGiveBack: of a session that was kept and cannot be resumed any more, or finds no place, the messages come back to the account and the pushes to the queue.
func TestLateSessionsGiveBack(t *testing.T) {
	later := time.Now().Add(time.Minute)
	record := func(id string, until time.Time) kept.Session {
		message := kept.Stanza{Raw: []byte("<message from='a@" + testDomain + "/r' id='" + id + "' type='chat'><body>x</body></message>"), Copies: len(id)} // a number for each message
		return kept.Session{
			Domain: testDomain, Endpoint: "pc-1", Resource: id, ID: id, Until: until, Reason: "shutdown", Unacked: []kept.Stanza{message},
			Pushes: []push.Carried{{ID: 7, Written: true}},
		}
	}
	for _, tc := range []struct {
		name     string
		sessions []kept.Session
		back     string
	}{
		{"its time is over", []kept.Session{record("late", time.Now().Add(-time.Second))}, "late"},
		{"there are as many as may be", []kept.Session{record("first", later), record("second", later)}, "second"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := newBench(t, func(c *Config) { c.Routing, c.MaxResources = RoutingOpen, 1 })
			c, _ := b.onShelf()
			var back []string
			b.deps.IM.SetFeatures(feature.NewSet(nil, feature.Feature{Stored: func(_ context.Context, m *feature.Message) bool {
				back = append(back, string(m.Stanza.ID()))
				return true
			}}))
			if n := b.Restore(tc.sessions); n != len(tc.sessions)-1 {
				t.Errorf("restored %d sessions", n)
			}
			done, cancel := context.WithCancel(t.Context())
			cancel()
			if err := b.deps.IM.Run(done); err != nil { // until nothing is left to do
				t.Fatal(err)
			}
			if len(back) != 1 || back[0] != tc.back || len(c.dropped) != 1 || c.dropped[0].ID != 7 || len(c.carried) != len(tc.sessions)-1 {
				t.Errorf("messages back: %v; pushes back: %v, carried: %v", back, c.dropped, c.carried)
			}
		})
	}
}

// TestRestoredIsKnownAgain: by what tells the installation of its client from others.
func TestRestoredIsKnownAgain(t *testing.T) {
	b := newBench(t)
	_, s := b.onShelf()
	k, _ := b.resumable(t)
	before, _ := b.deps.Registry.Live(keyPC1)
	k.lose()
	b.keep()
	after := newBench(t)
	after.onShelf()
	after.Restore(s.kept)
	if p, ok := after.deps.Registry.Live(keyPC1); !ok || p.Place() != before.Place() {
		t.Errorf("a session from %q is restored as one from %q", before.Place(), p.Place())
	}
}

// TestHints: nobody is asked back before the end of the drain, and nobody needs to hurry to a server that was to be gone by now.
func TestHints(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.close(time.Now().Add(20 * time.Second))
		for _, tc := range []struct {
			at        time.Duration
			low, high time.Duration
		}{{0, 21 * time.Second, 22 * time.Second}, {15 * time.Second, 6 * time.Second, 7 * time.Second}, {6 * time.Second, 11 * time.Second, 12 * time.Second}} {
			time.Sleep(tc.at)
			if d := askedBack(t, b.hint(endpoint.ReasonShutdown)); d < tc.low || d > tc.high {
				t.Errorf("after %v more: %v, want %v to %v", tc.at, d, tc.low, tc.high)
			}
		}
	})
}

// askedBack returns after which time a hint asks an endpoint back.
func askedBack(t *testing.T, hint string) time.Duration {
	t.Helper()
	_, text, _ := strings.Cut(hint, " after='")
	text, _, _ = strings.Cut(text, "'")
	d, err := time.ParseDuration(text + "s")
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// goodbye is a wire that knows when the last words were written.
type goodbye struct {
	*wire
	at time.Time
}

func (w *goodbye) Finish(p []byte) {
	w.at = time.Now()
	w.wire.Finish(p)
}

// TestCrowdIsSentAwaySpread: as many are told in each second of the drain, and after its end about as many come back in each second, a thousand at most, and nobody before
// that or later.
func TestCrowdIsSentAwaySpread(t *testing.T) {
	const crowd, period, back = 5000, 20, 7 // the latter in seconds: a thousand per second, and two seconds for the few of a small server
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		all := make([]*goodbye, crowd)
		for i := range all {
			k := b.connect(t)
			all[i] = &goodbye{wire: k.wire}
			k.conn = all[i]
		}
		start := time.Now()
		until := start.Add(period * time.Second)
		if told := b.Drain(t.Context(), until); told != crowd {
			t.Fatalf("%d of %d were told", told, crowd)
		}
		var told [period]int
		var returns [back]int
		for _, w := range all {
			told[w.at.Sub(start)/time.Second]++
			after := w.at.Add(askedBack(t, w.take())).Sub(until)
			if after <= 0 || after > back*time.Second {
				t.Fatalf("one that was told %v after the start comes back %v after the end", w.at.Sub(start), after)
			}
			returns[(after-1)/time.Second]++
		}
		if lowest, highest := slices.Min(told[:]), slices.Max(told[:]); lowest != crowd/period || highest != lowest {
			t.Errorf("told in each second: %v", told)
		}
		if lowest, highest := slices.Min(returns[:]), slices.Max(returns[:]); lowest < 500 || highest > 1000 { // 714 are to be expected, and 25 more or less
			t.Errorf("back in each second: %v", returns)
		}
	})
}
