package path

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"signalbox/internal/agent/ladder"
)

// What worked in one network is tried first there, and nowhere else; the newest of a network counts, for a day.
func TestWayIsRememberedByNetwork(t *testing.T) {
	here := "office"
	f := &Finder{Domain: testDomain, Addresses: []string{"a:443", "a:5222"}, Network: func() string { return here }}
	first := func() Route {
		t.Helper()
		routes, err := f.Routes(t.Context())
		must(t, err)
		if len(routes) != 3 {
			t.Fatalf("ways %v, want TLS, WebSocket and STARTTLS", routes)
		}
		return routes[0]
	}
	direct, webSocket, startTLS := Route{Address: "a:443", Direct: true}, Route{Address: "a:443", Direct: true, WebSocket: true}, Route{Address: "a:5222"}
	if got := first(); got != direct {
		t.Errorf("first way %v, want %v", got, direct)
	}
	f.Remember(startTLS, time.Now().Add(-time.Hour))
	f.Remember(webSocket, time.Now())
	here = "home"
	if got := first(); got != direct {
		t.Errorf("first way in another network %v, want %v", got, direct)
	}
	f.Remember(startTLS, time.Now())
	if got := first(); got != startTLS {
		t.Errorf("first way %v, want %v", got, startTLS)
	}
	here = "office"
	if got := first(); got != webSocket {
		t.Errorf("first way back in the first network %v, want %v", got, webSocket)
	}
	again := &Finder{Domain: f.Domain, Addresses: f.Addresses, Network: f.Network}
	again.Recall(f.Known())
	if f = again; first() != webSocket {
		t.Errorf("first way after a restart %v, want %v", first(), webSocket)
	}
	f.Recall([]Known{{Network: here, Address: "a:5222", Via: "direct", At: time.Now().Add(-time.Hour)}})
	if got := first(); got != webSocket {
		t.Errorf("an older way takes the place of a newer one: %v", got)
	}
}

func TestFewNetworksAreRemembered(t *testing.T) {
	f := &Finder{}
	for i := range 2 * maxNetworks {
		f.Recall([]Known{{Network: fmt.Sprint(i), At: time.Unix(int64(i), 0)}})
	}
	if known := f.Known(); len(known) != maxNetworks || known[len(known)-1].Network != fmt.Sprint(2*maxNetworks-1) {
		t.Errorf("%d networks are remembered, the last %v, want the newest %d", len(known), known[len(known)-1], maxNetworks)
	}
}

func TestSubnet(t *testing.T) {
	for text, want := range map[string]string{"192.168.1.17/24": "192.168.1.0/24", "2001:db8::1:2:3:4/64": "2001:db8::/64", "2001:db8::1:2:3:4/128": "2001:db8::/64", "fd00::1/48": "fd00::/48"} {
		if got := subnet(netip.MustParsePrefix(text)).String(); got != want {
			t.Errorf("subnet(%s) = %s, want %s", text, got, want)
		}
	}
	if a, b := ThisNetwork(), ThisNetwork(); a != b {
		t.Errorf("ThisNetwork() = %q, then %q", a, b)
	}
}

// A WebSocket is tried where it may help, and where nothing else was tried.
func TestWebSocketIsTriedWhereItHelps(t *testing.T) {
	plain := Route{Address: "a:443", Direct: true}
	webSocket := plain
	webSocket.WebSocket = true
	for _, tt := range []struct {
		name  string
		tried Tried
		want  bool // pointless
	}{
		{"nothing was tried", Tried{}, false},
		{"TLS works", Tried{plain: nil}, true},
		{"the port is closed", Tried{plain: ladder.New(ladder.PortRefused, "", nil)}, true},
		{"the secret is wrong", Tried{plain: ladder.New(ladder.NotAuthorized, "", nil)}, true},
		{"the protocol is not let through", Tried{plain: ladder.New(ladder.NoALPN, "", nil)}, false},
		{"the handshake is cut", Tried{plain: ladder.New(ladder.TLSClosed, "", nil)}, false},
		{"the stream is swallowed", Tried{plain: ladder.New(ladder.StreamSilent, "", nil)}, false},
		{"another address is cut", Tried{{Address: "b:443", Direct: true}: ladder.New(ladder.PortRefused, "", nil)}, false},
	} {
		if got := tt.tried.Pointless(webSocket); got != tt.want {
			t.Errorf("%s: Pointless() = %v, want %v", tt.name, got, tt.want)
		}
		if tt.tried.Pointless(plain) {
			t.Errorf("%s: TLS itself is pointless", tt.name)
		}
	}
}
