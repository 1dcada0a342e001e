package remote

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"signalbox/internal/signalling"
)

// ending ends a session and returns what is closed when the caller has its answer.
func (b *bench) ending(id ID) (answered chan struct{}) {
	answered = make(chan struct{})
	go func() {
		defer close(answered)
		b.end(id, ReasonManagementEnded.Name, management)
	}()
	synctest.Wait()
	return answered
}

func closed(c chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// TestSilentBeforeTheStore: a store that stands still keeps neither relay from being silent, nor the parties from being told.
func TestSilentBeforeTheStore(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		o, s, _ := b.running()
		goOn := b.store.stall()
		answered := b.ending(o.ID)
		if b.turn.count() != 0 || len(b.relay.bounds()) != 0 {
			t.Errorf("while the store stands still %d TURN sessions are open, relay: %v", b.turn.count(), b.relay.bounds())
		}
		for who, got := range map[string][]signalling.Message{"technician": s.take(), "endpoint": b.endpoints.take()} {
			if len(got) != 1 || got[0].Name() != "end" {
				t.Errorf("the %s was told %q", who, names(got))
			}
		}
		if closed(answered) {
			t.Error("the end is answered before it is stored")
		}
		goOn()
		synctest.Wait()
		if !closed(answered) {
			t.Error("the end is not answered")
		}
		b.wantState("the store goes on", o.ID, Ended, ReasonManagementEnded)
	})
}

// TestAnsweredWhenSilent: whoever ends a session gets the answer when the TURN server is silent. Other sessions do not wait for that.
func TestAnsweredWhenSilent(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		o, _, _ := b.running()
		other := b.opened(func(s *Spec) { s.Technician.ID = "bob" })
		hold := make(chan struct{})
		b.turn.hold = hold
		answered := b.ending(o.ID)
		if closed(answered) {
			t.Error("the end is answered while the TURN session goes on")
		}
		if _, err := b.Renew(t.Context(), domain, other.ID, management); err != nil {
			t.Errorf("another session meanwhile: %v", err)
		}
		close(hold)
		synctest.Wait()
		if !closed(answered) || b.turn.count() != 1 {
			t.Errorf("answered: %v; %d TURN sessions are open, want that of the other session", closed(answered), b.turn.count())
		}
	})
}

// TestEndWithoutTURN: the end of a session that never had a place on the TURN server names none, and that of one whose place is gone names it without counters.
func TestEndWithoutTURN(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*Spec)
		lose   bool
		want   string
	}{
		"relay alone":            {func(s *Spec) { s.Transport = signalling.TransportRelayOnly }, false, `"bytes_down":0}`},
		"the TURN server forgot": {func(*Spec) {}, true, `"turn":{"session":"TURN"}}`},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, b *bench) {
				o := b.opened(tc.change)
				if tc.lose {
					b.turn.lose()
				}
				b.end(o.ID, ReasonManagementEnded.Name, management)
				after(time.Second)
				want := strings.ReplaceAll(tc.want, "TURN", b.record(o.ID).Turn.String())
				if got := string(b.store.last("session.ended").Detail); !strings.HasSuffix(got, want) {
					t.Errorf("audit of the end: %s, want it to end in %s", got, want)
				}
			})
		})
	}
}
