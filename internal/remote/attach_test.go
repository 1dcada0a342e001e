package remote

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"signalbox/internal/channel"
	"signalbox/internal/endpoint"
	"signalbox/internal/signalling"
)

// TestTickets: nobody gets in with what is stolen, used, old, made up or another session's; each attempt is counted and audited, with no word of what was shown.
func TestTickets(t *testing.T) {
	thief := netip.MustParseAddr("203.0.113.66")
	for _, tc := range []struct {
		name string
		a    func(*bench, Opened) signalling.Attach
		why  string
	}{
		{"used", func(b *bench, o Opened) signalling.Attach {
			b.attached(o)
			return signalling.Attach{About: about(o.ID), Token: o.Token}
		}, refusedUsed},
		{"expired", func(_ *bench, o Opened) signalling.Attach {
			after(signalling.AttachWithin - lookEvery/2) // the session is not looked at before the token is too old
			after(lookEvery / 2)
			return signalling.Attach{About: about(o.ID), Token: o.Token}
		}, refusedExpired},
		{"of another session", func(b *bench, o Opened) signalling.Attach {
			return signalling.Attach{About: about(o.ID), Token: b.opened().Token}
		}, refusedWrong},
		{"made up", func(_ *bench, o Opened) signalling.Attach { return signalling.Attach{About: about(o.ID), Token: "x"} }, refusedWrong},
		{"nothing", func(_ *bench, o Opened) signalling.Attach { return signalling.Attach{About: about(o.ID)} }, refusedWrong},
		{"both", func(_ *bench, o Opened) signalling.Attach {
			return signalling.Attach{About: about(o.ID), Token: o.Token, Reattach: "x"}
		}, refusedWrong},
		{"replaced by another", func(b *bench, o Opened) signalling.Attach {
			if _, err := b.Renew(b.t.Context(), domain, o.ID, management); err != nil {
				b.t.Fatal(err)
			}
			return signalling.Attach{About: about(o.ID), Token: o.Token}
		}, refusedWrong},
		{"a token to come back with", func(b *bench, o Opened) signalling.Attach {
			return signalling.Attach{About: about(o.ID), Reattach: o.Token}
		}, refusedWrong},
		{"to come back with, used", func(b *bench, o Opened) signalling.Attach {
			_, first := b.attached(o)
			s, _ := b.returned(o.ID, first)
			s.says(b.t, signalling.Path{About: about(o.ID)})
			return signalling.Attach{About: about(o.ID), Reattach: first}
		}, refusedWrong},
		{"of no session", func(_ *bench, o Opened) signalling.Attach {
			return signalling.Attach{About: about(o.ID + 1), Token: o.Token}
		}, refusedUnknown},
		{"no id", func(_ *bench, o Opened) signalling.Attach {
			return signalling.Attach{About: signalling.About{ID: "ses_"}, Token: o.Token}
		}, refusedUnknown},
	} {
		inBubble(t, func(t *testing.T, b *bench) {
			o := b.opened()
			b.hear(signalling.Accept{About: about(o.ID)})
			a := tc.a(b, o)
			before := len(b.store.acts())
			s, err := b.attach(a, thief)
			if err != ErrTicket || len(s.take()) != 0 {
				t.Errorf("%s: it got %q, %v", tc.name, names(s.take()), err)
			}
			after(0)
			acts := b.store.acts()[before:]
			want := "session.refused stranger:203.0.113.66 {\"why\":\"" + tc.why + "\"}"
			if !slices.Contains(acts, want) {
				t.Errorf("%s: the audit has %q, want %q", tc.name, acts, want)
			}
			if a.Token != "" && len(a.Token) > 3 && strings.Contains(strings.Join(acts, " "), a.Token) {
				t.Errorf("%s: the audit has the token", tc.name)
			}
		})
	}
}

// TestComesBack: after a reload the technician is in again without new consent, knows how the session is, and the endpoint's TURN permissions follow.
func TestComesBack(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		o, s, secret := b.running()
		s.Detach()
		after(50 * time.Second)
		b.wantState("without its technician", o.ID, Reconnecting)
		elsewhere := netip.MustParseAddr("2001:db8::7")
		back, err := b.attach(signalling.Attach{About: about(o.ID), Reattach: secret}, elsewhere)
		if err != nil {
			t.Fatal(err)
		}
		state := back.take()[0].(signalling.State)
		if state.State != string(Active) || state.Reattach == "" || state.Reattach == secret || len(state.Servers) != 2 {
			t.Errorf("it is told %+v", state)
		}
		b.wantState("with it", o.ID, Active)
		if at := b.turn.technician(); at != elsewhere {
			t.Errorf("the TURN server takes it to be at %v", at)
		}
		if got := b.endpoints.take(); len(got) != 0 {
			t.Errorf("the endpoint is told %q", names(got))
		}
		if want := []string{"session.lost", "session.returned"}; !slices.Equal(b.store.told()[len(b.store.told())-2:], want) {
			t.Errorf("events: %q", b.store.told())
		}
	})
}

// TestLostAnswer: a technician whose new secret was lost with its connection comes back with the one before.
func TestLostAnswer(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		o, s, first := b.running()
		s.Detach()
		lost, second := b.returned(o.ID, first)
		lost.Detach()
		b.returned(o.ID, first)
		if _, err := b.attach(signalling.Attach{About: about(o.ID), Reattach: second}, home); err != ErrTicket {
			t.Errorf("the secret that was lost: %v", err)
		}
	})
}

// TestTokenEndsSecrets: whoever comes in with a new token leaves no secret good that others hold.
func TestTokenEndsSecrets(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		o, _, first := b.running()
		_, second := b.returned(o.ID, first)
		renewed, err := b.Renew(t.Context(), domain, o.ID, management)
		if err != nil {
			t.Fatal(err)
		}
		b.attached(renewed)
		for _, secret := range []string{first, second} {
			if _, err := b.attach(signalling.Attach{About: about(o.ID), Reattach: secret}, home); err != ErrTicket {
				t.Errorf("an older secret: %v", err)
			}
		}
	})
}

// TestReplaced: a second connection takes the place of the first, which can say no more, and whose end ends nothing.
func TestReplaced(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		o, first, secret := b.running()
		second, _ := b.returned(o.ID, secret)
		if got := first.ends(); !slices.Equal(got, []string{LetGoReplaced}) {
			t.Errorf("the first is let go for %q", got)
		}
		first.take()
		if err := first.Take(t.Context(), signalling.End{About: about(o.ID)}); err != ErrReplaced {
			t.Errorf("the first ends it: %v", err)
		}
		first.Detach()
		after(0)
		b.wantState("the first is gone", o.ID, Active)
		b.hear(signalling.Path{About: about(o.ID), Rung: signalling.RungDirect})
		if len(second.take()) == 0 || len(first.take()) != 0 {
			t.Error("the wrong one hears what the endpoint says")
		}
	})
}

// TestAttachesAreBounded: who comes and goes all the time does not fill the audit, and gets in again later.
func TestAttachesAreBounded(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		o, _, secret := b.running()
		var err error
		for range attachesPerMinute {
			s, failed := b.attach(signalling.Attach{About: about(o.ID), Reattach: secret}, home)
			if err = failed; err == nil {
				secret = s.take()[0].(signalling.State).Reattach
			}
		}
		if err != ErrFlood {
			t.Errorf("one more: %v", err)
		}
		after(time.Minute)
		b.returned(o.ID, secret)
	})
}

// TestSlow: a technician who does not take what is sent is let go, and has time to come back.
func TestSlow(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		o, s, secret := b.running()
		s.full = true
		b.hear(signalling.Path{About: about(o.ID), Rung: signalling.RungDirect})
		if got := s.ends(); !slices.Equal(got, []string{LetGoSlow}) {
			t.Errorf("it is let go for %q", got)
		}
		b.wantState("it is away", o.ID, Reconnecting)
		b.returned(o.ID, secret)
		b.wantState("it is back", o.ID, Active)
	})
}

// TestRenew: a new token lets another connection in, who is in stays until then.
func TestRenew(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		o, s, _ := b.running()
		renewed, err := b.Renew(t.Context(), domain, o.ID, management)
		if err != nil || renewed.Token == o.Token || len(renewed.Servers) != 2 {
			t.Fatalf("%+v, %v", renewed, err)
		}
		s.says(t, signalling.Path{About: about(o.ID)})
		b.attached(renewed)
		if len(s.ends()) != 1 {
			t.Error("two are in")
		}
		if _, err := b.Renew(t.Context(), "other.example", o.ID, management); !errors.Is(err, ErrUnknown) {
			t.Errorf("of another domain: %v", err)
		}
	})
}

// TestRenewGivesTime: a new token keeps a session whose technician has not come yet, or not come back.
func TestRenewGivesTime(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		o := b.opened()
		b.hear(signalling.Accept{About: about(o.ID)})
		after(50 * time.Second)
		renewed, err := b.Renew(t.Context(), domain, o.ID, management)
		if err != nil {
			t.Fatal(err)
		}
		after(50 * time.Second)
		s, _ := b.attached(renewed)
		s.Detach()
		after(50 * time.Second)
		if renewed, err = b.Renew(t.Context(), domain, o.ID, management); err != nil {
			t.Fatal(err)
		}
		after(50 * time.Second)
		b.attached(renewed)
	})
}

// TestMayNot: what a technician says that the session does not allow goes nowhere.
func TestMayNot(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		o, s, _ := b.running()
		other := b.opened(func(s *Spec) { s.Technician.ID = "bob" })
		b.endpoints.take()
		for name, m := range map[string]signalling.Message{
			"an answer":              signalling.SDP{About: about(o.ID), Kind: "answer", SDP: "v=0", Peer: 1},
			"peer 0":                 signalling.SDP{About: about(o.ID), Kind: "offer", SDP: "v=0"},
			"another's session":      signalling.End{About: about(other.ID)},
			"a kind that it has not": signalling.Relay{About: about(o.ID), Channel: channel.Processes},
			"a URL of its own":       signalling.Relay{About: about(o.ID), Channel: channel.Files, URL: "wss://evil.example/"},
			"an unknown rung":        signalling.Path{About: about(o.ID), Rung: "pigeon"},
			"an accept":              signalling.Accept{About: about(o.ID)},
			"an offer of a session":  signalling.Offer{About: about(o.ID), Grant: "x"},
			"consent":                signalling.Consent{About: about(o.ID), State: signalling.ConsentAllowed},
			"a second attach":        signalling.Attach{About: about(o.ID)},
			"state":                  signalling.State{About: about(o.ID)},
			"servers of its own":     signalling.ICE{About: about(o.ID)},
			"the endpoint's refusal": signalling.Deny{About: about(o.ID), Reason: "busy"},
		} {
			if err := s.Take(t.Context(), m); err != ErrMessage {
				t.Errorf("%s: %v", name, err)
			}
		}
		if got := b.endpoints.take(); len(got) != 0 || b.relay.legs() != 0 {
			t.Errorf("the endpoint got %q, the relay %v", names(got), b.relay.legs())
		}
		b.wantState("nothing of it", o.ID, Active)
	})
}

// TestTooEarly: before the endpoint has accepted a technician can end the session and nothing else.
func TestTooEarly(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		o := b.opened()
		s, _ := b.attached(o)
		b.endpoints.take()
		for _, m := range []signalling.Message{
			signalling.SDP{About: about(o.ID), Kind: "offer", SDP: "v=0", Peer: 1}, signalling.Candidate{About: about(o.ID), Peer: 1},
			signalling.Path{About: about(o.ID)}, signalling.Relay{About: about(o.ID), Channel: channel.Files},
		} {
			if err := s.Take(t.Context(), m); err != ErrMessage {
				t.Errorf("%s: %v", m.Name(), err)
			}
		}
		if got := b.endpoints.take(); len(got) != 0 {
			t.Errorf("the endpoint got %q", names(got))
		}
		s.says(t, signalling.End{About: about(o.ID)})
		b.wantState("the technician gives up", o.ID, Ended, ReasonTechnicianEnded)
	})
}

// TestAnotherProgramGoesOn: whoever takes the technician's side learns the number of the last connection, which the broker knows from who offered it, and after a restart from the
// endpoint; nobody is told of it for its own sake.
func TestAnotherProgramGoesOn(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		o, s, secret := b.running()
		s.says(t, signalling.SDP{About: about(o.ID), Kind: "offer", SDP: "v=0", Peer: 7})
		b.hear(signalling.Path{About: about(o.ID), Rung: signalling.RungDirect})
		if got := names(s.take()); !slices.Equal(got, []string{"path"}) {
			t.Errorf("the technician is told %q", got)
		}
		peer := func(what string, secret string, want int) (*seat, string) {
			t.Helper()
			s, err := b.attach(signalling.Attach{About: about(o.ID), Reattach: secret}, home)
			if err != nil {
				t.Fatal(err)
			}
			state := s.take()[0].(signalling.State)
			if state.Peer != want {
				t.Errorf("%s: the last connection has number %d, want %d", what, state.Peer, want)
			}
			return s, state.Reattach
		}
		s, secret = peer("another program", secret, 7)
		b.endpoints.take()
		s.says(t, signalling.SDP{About: about(o.ID), Kind: "offer", SDP: "v=0", Peer: 8})
		if got := names(b.endpoints.take()); !slices.Equal(got, []string{"sdp"}) {
			t.Errorf("the endpoint is told %q", got)
		}
		b.stop()
		b.run()
		s, secret = peer("after a restart", secret, 0)
		b.presence(endpoint.Bound, endpoint.Available)
		b.hear(signalling.Accept{About: about(o.ID), Resumed: true, Peer: 8})
		state, ok := s.take()[0].(signalling.State)
		if !ok || state.State != string(Active) || state.Peer != 8 {
			t.Errorf("when the endpoint is back the technician is told %+v", state)
		}
		b.hear(signalling.Accept{About: about(o.ID), Resumed: true, Peer: 3}) // of an old agent, or none that is well meant
		peer("at last", secret, 8)
	})
}

// TestAccountHasOneName: an account of the console that opens a session for itself is named alike in all that the audit has of it.
func TestAccountHasOneName(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		s := spec()
		s.Technician.ID = "tec_1"
		o, err := b.Open(t.Context(), domain, s, Caller{Name: "ann"})
		if err != nil {
			t.Fatal(err)
		}
		seat, _ := b.attached(o)
		seat.says(t, signalling.End{About: about(o.ID)})
		b.store.mu.Lock()
		defer b.store.mu.Unlock()
		for _, e := range b.store.entries {
			if e.Actor != "technician:ann" {
				t.Errorf("%s is by %s, want technician:ann", e.Action, e.Actor)
			}
		}
		if len(b.store.entries) != 3 {
			t.Errorf("%d entries, want that it was asked for, attached to and ended", len(b.store.entries))
		}
	})
}

// TestNobodyWaits: a technician whose caller has gone does not stay attached.
func TestNobodyWaits(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		o := b.opened()
		b.hear(signalling.Accept{About: about(o.ID)})
		goOn := b.store.stall()
		ctx, cancel := context.WithCancel(t.Context())
		failed := make(chan error, 1)
		s := &seat{}
		go func() {
			_, err := b.Attach(ctx, signalling.Attach{About: about(o.ID), Token: o.Token}, home, s.send, s.close)
			failed <- err
		}()
		after(0)
		cancel()
		if err := <-failed; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		goOn()
		after(0)
		b.wantState("the connection is gone", o.ID, Reconnecting)
	})
}
