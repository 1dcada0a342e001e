package remote

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"signalbox/internal/channel"
	"signalbox/internal/endpoint"
	"signalbox/internal/signalling"
	"signalbox/internal/turnsession"
)

// TestTransitions: what each message of the endpoint makes of each state.
func TestTransitions(t *testing.T) {
	at := map[State]func(*bench) Opened{
		Requested: func(b *bench) Opened { return b.opened() },
		Waiting: func(b *bench) Opened {
			o := b.opened()
			b.hear(signalling.Consent{About: about(o.ID), State: signalling.ConsentAsking, Seconds: 30})
			return o
		},
		Connecting: func(b *bench) Opened {
			o := b.opened()
			b.hear(signalling.Accept{About: about(o.ID)})
			return o
		},
		Active: func(b *bench) Opened {
			o, _, _ := b.running()
			return o
		},
		Reconnecting: func(b *bench) Opened {
			o, _, _ := b.running()
			b.presence(endpoint.Suspended)
			return o
		},
	}
	messages := map[string]func(ID) signalling.Message{
		"asking": func(id ID) signalling.Message {
			return signalling.Consent{About: about(id), State: signalling.ConsentAsking}
		},
		"not_asked": func(id ID) signalling.Message {
			return signalling.Consent{About: about(id), State: signalling.ConsentNotNeeded}
		},
		"allowed": func(id ID) signalling.Message {
			return signalling.Consent{About: about(id), State: signalling.ConsentAllowed}
		},
		"accept":  func(id ID) signalling.Message { return signalling.Accept{About: about(id)} },
		"resumed": func(id ID) signalling.Message { return signalling.Accept{About: about(id), Resumed: true} },
		"path":    func(id ID) signalling.Message { return signalling.Path{About: about(id), Rung: signalling.RungRelay} },
		"no path": func(id ID) signalling.Message { return signalling.Path{About: about(id)} },
		"sdp": func(id ID) signalling.Message {
			return signalling.SDP{About: about(id), Kind: "answer", SDP: "v=0", Peer: 1}
		},
		"candidate": func(id ID) signalling.Message { return signalling.Candidate{About: about(id), Peer: 1} },
		"deny":      func(id ID) signalling.Message { return signalling.Deny{About: about(id), Reason: "busy"} },
		"end":       func(id ID) signalling.Message { return signalling.End{About: about(id), Reason: "user_ended"} },
	}
	want := map[State]map[string]State{ // a state that is missing stays
		Requested:    {"asking": Waiting, "allowed": Waiting, "accept": Connecting, "resumed": Connecting, "deny": Ended, "end": Ended},
		Waiting:      {"not_asked": Requested, "accept": Connecting, "resumed": Connecting, "deny": Ended, "end": Ended},
		Connecting:   {"path": Active, "deny": Ended, "end": Ended},
		Active:       {"deny": Ended, "end": Ended},
		Reconnecting: {"accept": Active, "resumed": Active, "deny": Ended, "end": Ended},
	}
	for from, prepare := range at {
		for name, message := range messages {
			inBubble(t, func(t *testing.T, b *bench) {
				o := prepare(b)
				b.wantState("prepared", o.ID, from)
				b.hear(message(o.ID))
				to, ok := want[from][name]
				if !ok {
					to = from
				}
				if got := b.record(o.ID).State; got != to {
					t.Errorf("%s in state %s makes it %s, want %s", name, from, got, to)
				}
			})
		}
	}
}

// TestForeignEndpoint: an endpoint without a grant can neither hear nor end the session of another, and does not even learn that there is one.
func TestForeignEndpoint(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		o, s, _ := b.running()
		foreign := endpoint.Key{Domain: domain, ID: "pc-2"}
		for _, m := range []signalling.Message{signalling.End{About: about(o.ID)}, signalling.Accept{About: about(o.ID)}, signalling.Path{About: about(o.ID), Rung: "direct"}} {
			err := b.FromEndpoint(t.Context(), foreign, m)
			if other := b.FromEndpoint(t.Context(), foreign, signalling.End{About: about(o.ID + 1)}); err != ErrUnknown || err != other {
				t.Errorf("%s: %v, of a session that there is not %v", m.Name(), err, other)
			}
		}
		after(0)
		b.wantState("nothing of it", o.ID, Active)
		if got := s.take(); len(got) != 0 {
			t.Errorf("the technician got %q", names(got))
		}
		if want := `session.refused endpoint:pc-2 {"why":"foreign_endpoint"}`; !slices.Contains(b.store.acts(), want) {
			t.Errorf("the audit has %q", b.store.acts())
		}
	})
}

// TestEndpointMayNot: what an endpoint has no business to say is refused at once.
func TestEndpointMayNot(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		o, s, _ := b.running()
		for _, m := range []signalling.Message{
			signalling.Attach{About: about(o.ID)}, signalling.State{About: about(o.ID)}, signalling.Offer{About: about(o.ID)}, signalling.ICE{About: about(o.ID)},
			signalling.Relay{About: about(o.ID), Channel: channel.Files}, signalling.SDP{About: about(o.ID), Kind: "offer"}, signalling.Path{About: about(o.ID), Rung: "pigeon"},
		} {
			if err := b.FromEndpoint(t.Context(), pc1, m); err != ErrMessage {
				t.Errorf("%s: %v", m.Name(), err)
			}
		}
		if got := s.take(); len(got) != 0 {
			t.Errorf("the technician got %q", names(got))
		}
	})
}

// TestFlood: an endpoint that says more than is worked on is refused, waits for nothing, and costs nobody else.
func TestFlood(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		o, _, _ := b.running()
		other := b.opened(func(s *Spec) { s.Technician.ID = "bob" })
		goOn := b.store.stall()
		go b.End(t.Context(), domain, o.ID, "", management) //nolint:errcheck // it holds the queue up
		after(0)
		for range maxWaiting {
			if err := b.FromEndpoint(t.Context(), pc1, signalling.Path{About: about(o.ID)}); err != nil {
				t.Fatal(err)
			}
		}
		if err := b.FromEndpoint(t.Context(), pc1, signalling.Path{About: about(o.ID)}); err != ErrFlood {
			t.Errorf("one more: %v", err)
		}
		if err := b.FromEndpoint(t.Context(), pc1, signalling.Path{About: about(other.ID)}); err != nil {
			t.Errorf("in another session: %v", err)
		}
		goOn()
		after(0)
		b.wantState("when the store is back", o.ID, Ended, ReasonManagementEnded)
		if n := testutil.ToFloat64(b.metrics.dropped.WithLabelValues(droppedFlood)); n != 1 {
			t.Errorf("%v are counted", n)
		}
	})
}

// TestConsentsAreBounded: an endpoint cannot fill the audit with what it says of consent.
func TestConsentsAreBounded(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		o := b.opened()
		for range 4 * maxConsents {
			b.hear(signalling.Consent{About: about(o.ID), State: signalling.ConsentAsking, Seconds: 30})
		}
		n := 0
		for _, act := range b.store.acts() {
			if act == "session.consent" {
				n++
			}
		}
		if n != maxConsents {
			t.Errorf("%d entries, want %d", n, maxConsents)
		}
	})
}

// TestOrder: a receiver hears everything in the order in which it was said.
func TestOrder(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		o, s, _ := b.running()
		for i := range 100 {
			if err := b.FromEndpoint(t.Context(), pc1, signalling.Candidate{About: about(o.ID), Line: i, Peer: 1}); err != nil {
				t.Fatal(err)
			}
		}
		after(0)
		for i, m := range s.take() {
			if c := m.(signalling.Candidate); c.Line != i {
				t.Fatalf("candidate %d is number %d", c.Line, i)
			}
		}
	})
}

// TestOldPeer: what is about a PeerConnection that was replaced goes nowhere.
func TestOldPeer(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		o, s, _ := b.running()
		s.says(t, signalling.SDP{About: about(o.ID), Kind: "offer", SDP: "v=0", Peer: 3})
		b.endpoints.take()
		s.says(t, signalling.SDP{About: about(o.ID), Kind: "offer", SDP: "v=0", Peer: 2})
		s.says(t, signalling.Candidate{About: about(o.ID), Peer: 1})
		b.hear(signalling.SDP{About: about(o.ID), Kind: "answer", SDP: "v=0", Peer: 1})
		b.hear(signalling.Candidate{About: about(o.ID), Peer: 1})
		if got := append(b.endpoints.take(), s.take()...); len(got) != 0 {
			t.Errorf("it went on: %q", names(got))
		}
	})
}

// TestRelay: both get a leg of what the technician asks for, so often and no more.
func TestRelay(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		o, s, _ := b.running()
		s.says(t, signalling.Relay{About: about(o.ID), Channel: channel.Files, Number: 7})
		if got := s.take()[0].(signalling.Relay); got.URL != "wss://x.example/relay/t" || got.Channel != channel.Files || got.Number != 7 {
			t.Errorf("the technician got %+v", got)
		}
		if got := b.endpoints.take()[0].(signalling.Relay); got.URL != "wss://x.example/relay/e" || got.Channel != channel.Files || got.Number != 7 {
			t.Errorf("the endpoint got %+v", got)
		}
		if got, want := string(b.store.last("session.channel").Detail), `{"channel":"files","number":7,"rung":"relay"}`; got != want {
			t.Errorf("the audit has %s, want %s", got, want)
		}
		s.says(t, signalling.Relay{About: about(o.ID), Channel: channel.System})
		var err error
		for range relaysPerMinute {
			err = errors.Join(err, s.Take(t.Context(), signalling.Relay{About: about(o.ID), Channel: channel.Files}))
		}
		if !errors.Is(err, ErrMessage) || b.relay.legs() != relaysPerMinute {
			t.Errorf("%d pairs, %v", b.relay.legs(), err)
		}
		after(time.Minute)
		s.says(t, signalling.Relay{About: about(o.ID), Channel: channel.Files})
		b.relay.fail(errBroken)
		if err := s.Take(t.Context(), signalling.Relay{About: about(o.ID), Channel: channel.Files}); !errors.Is(err, errBroken) || !errors.Is(err, ErrMessage) {
			t.Errorf("a relay that fails: %v", err)
		}
	})
}

// TestTURNOnly: where the session may go through TURN alone, neither learns an address of the other, nor goes anything but files over the relay.
func TestTURNOnly(t *testing.T) {
	const relayed, direct = "candidate:1 1 udp 1 192.0.2.1 50000 typ relay raddr 0.0.0.0 rport 0", "candidate:2 1 udp 2 10.0.0.1 50001 typ host"
	inBubble(t, func(t *testing.T, b *bench) {
		o, s, _ := b.running(func(s *Spec) { s.Transport = signalling.TransportTURNOnly })
		if len(o.Servers) != 1 || strings.HasPrefix(o.Servers[0].URLs[0], "stun:") {
			t.Errorf("it may ask %+v", o.Servers)
		}
		for _, c := range []string{direct, relayed, ""} {
			b.hear(signalling.Candidate{About: about(o.ID), Candidate: c, Peer: 1})
			s.says(t, signalling.Candidate{About: about(o.ID), Candidate: c, Peer: 1})
		}
		sdp := "v=0\r\na=" + direct + "\r\na=" + relayed + "\r\na=end-of-candidates\r\n"
		b.hear(signalling.SDP{About: about(o.ID), Kind: "answer", SDP: sdp, Peer: 1})
		s.says(t, signalling.SDP{About: about(o.ID), Kind: "offer", SDP: sdp, Peer: 1})
		for who, got := range map[string][]signalling.Message{"technician": s.take(), "endpoint": b.endpoints.take()} {
			want := []string{"candidate", "candidate", "sdp"}
			if !slices.Equal(names(got), want) || got[0].(signalling.Candidate).Candidate != relayed {
				t.Fatalf("the %s got %+v", who, got)
			}
			if text := got[2].(signalling.SDP).SDP; text != "v=0\r\na="+relayed+"\r\na=end-of-candidates\r\n" {
				t.Errorf("the %s got %q", who, text)
			}
		}
		if err := s.Take(t.Context(), signalling.Relay{About: about(o.ID), Channel: channel.Terminal}); err != ErrMessage {
			t.Errorf("a terminal over the relay: %v", err)
		}
		s.says(t, signalling.Relay{About: about(o.ID), Channel: channel.Files})
	})
}

// TestRelayOnly: where the session may go over the relay alone, there is no TURN session and no WebRTC.
func TestRelayOnly(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		o := b.opened(func(s *Spec) { s.Transport = signalling.TransportRelayOnly })
		s, _ := b.attached(o)
		b.hear(signalling.Accept{About: about(o.ID)})
		if len(o.Servers) != 0 || b.turn.count() != 0 {
			t.Errorf("servers %+v, %d TURN sessions", o.Servers, b.turn.count())
		}
		if err := s.Take(t.Context(), signalling.SDP{About: about(o.ID), Kind: "offer", SDP: "v=0", Peer: 1}); err != ErrMessage {
			t.Errorf("WebRTC: %v", err)
		}
		s.says(t, signalling.Relay{About: about(o.ID), Channel: channel.Terminal})
	})
}

// TestNewCredentials: both get new ones in good time, on a new TURN session if the old one is gone.
func TestNewCredentials(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		b.turn.life = 40 * time.Minute
		_, s, _ := b.running(func(s *Spec) { s.MaxIdle = 30 * time.Minute })
		after(29 * time.Minute)
		if got := append(s.take(), b.endpoints.take()...); len(got) != 0 {
			t.Errorf("too early: %q", names(got))
		}
		b.turn.lose() // somebody ended it
		s.says(t, signalling.Path{About: about(b.last)})
		b.endpoints.take()
		after(time.Minute + 2*lookEvery)
		for who, got := range map[string][]signalling.Message{"technician": s.take(), "endpoint": b.endpoints.take()} {
			if !slices.Equal(names(got), []string{"ice"}) || len(got[0].(signalling.ICE).Servers) != 2 {
				t.Errorf("the %s got %+v", who, got)
			}
		}
		if b.turn.count() != 1 || b.turn.technician() != home {
			t.Errorf("%d TURN sessions, with the technician at %v", b.turn.count(), b.turn.technician())
		}
	})
}

// TestWithoutTURN: a TURN server that is away is asked again, and both hear of it when it is there.
func TestWithoutTURN(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		b.turn.fail(turnsession.ErrUnavailable)
		o, s, _ := b.running()
		if len(o.Servers) != 0 {
			t.Errorf("servers %+v", o.Servers)
		}
		after(3 * tryTURN)
		b.turn.fail(nil)
		after(tryTURN + 2*lookEvery)
		for who, got := range map[string][]signalling.Message{"technician": s.take(), "endpoint": b.endpoints.take()} {
			if !slices.Equal(names(got), []string{"ice"}) {
				t.Errorf("the %s got %q", who, names(got))
			}
		}
		if b.turn.technician() != home {
			t.Error("the TURN server does not know where the technician is")
		}
	})
}

// TestNoTURNAtAll: a server without TURN is not asked for ever.
func TestNoTURNAtAll(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		b.turn.fail(turnsession.ErrOff)
		o := b.opened()
		at, _ := ask(t.Context(), &b.find(o.ID).queue, func() (time.Time, error) { return b.find(o.ID).renewAt, nil })
		if !at.IsZero() {
			t.Errorf("it is asked again at %v", at)
		}
	})
}
