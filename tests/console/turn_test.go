package console

import (
	"encoding/json"
	"net/netip"
	"net/url"
	"testing"

	"signalbox/internal/config"
	"signalbox/tests/beside"
	"signalbox/tests/harness"
	"signalbox/tests/page"
)

// turnSides runs a TURN server with one session, and returns for each side how it is reached by a URL of this form. Browsers leave loopback out.
func turnSides(t *testing.T, at netip.Addr, address, scheme, transport string) (server *harness.Server, technician, endpoint []object) {
	t.Helper()
	free := netip.AddrPortFrom(at, 0).String()
	server = harness.StartTURN(t, func(c *config.Config) {
		c.Listen.TURN, c.Listen.TLS = []string{free}, []string{free}
		c.TURN.Own.AllowPeers = []string{at.String()}
	})
	_, text := server.Call(t, "POST", "/v1/turn/sessions", `{"ttl":300}`, 201)
	var session struct {
		Sides map[string]struct{ Username, Credential string }
	}
	if err := json.Unmarshal([]byte(text), &session); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	side := func(name string) []object {
		s := session.Sides[name]
		return []object{{"urls": []string{scheme + server.Addr(address) + "?transport=" + transport}, "username": s.Username, "credential": s.Credential}}
	}
	return server, side("b"), side("a")
}

// answers has a page play the endpoint, which goes over TURN alone.
func (f *fake) answers(t *testing.T, browser *page.Browser, servers []object) {
	t.Helper()
	text, err := json.Marshal(servers)
	if err != nil {
		t.Fatal(err)
	}
	other := newTab(t, browser, page.Desktop)
	other.Go(f.site.URL + "/fake/page/answerer.html#" + url.PathEscape(string(text)))
	other.Holds(`document.title === "ready"`)
}

// TestTURN: over each transport of the TURN server a terminal comes up, on the rung that the page shows.
func TestTURN(t *testing.T) {
	at, err := beside.Address()
	if err != nil {
		t.Skipf("LEFT OUT: the console over TURN: %v", err)
	}
	browser := browse(t)
	for _, row := range []struct{ rung, shown, address, scheme, transport, why string }{
		{"turn_udp", "TURN over UDP", "turn_udp", "turn:", "udp", ""},
		{"turn_tcp", "TURN over TCP", "turn_tcp", "turn:", "tcp", "The server offers no TURN over UDP."},
		{"turn_tls", "TURN over TLS (443)", "tls", "turns:", "tcp", "The server offers no TURN over TCP."},
	} {
		t.Run(row.rung, func(t *testing.T) {
			f := newFake(t)
			var endpoint []object
			_, f.servers, endpoint = turnSides(t, at, row.address, row.scheme, row.transport)
			f.answers(t, browser, endpoint)
			b := newTab(t, browser, page.Desktop)
			s := b.connect(f, "terminal", "turn_only")
			b.Sees(".bar .badge", row.shown)
			b.Sees(".xterm-rows", "$")
			b.Types("uname\r")
			b.Sees(".xterm-rows", "ran UNAME")
			if n := s.relayed(); n != 0 {
				t.Errorf("%d channels went over the relay", n)
			}
			await(t, func() bool { return s.path()["rung"] == row.rung }, "the page did not report its path")
			b.Click(".bar button", "Path")
			b.Sees(".rungs", "This session may use TURN only.")
			b.Sees(".rungs", row.why)
		})
	}
}
