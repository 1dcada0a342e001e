package remote

import (
	"errors"
	"slices"
	"testing"
	"time"

	"signalbox/internal/endpoint"
	"signalbox/internal/signalling"
)

// TestStoreIsBehind: what the store does not take is written in order when it does; parties are told at once.
func TestStoreIsBehind(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		o := b.opened()
		s, _ := b.attached(o)
		b.store.fail(errBroken)
		for _, m := range []signalling.Message{
			signalling.Consent{About: about(o.ID), State: signalling.ConsentNotNeeded}, signalling.Accept{About: about(o.ID)},
			signalling.Path{About: about(o.ID), Rung: signalling.RungDirect},
		} {
			if err := b.FromEndpoint(t.Context(), pc1, m); err != nil {
				t.Fatal(err)
			}
		}
		after(3 * time.Second)
		if got := s.take(); len(got) == 0 || got[len(got)-1].(signalling.State).State != string(Active) {
			t.Errorf("the technician is told %q", names(got))
		}
		if shown, _ := b.Session(t.Context(), domain, o.ID); shown.State != Active {
			t.Errorf("it is shown as %s", shown.State)
		}
		b.store.fail(nil)
		after(2 * time.Second)
		b.wantState("the store is back", o.ID, Active)
		want := []string{"session.requested", "session.consent", "session.accepted", "session.active"}
		if got := b.store.told(); len(got) != len(want) || got[1] != want[1] || got[3] != want[3] {
			t.Errorf("events: %q", got)
		}
	})
}

// TestStoreOrder: what comes once the store is back is written behind what it has missed.
func TestStoreOrder(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		o := b.opened()
		after(lookEvery / 2)
		b.store.fail(errBroken)
		b.hear(signalling.Consent{About: about(o.ID), State: signalling.ConsentAllowed})
		b.store.fail(nil)
		after(retryEvery + lookEvery/4) // it may be tried again, and nobody has looked
		b.hear(signalling.Accept{About: about(o.ID)})
		if got, want := b.store.told(), []string{"session.requested", "session.consent", "session.accepted"}; !slices.Equal(got, want) {
			t.Errorf("events: %q, want %q", got, want)
		}
	})
}

// TestStoreFailsAtTheEnd: a session that cannot be stored as ended is silent all the same, and stored later.
func TestStoreFailsAtTheEnd(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		o, s, _ := b.running()
		b.store.fail(errBroken)
		if _, err := b.End(t.Context(), domain, o.ID, "", management); !errors.Is(err, errBroken) {
			t.Errorf("who ends it is told: %v", err)
		}
		after(0)
		if b.turn.count() != 0 || len(b.relay.bounds()) != 0 || len(s.ends()) != 1 || len(b.of(pc1)) != 0 {
			t.Error("something of it goes on")
		}
		after(2 * rememberFor)
		b.store.fail(nil)
		after(2 * time.Second)
		b.wantState("the store is back", o.ID, Ended, ReasonManagementEnded)
	})
}

// TestStoreFailsForTechnician: nobody is let in whom the audit does not show; the token is good for another attempt.
func TestStoreFailsForTechnician(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		o := b.opened()
		b.store.fail(errBroken)
		a := signalling.Attach{About: about(o.ID), Token: o.Token}
		if s, err := b.attach(a, home); !errors.Is(err, errBroken) || len(s.take()) != 0 {
			t.Errorf("attached: %v", err)
		}
		if _, err := b.Renew(t.Context(), domain, o.ID, management); !errors.Is(err, errBroken) {
			t.Errorf("renewed: %v", err)
		}
		b.store.fail(nil)
		b.seated(a)
	})
}

// TestLooksDoNotPile: while the store takes its time, a session that is due waits to be looked at once.
func TestLooksDoNotPile(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		o := b.opened()
		goOn := b.store.stall()
		after(2 * signalling.AttachWithin) // its end waits for the store, and it is due all the while
		q := &b.find(o.ID).queue
		q.mu.Lock()
		n := len(q.tasks)
		q.mu.Unlock()
		if n > 1 {
			t.Errorf("%d tasks wait", n)
		}
		goOn()
		after(0)
	})
}

// TestSlowStore: a store that takes its time holds up neither the endpoint nor another session.
func TestSlowStore(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		o, s, _ := b.running()
		second := b.opened(func(s *Spec) { s.Technician.ID = "bob" })
		bob, _ := b.attached(second)
		goOn := b.store.stall()
		b.SessionChanged(endpoint.Change{Kind: endpoint.Suspended, Key: pc1}) // both write that
		after(0)
		if err := b.FromEndpoint(t.Context(), pc1, signalling.Path{About: about(o.ID), Rung: signalling.RungDirect}); err != nil {
			t.Error(err)
		}
		s.take()
		bob.take()
		goOn()
		after(0)
		b.wantState("the store is there", o.ID, Reconnecting)
	})
}
