package remote

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"signalbox/internal/channel"
	"signalbox/internal/signalling"
	"signalbox/internal/turnsession"
)

// TestFlow: a session from its request to its end, as both parties, the store, the events and the audit see it.
func TestFlow(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		o := b.opened()
		b.wantState("asked", o.ID, Requested)
		offer := b.endpoints.take()[0].(signalling.Offer)
		if offer.Grant != "sealed" || len(offer.Servers) != 2 || offer.Servers[1].Username != "1a" {
			t.Errorf("the endpoint is offered %+v", offer)
		}
		if len(o.Servers) != 2 || o.Servers[1].Username != "1b" || o.Servers[0].URLs[0] != "stun:t.example:3478" {
			t.Errorf("the technician gets %+v", o.Servers)
		}
		b.hear(signalling.Consent{About: about(o.ID), State: signalling.ConsentAsking, Seconds: 20, Desktop: signalling.DesktopActive})
		b.wantState("its user is asked", o.ID, Waiting)

		s, err := b.attach(signalling.Attach{About: about(o.ID), Token: o.Token}, home)
		if err != nil {
			t.Fatal(err)
		}
		state := s.take()[0].(signalling.State)
		if state.ConsentEnds == nil || time.Until(*state.ConsentEnds) != 20*time.Second || !slices.Equal(state.Watchers, []string{"Ann Lee"}) || len(state.Servers) != 2 {
			t.Errorf("the technician is told %+v", state)
		}
		if at := b.turn.technician(); at != home {
			t.Errorf("the TURN server takes the technician to be at %v", at)
		}

		b.hear(signalling.Consent{About: about(o.ID), State: signalling.ConsentAllowed})
		b.hear(signalling.Accept{About: about(o.ID), Capabilities: []string{channel.Terminal}})
		b.wantState("accepted", o.ID, Connecting)
		s.says(t, signalling.SDP{About: about(o.ID), Kind: "offer", SDP: "v=0", Peer: 1})
		b.hear(signalling.SDP{About: about(o.ID), Kind: "answer", SDP: "v=0", Peer: 1})
		b.hear(signalling.Candidate{About: about(o.ID), Candidate: "c", Peer: 1})
		s.says(t, signalling.Candidate{About: about(o.ID), Candidate: "d", Peer: 1})
		b.hear(signalling.Path{About: about(o.ID), Rung: signalling.RungTURNUDP, Up: 10, Down: 20})
		b.turn.moved = turnsession.Counters{
			Allocations: 2, PacketsUp: 4, BytesUp: 40, Drops: map[string]uint64{"peer_refused": 2, "rate_limited": 3}, RefusedPeers: map[string]uint64{"192.0.2.66": 1},
		}
		b.wantState("a way is found", o.ID, Active)
		s.says(t, signalling.Path{About: about(o.ID), Rung: signalling.RungTURNUDP})

		want := []string{"consent", "state waiting_for_consent", "accept", "state connecting", "sdp", "candidate", "path", "state active"}
		if diff := cmp.Diff(want, names(s.take())); diff != "" {
			t.Errorf("the technician got (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]string{"sdp", "candidate", "path"}, names(b.endpoints.take())); diff != "" {
			t.Errorf("the endpoint got (-want +got):\n%s", diff)
		}

		after(10 * time.Second)
		s.says(t, signalling.End{About: about(o.ID)})
		b.wantState("the technician ends it", o.ID, Ended, ReasonTechnicianEnded)
		for who, got := range map[string][]string{"technician": names(s.take()), "endpoint": names(b.endpoints.take())} {
			if !slices.Equal(got, []string{"end"}) {
				t.Errorf("the %s got %q", who, got)
			}
		}
		if got := s.ends(); !slices.Equal(got, []string{"technician_ended"}) {
			t.Errorf("the connection was let go for %q", got)
		}
		if b.turn.endings() != 1 || b.turn.count() != 0 || len(b.relay.bounds()) != 0 {
			t.Errorf("TURN sessions: %d ended, %d open; relay: %v", b.turn.endings(), b.turn.count(), b.relay.bounds())
		}
		wantEvents := []string{"session.requested", "session.consent", "session.consent", "session.accepted", "session.active", "session.ended"}
		if diff := cmp.Diff(wantEvents, b.store.told()); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
		wantActs := []string{
			"session.requested", "session.consent", "session.attached", "session.consent", "session.accepted", "session.active", "session.ended",
		}
		if diff := cmp.Diff(wantActs, b.store.acts()); diff != "" {
			t.Errorf("audit (-want +got):\n%s", diff)
		}
		end := b.store.last("session.ended")
		wantEnd := `{"reason":"technician_ended","seconds":10,"bytes_up":10,"bytes_down":20,"path":"turn_udp","turn":{"session":"` + b.record(o.ID).Turn.String() + `","counters":` +
			`{"allocations":2,"open_allocations":0,"packets_up":4,"packets_down":0,"bytes_up":40,"bytes_down":0,"drops":{"peer_refused":2,"rate_limited":3},` +
			`"refused_peers":{"192.0.2.66":1}}}}`
		if string(end.Detail) != wantEnd || end.Actor != "technician:ann" || end.Subject != o.ID.String() {
			t.Errorf("audit of the end: %s by %s of %s", end.Detail, end.Actor, end.Subject)
		}
	})
}

// TestNothingSecretIsKept: neither the token nor the secret to come back with is in the store or the audit.
func TestNothingSecretIsKept(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		o, _, secret := b.running()
		text, err := json.Marshal([]any{b.record(o.ID), b.store.entries})
		if err != nil {
			t.Fatal(err)
		}
		for _, one := range []string{o.Token, secret} {
			if len(one) < 40 || strings.Contains(string(text), one) {
				t.Errorf("%q is short, or kept", one)
			}
		}
	})
}

// TestDenied: an endpoint that refuses ends the session with its reason; what it makes up counts as its own end.
func TestDenied(t *testing.T) {
	for _, tc := range []struct {
		say  func(ID) signalling.Message
		want Reason
	}{
		{func(id ID) signalling.Message { return signalling.Deny{About: about(id), Reason: "consent_denied"} }, ReasonConsentDenied},
		{func(id ID) signalling.Message { return signalling.Deny{About: about(id), Reason: "consent_timeout"} }, ReasonConsentTimeout},
		{func(id ID) signalling.Message { return signalling.Deny{About: about(id), Reason: "grant_refused"} }, ReasonGrantRefused},
		{func(id ID) signalling.Message { return signalling.Deny{About: about(id), Reason: "busy"} }, ReasonBusy},
		{func(id ID) signalling.Message { return signalling.Deny{About: about(id), Reason: "not_supported"} }, ReasonNotSupported},
		{func(id ID) signalling.Message { return signalling.End{About: about(id), Reason: "user_ended"} }, ReasonUserEnded},
		{func(id ID) signalling.Message { return signalling.End{About: about(id), Reason: "management_ended"} }, ReasonEndpointEnded},
		{func(id ID) signalling.Message { return signalling.End{About: about(id), Reason: "nonsense"} }, ReasonEndpointEnded},
	} {
		inBubble(t, func(t *testing.T, b *bench) {
			o := b.opened()
			s, _ := b.attached(o)
			b.hear(tc.say(o.ID))
			b.wantState("refused", o.ID, Ended, tc.want)
			if end := s.take()[0].(signalling.End); end.Reason != tc.want.Name {
				t.Errorf("the technician is told %q, want %q", end.Reason, tc.want.Name)
			}
			if end := b.store.last("session.ended"); end.Actor != "endpoint:pc-1" {
				t.Errorf("the audit says that %q ended it", end.Actor)
			}
		})
	}
}

// TestEnds: whoever may end a session, and what counts as the reason then.
func TestEnds(t *testing.T) {
	for _, tc := range []struct {
		name string
		end  func(*bench, ID)
		want Reason
		by   string
	}{
		{"management", func(b *bench, id ID) { b.end(id, "management_ended", management) }, ReasonManagementEnded, "token:management"},
		{"a reason that is not theirs", func(b *bench, id ID) { b.end(id, "user_ended", management) }, ReasonManagementEnded, "token:management"},
		{"the console", func(b *bench, id ID) { b.end(id, "technician_ended", Caller{Name: "bob"}) }, ReasonTechnicianEnded, "technician:bob"},
		{"an account is disabled", func(b *bench, _ ID) { b.TechnicianDisabled(domain, "ann") }, ReasonTechnicianDisabled, "server"},
		{"the endpoint is deleted", func(b *bench, _ ID) { b.EndpointDeleted(pc1) }, ReasonEndpointRemoved, "server"},
	} {
		inBubble(t, func(t *testing.T, b *bench) {
			o, s, _ := b.running()
			tc.end(b, o.ID)
			after(0)
			b.wantState(tc.name, o.ID, Ended, tc.want)
			if end := b.store.last("session.ended"); end.Actor != tc.by {
				t.Errorf("%s: the audit says that %q ended it, want %q", tc.name, end.Actor, tc.by)
			}
			if got := s.ends(); !slices.Equal(got, []string{tc.want.Name}) {
				t.Errorf("%s: the connection was let go for %q", tc.name, got)
			}
			b.end(o.ID, "technician_ended", management) // again
			b.wantState(tc.name+", twice", o.ID, Ended, tc.want)
		})
	}
}

// end ends a session.
func (b *bench) end(id ID, reason string, by Caller) {
	b.t.Helper()
	if _, err := b.End(b.t.Context(), domain, id, reason, by); err != nil {
		b.t.Error(err)
	}
}

// TestWatchers: technicians of several sessions with one endpoint know of each other.
func TestWatchers(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		_, ann, _ := b.running()
		second := b.opened(func(s *Spec) { s.Technician = signalling.Technician{ID: "bob", Name: "Bob"} })
		bob, err := b.attach(signalling.Attach{About: about(second.ID), Token: second.Token}, home)
		if err != nil {
			t.Fatal(err)
		}
		after(0)
		want := []string{"Ann Lee", "Bob"}
		for who, got := range map[string][]signalling.Message{"ann": ann.take(), "bob": bob.take()} {
			if state := got[len(got)-1].(signalling.State); !slices.Equal(state.Watchers, want) {
				t.Errorf("%s sees %q, want %q", who, state.Watchers, want)
			}
		}
		bob.Detach()
		after(0)
		if state := ann.take()[0].(signalling.State); !slices.Equal(state.Watchers, want[:1]) {
			t.Errorf("ann sees %q, want her own name", state.Watchers)
		}
	})
}

// TestRungs: other ways are noted, but not each flicker of them.
func TestRungs(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		o, _, _ := b.running()
		for range 50 {
			b.hear(signalling.Path{About: about(o.ID), Rung: signalling.RungTURNTLS})
			b.hear(signalling.Path{About: about(o.ID)})
			b.hear(signalling.Path{About: about(o.ID), Rung: signalling.RungRelay})
		}
		after(time.Minute)
		if r := b.record(o.ID); r.Rung != signalling.RungRelay {
			t.Errorf("the record says %q, want what it came to", r.Rung)
		}
		n := 0
		for _, act := range b.store.acts() {
			if act == "session.path" {
				n++
			}
		}
		if n != 1 {
			t.Errorf("%d entries about the way, want 1", n)
		}
		if got, want := string(b.store.last("session.path").Detail), `{"rung":"relay","before":"direct"}`; got != want {
			t.Errorf("the audit says %s, want %s", got, want)
		}
	})
}
