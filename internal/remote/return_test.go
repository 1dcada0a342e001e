package remote

import (
	"slices"
	"testing"
	"time"

	"signalbox/internal/channel"
	"signalbox/internal/endpoint"
	"signalbox/internal/signalling"
)

// TestEndpointComesBack: on the XMPP session that it had, an endpoint goes on at once; on another it is asked, and goes on if it knows the session still.
func TestEndpointComesBack(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		o, s, _ := b.running()
		b.presence(endpoint.Suspended)
		b.wantState("its connection is lost", o.ID, Reconnecting)
		state := s.take()[0].(signalling.State)
		if state.Returns == nil || time.Until(*state.Returns) != signalling.ReturnWithin {
			t.Errorf("the technician is told %+v", state)
		}
		after(50 * time.Second)
		b.presence(endpoint.Resumed)
		b.wantState("it is resumed", o.ID, Active)
		if got := b.endpoints.take(); len(got) != 0 {
			t.Errorf("it is told %q", names(got))
		}

		b.presence(endpoint.Ended, endpoint.Bound)
		b.wantState("it logs in", o.ID, Reconnecting)
		b.presence(endpoint.Available)
		b.wantState("it is asked", o.ID, Reconnecting)
		offer := b.endpoints.take()
		if !slices.Equal(names(offer), []string{"offer"}) || len(offer[0].(signalling.Offer).Servers) == 0 {
			t.Errorf("it is told %+v", offer)
		}
		consents := len(b.store.acts())
		b.hear(signalling.Accept{About: about(o.ID), Resumed: true})
		b.wantState("it goes on", o.ID, Active)
		if acts := b.store.acts()[consents:]; !slices.Equal(acts, []string{"session.returned"}) {
			t.Errorf("the audit has %q", acts)
		}
		b.hear(signalling.Accept{About: about(o.ID), Resumed: true}) // once by itself, once asked
		b.wantState("it says so twice", o.ID, Active)
	})
}

// TestAgentStartedAnew: an agent that knows the session no more is asked as for a new one, with consent, and the technician begins anew.
func TestAgentStartedAnew(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		o, s, _ := b.running()
		b.presence(endpoint.Ended, endpoint.Bound, endpoint.Available)
		s.take()
		b.hear(signalling.Consent{About: about(o.ID), State: signalling.ConsentAsking, Seconds: 30})
		b.wantState("its user is asked again", o.ID, Waiting)
		b.hear(signalling.Consent{About: about(o.ID), State: signalling.ConsentAllowed})
		b.hear(signalling.Accept{About: about(o.ID), Capabilities: []string{channel.Terminal}})
		b.wantState("it accepts anew", o.ID, Connecting)
		s.says(t, signalling.SDP{About: about(o.ID), Kind: "offer", SDP: "v=0", Peer: 2})
		b.hear(signalling.Path{About: about(o.ID), Rung: signalling.RungDirect})
		b.wantState("a way is found", o.ID, Active)

		b.presence(endpoint.Ended, endpoint.Bound, endpoint.Available)
		b.hear(signalling.Accept{About: about(o.ID), Capabilities: []string{channel.Terminal}})
		b.wantState("it accepts without asking anybody", o.ID, Connecting)
	})
}

// TestConsentIsOver: who has accepted cannot go back to asking.
func TestConsentIsOver(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		o, s, _ := b.running()
		b.hear(signalling.Consent{About: about(o.ID), State: signalling.ConsentAsking, Seconds: 30})
		b.wantState("a stray question", o.ID, Active)
		if got := s.take(); len(got) != 0 {
			t.Errorf("the technician got %q", names(got))
		}
	})
}

// TestServerRestarts: sessions of the last run wait for both parties, who go on without new consent on new credentials.
func TestServerRestarts(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		o, _, secret := b.running()
		b.stop()
		b.endpoints.set(pc1, false)
		b.turn.lose() // they ended with the server
		b.run()
		after(0)
		b.wantState("after the restart", o.ID, Reconnecting)
		if b.record(o.ID).Accepted.IsZero() || b.turn.count() != 1 {
			t.Errorf("%d TURN sessions are open", b.turn.count())
		}
		after(20 * time.Second)
		s, _ := b.returned(o.ID, secret)
		b.wantState("the technician is back", o.ID, Reconnecting)
		b.presence(endpoint.Bound, endpoint.Available, endpoint.Suspended, endpoint.Resumed) // an XMPP session that outlived the restart
		if got := names(b.endpoints.take()); len(got) == 0 || got[0] != "offer" {
			t.Errorf("the endpoint is told %q", got)
		}
		b.hear(signalling.Accept{About: about(o.ID), Resumed: true})
		b.wantState("both are back", o.ID, Active)
		s.take()
		s.says(t, signalling.SDP{About: about(o.ID), Kind: "offer", SDP: "v=0", Peer: 2})
		b.hear(signalling.SDP{About: about(o.ID), Kind: "answer", SDP: "v=0", Peer: 2})
		if got := names(s.take()); !slices.Equal(got, []string{"sdp"}) {
			t.Errorf("the technician got %q", got)
		}
		if slices.Contains(b.store.acts(), "session.consent") {
			t.Error("somebody was asked again")
		}
	})
}

// TestServerRestartsBefore: what the restart finds half way goes on from there, or ends for what is missing.
func TestServerRestartsBefore(t *testing.T) {
	for _, tc := range []struct {
		name   string
		before func(*bench, Opened)
		after  func(*bench, Opened)
		state  State
		reason []Reason
	}{
		{"nobody comes", func(b *bench, o Opened) { b.attached(o) }, func(*bench, Opened) { after(time.Minute + 2*lookEvery) }, Ended, []Reason{ReasonEndpointLost}},
		{"the endpoint was asked", func(*bench, Opened) {}, func(b *bench, o Opened) {
			b.presence(endpoint.Bound, endpoint.Available)
			b.hear(signalling.Accept{About: about(o.ID)})
			b.attached(o)
		}, Connecting, nil},
		{"its user was asked", func(b *bench, o Opened) {
			b.hear(signalling.Consent{About: about(o.ID), State: signalling.ConsentAsking, Seconds: 30})
		}, func(b *bench, o Opened) {
			s, err := b.attach(signalling.Attach{About: about(o.ID), Token: o.Token}, home)
			if err != nil {
				b.t.Fatal(err)
			}
			if ends := s.take()[0].(signalling.State).ConsentEnds; ends == nil || time.Until(*ends) != 30*time.Second {
				b.t.Errorf("the technician is told that the question ends at %v", ends)
			}
			b.presence(endpoint.Bound, endpoint.Available)
			after(40 * time.Second)
		}, Waiting, nil},
		{"the technician does not come back", func(b *bench, o Opened) {
			b.attached(o)
			b.hear(signalling.Accept{About: about(o.ID)})
		}, func(b *bench, o Opened) {
			b.presence(endpoint.Bound, endpoint.Available)
			b.hear(signalling.Accept{About: about(o.ID), Resumed: true})
			after(time.Minute + 2*lookEvery)
		}, Ended, []Reason{ReasonTechnicianLost}},
		{"the endpoint was deleted", func(b *bench, _ Opened) { delete(b.store.endpoints, pc1) }, func(*bench, Opened) {}, Ended, []Reason{ReasonEndpointRemoved}},
		{"its time was over", func(b *bench, o Opened) {
			b.attached(o)
			b.stop()
			after(2 * time.Hour)
		}, func(*bench, Opened) { after(2 * lookEvery) }, Ended, []Reason{ReasonDurationLimit}},
	} {
		inBubble(t, func(t *testing.T, b *bench) {
			o := b.opened()
			tc.before(b, o)
			b.stop()
			b.endpoints.set(pc1, false)
			b.run()
			after(0)
			tc.after(b, o)
			b.wantState(tc.name, o.ID, tc.state, tc.reason...)
		})
	}
}

// TestRemoved: an endpoint that was disabled while it was online is no party any more.
func TestRemoved(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		o, _, _ := b.running()
		b.SessionChanged(endpoint.Change{Kind: endpoint.Ended, Key: pc1, Reason: endpoint.ReasonDisabled})
		after(0)
		b.wantState("it is disabled", o.ID, Ended, ReasonEndpointRemoved)
	})
}

// TestEndedWhileAway: an endpoint that comes back to a session which ended meanwhile is told that it has.
func TestEndedWhileAway(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		o, _, _ := b.running()
		b.presence(endpoint.Ended)
		b.end(o.ID, "", management)
		b.presence(endpoint.Bound, endpoint.Available)
		if got := b.endpoints.take(); len(got) != 0 {
			t.Errorf("it is told %q", names(got))
		}
		if err := b.FromEndpoint(t.Context(), pc1, signalling.Accept{About: about(o.ID), Resumed: true}); err == nil || err.Error() != "the remote session has ended: management_ended" {
			t.Errorf("it goes on: %v", err)
		}
	})
}
