package networks

import (
	"testing"
	"time"

	"signalbox/internal/client"
)

// Bounds of what follows a cut. Whoever has lost the server asks it for a sign of life and connects anew, with pauses of 10 s at most. A terminal that waited for SCTP instead of
// being moved to a new connection would be silent for up to 70 s, when the endpoint has long been reached again. Over the relay the loss is noticed later.
const (
	backWithin   = 40 * time.Second
	relayWithin  = 60 * time.Second
	silentWithin = 12 * time.Second // after the endpoint is reached again
	atMost       = 12               // channels that a cut costs
)

// TestNetworks: whatever stands between the parties, a session comes up on the best rung that is left, and after a cut of either leg its terminal goes on, without a new
// question at the endpoint, also where a party comes back with another address.
//
// Routers that keep ports let both in who send to each other's address at the same time, as the server saw it. Behind those that give another port for each receiver nobody is
// reached at an address that somebody else has seen, so that TURN is the way; where one side is in the open the other reaches it.
func TestNetworks(t *testing.T) {
	const inside, outside = "10.1.0", "10.2.0"
	home := func(rules string) func(n *nets) (endpoint, technician party) {
		return func(n *nets) (party, party) {
			return n.home("endpoint", "203.0.113.10", inside, otherPorts, rules), n.home("technician", "203.0.113.20", outside, otherPorts, rules)
		}
	}
	inTheOpen := func(n *nets) (party, party) {
		return n.open("endpoint", "203.0.113.10"), n.open("technician", "203.0.113.20")
	}
	for _, tt := range []struct {
		name      string
		place     func(n *nets) (endpoint, technician party)
		turn      bool
		transport string
		rung      string
	}{
		{"one network", inTheOpen, true, "auto", "direct"},
		{"a router before the technician", func(n *nets) (party, party) {
			return n.open("endpoint", "203.0.113.10"), n.home("technician", "203.0.113.20", outside, otherPorts, "")
		}, true, "auto", "direct"},
		{"routers that keep ports before both", func(n *nets) (party, party) {
			return n.home("endpoint", "203.0.113.10", inside, samePort, ""), n.home("technician", "203.0.113.20", outside, samePort, "")
		}, true, "auto", "direct"},
		{"routers before both", home(""), true, "auto", "turn_udp"},
		{"UDP is blocked", home(withoutUDP), true, "auto", "turn_tcp"},
		{"TCP to 443 is open alone", home(only443), true, "auto", "turn_tls"},
		{"TCP to 443 alone and no TURN", home(only443), false, "auto", "relay"},
		{"WebSockets by demand", inTheOpen, true, "websocket_only", "relay"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			n := newNets(t)
			s := newStand(t, n, tt.turn)
			endpoint, technician := tt.place(n)
			s.enrol(endpoint)
			began := time.Now()
			v := s.visit(technician, tt.transport)
			first := v.heard(v.order(), patience)
			t.Logf("%s after %v: %+v", first.Rung, time.Since(began).Round(time.Millisecond), first.Failed)
			r := v.awaitRecord("the endpoint to say how it is reached", func(r client.Session) bool { return r.Path != "" })
			if r.Path != tt.rung || first.Rung != tt.rung || r.State != "active" {
				t.Fatalf("the session is %s, by %s as the endpoint says and by %s as the technician does (%+v), want %s", r.State, r.Path, first.Rung, first.Failed, tt.rung)
			}
			asked, before := v.asked(), first
			for _, cut := range []struct {
				who  string
				leg  party
				last time.Duration
				addr string // that it has afterwards; empty: the same
			}{
				{"endpoint", endpoint, time.Second, ""}, {"technician", technician, time.Second, ""},
				{"endpoint", endpoint, 10 * time.Second, ""}, {"technician", technician, 10 * time.Second, ""},
				{"endpoint", endpoint, 10 * time.Second, "203.0.113.11"}, {"technician", technician, 10 * time.Second, "203.0.113.21"},
				{"endpoint", endpoint, 35 * time.Second, ""}, {"technician", technician, 35 * time.Second, ""},
				{"endpoint", endpoint, 50 * time.Second, ""}, {"technician", technician, 50 * time.Second, ""},
			} {
				within := backWithin
				if before.Rung == "relay" {
					within = relayWithin
				}
				n.leg(cut.leg, "down")
				word := v.order() // on its way when there is none
				pause(t.Context(), cut.last)
				if cut.addr != "" {
					n.move(cut.leg, cut.addr)
				}
				n.leg(cut.leg, "up")
				mended := time.Now()
				line := v.heard(word, within)
				t.Logf("the leg of the %s was cut for %v (address %q): back after %v by %s, silent for %v of them, on channel %d",
					cut.who, cut.last, cut.addr, time.Since(mended).Round(10*time.Millisecond), line.Rung, line.Silent.Round(10*time.Millisecond), line.Channels)
				if cut.last == time.Second && line.Rung != tt.rung { // so short a cut is not even noticed
					t.Errorf("after a second the way is %q, want %s", line.Rung, tt.rung)
				}
				if line.Rung == "" {
					t.Error("after a cut nobody knows by which way the terminal goes on")
				}
				if line.Terminal != first.Terminal || line.Lost != 0 {
					t.Errorf("after a cut the terminal is %s and lacks %d bytes, want %s", line.Terminal, line.Lost, first.Terminal)
				}
				if line.Silent > silentWithin || line.Channels-before.Channels > atMost {
					t.Errorf("the terminal was silent for %v on a way that was there, and took %d channels", line.Silent, line.Channels-before.Channels)
				}
				before = line
			}
			v.awaitRecord("the session to be active", func(r client.Session) bool { return r.State == "active" })
			if now := v.asked(); now != asked {
				t.Errorf("the endpoint was asked %d times, %d before the cuts", now, asked)
			}
		})
	}
}
