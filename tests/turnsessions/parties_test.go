package turnsessions

import (
	"net/http"
	"net/netip"
	"regexp"
	"strings"
	"testing"

	"signalbox/internal/client"
	"signalbox/internal/config"
	"signalbox/tests/harness"
	"signalbox/turn/turntest"
	"signalbox/turn/wire"
)

const extdisco = " xmlns='urn:xmpp:extdisco:2'"

// login registers an endpoint and logs it in.
func login(t *testing.T, s *harness.Server, st *harness.Stream, id string) {
	t.Helper()
	s.Call(t, "POST", "/v1/endpoints", `{"id":"`+id+`","secret":"s3cret-1"}`, http.StatusCreated)
	st.Login(id, "s3cret-1", "agent")
}

// ask asks the server for something and returns the answer.
func ask(st *harness.Stream, payload string) string {
	st.Send("<iq type='get' id='x' to='" + harness.Domain + "'>" + payload + "</iq>")
	return st.Want("<iq", "id='x'")
}

// services asks for the TURN servers as XEP-0215 has it.
func services(st *harness.Stream) string { return ask(st, "<services"+extdisco+"/>") }

// credentials asks for those of the TURN server alone.
func credentials(st *harness.Stream) string {
	return ask(st, "<credentials"+extdisco+"><service type='turn' host='127.0.0.1'/></credentials>")
}

// TestServices: every endpoint is told of the TURN server (XEP-0215), and the party of a running session alone gets credentials, which open allocations.
func TestServices(t *testing.T) {
	s := harness.StartTURN(t)
	pc1, pc2 := s.Connect(t, "pc-1"), s.Connect(t, "pc-2")
	login(t, s, pc1, "pc-1")
	login(t, s, pc2, "pc-2")
	if info := ask(pc1, "<query xmlns='http://jabber.org/protocol/disco#info'/>"); !strings.Contains(info, "'urn:xmpp:extdisco:2'") {
		t.Errorf("disco#info does not name XEP-0215: %s", info)
	}
	for _, want := range []string{"type='stun'", "type='turn'", "type='turns'", "restricted='true'"} {
		if got := services(pc1); !strings.Contains(got, want) || strings.Contains(got, "username") {
			t.Errorf("before a session: %s, want %s and no credentials", got, want)
		}
	}
	made := open(t, s, client.NewTURNSession{Endpoints: &client.TURNParties{B: "pc-1"}})
	for what, got := range map[string]string{"services": services(pc2), "credentials": credentials(pc2)} {
		if strings.Contains(got, "username") || what == "credentials" && !strings.Contains(got, "<forbidden") {
			t.Errorf("%s of one who is no party: %s", what, got)
		}
	}
	for what, got := range map[string]string{"services": services(pc1), "credentials": credentials(pc1)} {
		m := regexp.MustCompile(`username='([^']*:` + made.ID + `:b)' password='([^']*)'`).FindStringSubmatch(got)
		if m == nil {
			t.Errorf("%s of a party: %s", what, got)
			continue
		}
		if _, err := join(t, s, client.TURNCredentials{Username: m[1], Credential: m[2]}).Allocate(); err != nil {
			t.Errorf("Allocate with the credentials of %s: %v", what, err)
		}
	}
	_, err := api(t, s).EndTURNSession(t.Context(), made.ID)
	must(t, err)
	if got := services(pc1); strings.Contains(got, "username") {
		t.Errorf("after the session: %s", got)
	}
}

// TestObservedAddress: the address at which the endpoint of one side is seen is a peer of the other side, and follows it.
func TestObservedAddress(t *testing.T) {
	s := harness.StartTURN(t, func(c *config.Config) { c.Listen.TrustedProxies = []string{harness.Balancer} })
	login(t, s, s.ConnectFrom(t, "pc-1", "203.0.113.1"), "pc-1")
	made := open(t, s, client.NewTURNSession{Endpoints: &client.TURNParties{A: "pc-1"}})
	a, b := join(t, s, made.Sides.A), join(t, s, made.Sides.B)
	for _, c := range []*turntest.Client{a, b} {
		_, err := c.Allocate()
		must(t, err)
	}
	permits := func(c *turntest.Client, peer string) int {
		return turntest.Code(c.Permit(netip.AddrPortFrom(netip.MustParseAddr(peer), 9)))
	}
	if code := permits(b, "203.0.113.1"); code != 0 {
		t.Errorf("the other side's address is answered with %d", code)
	}
	if code := permits(a, "203.0.113.1"); code != wire.CodeForbidden {
		t.Errorf("its own address is answered with %d", code)
	}
	s.ConnectFrom(t, "pc-1", "203.0.113.2").Login("pc-1", "s3cret-1", "agent")
	harness.Await(t, func() bool { return permits(b, "203.0.113.2") == 0 }, func() string { return "the new address is not known" })
	if code := permits(b, "203.0.113.1"); code != wire.CodeForbidden {
		t.Errorf("the old address is answered with %d", code)
	}
}
