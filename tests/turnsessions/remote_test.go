package turnsessions

import (
	"encoding/json"
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"signalbox/internal/client"
	"signalbox/internal/config"
	"signalbox/tests/harness"
	"signalbox/turn/turntest"
	"signalbox/turn/wire"
)

// nextOf returns the next stanza that holds an element, over those that do not.
func nextOf(st *harness.Stream, element string) string {
	for {
		if item := st.Next(); strings.Contains(item, "<"+element+" ") {
			return item
		}
	}
}

// between returns what stands between two texts.
func between(text, before, after string) string {
	_, rest, _ := strings.Cut(text, before)
	found, _, _ := strings.Cut(rest, after)
	return found
}

// seat logs a technician in from an address, and returns the stream with the state that it begins with.
func seat(t *testing.T, s *harness.Server, session, token, from string) (*harness.Stream, string) {
	t.Helper()
	st := s.ConnectFrom(t, "technician", from)
	st.Authenticate(session, token)
	st.Send("<iq xmlns='jabber:client' type='set' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>")
	st.Want("type='result'")
	return st, nextOf(st, "state")
}

// TestRemoteSessionOverTURN: both parties of a remote session get credentials; the endpoint may reach the technician where they are seen, wherever they go, and the technician
// the endpoint; the end silences all of it.
func TestRemoteSessionOverTURN(t *testing.T) {
	s := harness.StartTURN(t, func(c *config.Config) { c.Listen.TrustedProxies = []string{harness.Balancer} })
	pc := s.ConnectFrom(t, "pc-1", "203.0.113.1")
	login(t, s, pc, "pc-1")
	pc.Send("<presence/>")
	s.AwaitPresence(t, "pc-1", "online")
	_, body := s.Call(t, "POST", "/v1/sessions", `{"endpoint":"pc-1","technician":{"id":"ann"},"kinds":["terminal"],"consent":{"mode":"none"}}`, http.StatusCreated)
	var opened struct {
		ID, Token string
		Servers   []struct {
			URLs                 []string
			Username, Credential string
		} `json:"ice_servers"`
	}
	must(t, json.Unmarshal([]byte(body), &opened))
	if len(opened.Servers) != 2 || !strings.HasPrefix(opened.Servers[0].URLs[0], "stun:") {
		t.Fatalf("the technician gets %+v", opened.Servers)
	}
	offer := nextOf(pc, "offer")
	a := join(t, s, client.TURNCredentials{Username: between(offer, "username='", "'"), Credential: between(offer, "credential='", "'")})
	b := join(t, s, client.TURNCredentials{Username: opened.Servers[1].Username, Credential: opened.Servers[1].Credential})
	for _, c := range []*turntest.Client{a, b} {
		_, err := c.Allocate()
		must(t, err)
	}
	permits := func(c *turntest.Client, peer string) int {
		return turntest.Code(c.Permit(netip.AddrPortFrom(netip.MustParseAddr(peer), 9)))
	}
	if code := permits(b, "203.0.113.1"); code != 0 {
		t.Errorf("the endpoint's address is answered with %d", code)
	}
	if code := permits(a, "198.51.100.7"); code != wire.CodeForbidden {
		t.Errorf("an address that nobody has yet is answered with %d", code)
	}
	st, state := seat(t, s, opened.ID, opened.Token, "198.51.100.7")
	harness.Await(t, func() bool { return permits(a, "198.51.100.7") == 0 }, func() string { return "the technician's address is not known" })
	st.Close()
	seat(t, s, opened.ID, "reattach:"+between(state, "reattach='", "'"), "198.51.100.8")
	harness.Await(t, func() bool { return permits(a, "198.51.100.8") == 0 }, func() string { return "the technician's new address is not known" })
	if code := permits(a, "198.51.100.7"); code != wire.CodeForbidden {
		t.Errorf("the technician's old address is answered with %d", code)
	}
	s.Call(t, "DELETE", "/v1/sessions/"+opened.ID, "", http.StatusOK)
	harness.Await(t, func() bool { return permits(a, "198.51.100.8") != 0 }, func() string { return "its TURN session goes on" })
}
