package turnsession

import (
	"context"
	"net/netip"
	"testing"
	"time"

	"signalbox/internal/endpoint"
)

// move tells the service of a change in an endpoint's sessions.
func (b *bench) move(id, addr string, kind endpoint.ChangeKind) {
	if kind == endpoint.Bound || kind == endpoint.Resumed {
		b.seen.set(id, from(addr))
	}
	b.SessionChanged(endpoint.Change{Kind: kind, Key: endpoint.Key{Domain: domain, ID: id}, Session: from(addr)})
}

// observed returns what the TURN server knows of the other side, by side.
func (b *bench) observed(id ID) (texts [2]string) {
	b.t.Helper()
	g, ok := b.turn.grant(id)
	if !ok {
		b.t.Fatalf("%s is not served", id)
	}
	for side, a := range g.Observed {
		if a.IsValid() {
			texts[side] = a.String()
		}
	}
	return texts
}

// TestSightings: the address at which an endpoint is seen is a peer of the other side, follows the endpoint, and stays while it is offline.
func TestSightings(t *testing.T) {
	inBubble(t, fakeSightings{"pc-1": from("::ffff:192.0.2.1")}, func(t *testing.T, b *bench) {
		s := b.opened(Spec{Endpoints: [2]string{"pc-1", "pc-2"}})
		other := b.opened(Spec{Endpoints: [2]string{"pc-3", ""}})
		for _, step := range []struct {
			what, id, addr string
			kind           endpoint.ChangeKind
			want           [2]string
		}{
			{"seen before it was opened", "", "", 0, [2]string{"", "192.0.2.1"}},
			{"the other logs in", "pc-2", "2001:db8::2", endpoint.Bound, [2]string{"2001:db8::2", "192.0.2.1"}},
			{"it resumes elsewhere", "pc-1", "198.51.100.1", endpoint.Resumed, [2]string{"2001:db8::2", "198.51.100.1"}},
			{"it loses its connection", "pc-1", "198.51.100.1", endpoint.Suspended, [2]string{"2001:db8::2", "198.51.100.1"}},
			{"an older session ends", "pc-1", "192.0.2.1", endpoint.Ended, [2]string{"2001:db8::2", "198.51.100.1"}},
			{"a stranger comes", "pc-9", "203.0.113.9", endpoint.Bound, [2]string{"2001:db8::2", "198.51.100.1"}},
		} {
			if step.id != "" {
				b.move(step.id, step.addr, step.kind)
			}
			after(0)
			if got := b.observed(s.ID); got != step.want {
				t.Errorf("%s: the TURN server knows %q, want %q", step.what, got, step.want)
			}
		}
		if got := b.observed(other.ID); got != [2]string{} {
			t.Errorf("a session of others got %q", got)
		}
	})
}

// TestObserve: where the party is seen that is no endpoint's is a peer of the endpoint, follows that party, and is nobody else's word.
func TestObserve(t *testing.T) {
	inBubble(t, fakeSightings{"pc-1": from("192.0.2.1")}, func(t *testing.T, b *bench) {
		s := b.opened(Spec{Endpoints: [2]string{A: "pc-1"}})
		for _, step := range []struct {
			what string
			side Side
			at   string
			want [2]string
		}{
			{"the technician comes", B, "::ffff:198.51.100.7", [2]string{"198.51.100.7", "192.0.2.1"}},
			{"from another network", B, "2001:db8::7", [2]string{"2001:db8::7", "192.0.2.1"}},
			{"the side of an endpoint", A, "203.0.113.9", [2]string{"2001:db8::7", "192.0.2.1"}},
		} {
			b.Observe(s.ID, step.side, netip.MustParseAddr(step.at))
			after(0)
			if got := b.observed(s.ID); got != step.want {
				t.Errorf("%s: the TURN server knows %q, want %q", step.what, got, step.want)
			}
		}
		b.Observe(s.ID, B, netip.Addr{})
		after(0)
		if got, want := b.observed(s.ID), [2]string{"", "192.0.2.1"}; got != want {
			t.Errorf("seen nowhere: the TURN server knows %q, want %q", got, want)
		}
		b.Observe(s.ID+1, B, netip.MustParseAddr("198.51.100.7")) // of nobody
	})
}

// TestSightingIsToldLater: a TURN server that does not answer hears of it when it does.
func TestSightingIsToldLater(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, b *bench) {
		s := b.opened(Spec{Endpoints: [2]string{"pc-1", ""}})
		b.turn.fail(errBroken)
		b.move("pc-1", "192.0.2.1", endpoint.Bound)
		after(3 * time.Second)
		b.turn.fail(nil)
		after(2 * time.Second)
		if got := b.observed(s.ID); got[B] != "192.0.2.1" {
			t.Errorf("the TURN server knows %q", got)
		}
		told := b.turn.opened
		b.move("pc-1", "192.0.2.1", endpoint.Bound) // nothing new
		after(3 * time.Second)
		if b.turn.opened != told {
			t.Errorf("the TURN server was told %d times of nothing", b.turn.opened-told)
		}
	})
}

// TestNewerSightingWins: what a change said while a session was being opened is newer than what is looked up.
func TestNewerSightingWins(t *testing.T) {
	b := newBench(t, fakeSightings{"pc-1": from("192.0.2.1")})
	l, err := b.admit(domain, Spec{TTL: time.Minute, Endpoints: [2]string{"pc-1", ""}}, Caller{})
	if err != nil {
		t.Fatal(err)
	}
	b.SessionChanged(endpoint.Change{Kind: endpoint.Bound, Key: endpoint.Key{Domain: domain, ID: "pc-1"}, Session: from("192.0.2.7")})
	b.look(l)
	if l.seen[A] != netip.MustParseAddr("192.0.2.7") {
		t.Errorf("it is taken to be at %v", l.seen[A])
	}
}

// TestResumedUnnoticed: an endpoint that goes on elsewhere without a change of its session is seen there.
func TestResumedUnnoticed(t *testing.T) {
	inBubble(t, fakeSightings{"pc-1": from("192.0.2.1")}, func(t *testing.T, b *bench) {
		s := b.opened(Spec{Endpoints: [2]string{"pc-1", ""}})
		b.seen.set("pc-1", from("192.0.2.7"))
		after(2 * lookEvery)
		if got := b.observed(s.ID); got[B] != "192.0.2.7" {
			t.Errorf("the TURN server knows %q", got)
		}
	})
}

// TestPartyDeleted: whoever gets the id of an endpoint that was deleted is no party, and where that was is no peer any more.
func TestPartyDeleted(t *testing.T) {
	inBubble(t, fakeSightings{"pc-1": from("192.0.2.1"), "pc-2": from("192.0.2.2")}, func(t *testing.T, b *bench) {
		s := b.opened(Spec{Endpoints: [2]string{"pc-1", "pc-2"}})
		k := endpoint.Key{Domain: domain, ID: "pc-1"}
		b.PartyDeleted(k)
		b.move("pc-1", "203.0.113.9", endpoint.Bound)
		after(2 * lookEvery)
		if got, want := b.observed(s.ID), [2]string{"192.0.2.2", ""}; got != want {
			t.Errorf("the TURN server knows %q, want %q", got, want)
		}
		if c, ok := b.PartyCredentials(k); ok {
			t.Errorf("its successor gets %q", c.Username)
		}
		next := b.opened(Spec{Endpoints: [2]string{"pc-1", ""}})
		if _, err := b.End(t.Context(), domain, s.ID); err != nil {
			t.Fatal(err)
		}
		if c, _ := b.PartyCredentials(k); c.Username != next.ID.String()+":a" {
			t.Errorf("in a session of its own its successor gets %q", c.Username)
		}
	})
}

// deletingStore deletes each endpoint as soon as it was asked for it.
type deletingStore struct {
	*fakeStore
	tell func(endpoint.Key)
}

func (d deletingStore) Endpoint(ctx context.Context, k endpoint.Key) (endpoint.Record, error) {
	defer d.tell(k)
	return d.fakeStore.Endpoint(ctx, k)
}

// TestPartyDeletedMeanwhile: an endpoint that is deleted while a session is being opened is no party of it.
func TestPartyDeletedMeanwhile(t *testing.T) {
	b := newBench(t, fakeSightings{"pc-1": from("192.0.2.1")})
	b.Service.store = deletingStore{b.store, b.PartyDeleted}
	s := b.opened(Spec{Endpoints: [2]string{"pc-1", ""}})
	if c, ok := b.PartyCredentials(endpoint.Key{Domain: domain, ID: "pc-1"}); ok {
		t.Errorf("its successor gets %q", c.Username)
	}
	if got := b.observed(s.ID); got != [2]string{} {
		t.Errorf("the TURN server knows %q", got)
	}
}

// TestEndsDoNotWait: while the TURN server does not answer, what it is to be told holds up neither the time of sessions nor who ends them.
func TestEndsDoNotWait(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, b *bench) {
		short := b.opened(Spec{TTL: 3 * time.Second})
		var moved Session
		for range 3 * atOnce {
			moved = b.opened(Spec{Endpoints: [2]string{"pc-1", ""}})
		}
		b.turn.mu.Lock()
		b.turn.hold = make(chan struct{})
		b.turn.mu.Unlock()
		b.move("pc-1", "192.0.2.1", endpoint.Bound)
		after(3*time.Second + retellWithin + lookEvery)
		if r := b.record(short.ID); r.Open() {
			t.Error("a session whose time is over is open")
		}
		began := time.Now()
		if _, err := b.End(t.Context(), domain, moved.ID); err != nil || time.Since(began) > retellWithin {
			t.Errorf("End = %v after %v", err, time.Since(began))
		}
	})
}

// TestEndedStaysEnded: a change that comes late opens nothing again.
func TestEndedStaysEnded(t *testing.T) {
	b := newBench(t, nil)
	s := b.opened(Spec{Endpoints: [2]string{"pc-1", ""}})
	l := b.find(domain, s.ID)
	if _, err := b.End(t.Context(), domain, s.ID); err != nil {
		t.Fatal(err)
	}
	if err := b.retell(t.Context(), l); err != nil {
		t.Error(err)
	}
	if _, served := b.turn.grant(s.ID); served {
		t.Error("it is served again")
	}
}

// TestPartyCredentials: a party gets those of its side in the newest session that runs, and nobody else any.
func TestPartyCredentials(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, b *bench) {
		first := b.opened(Spec{TTL: time.Hour, Endpoints: [2]string{"pc-1", "pc-2"}})
		second := b.opened(Spec{TTL: time.Minute, Endpoints: [2]string{"", "pc-1"}})
		check := func(id, want string) {
			t.Helper()
			c, ok := b.PartyCredentials(endpoint.Key{Domain: domain, ID: id})
			if c.Username != want || ok != (want != "") {
				t.Errorf("%s gets %q, %v, want %q", id, c.Username, ok, want)
			}
		}
		check("pc-1", second.ID.String()+":b")
		check("pc-2", first.ID.String()+":b")
		check("pc-3", "")
		if _, ok := b.PartyCredentials(endpoint.Key{Domain: "other.example", ID: "pc-2"}); ok {
			t.Error("the same name at another domain gets credentials")
		}
		if l, _ := b.newestOf(endpoint.Key{Domain: domain, ID: "pc-1"}, second.Expires); l == nil || l.ID != first.ID {
			t.Errorf("when the time of %s is over, %+v is the newest", second.ID, l)
		}
		after(2 * time.Minute)
		check("pc-1", first.ID.String()+":a")
		if _, err := b.End(t.Context(), domain, first.ID); err != nil {
			t.Fatal(err)
		}
		check("pc-1", "")
		check("pc-2", "")
	})
}
