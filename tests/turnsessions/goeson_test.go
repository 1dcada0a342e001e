package turnsessions

import (
	"encoding/json"
	"net/http"
	"slices"
	"testing"

	"signalbox/internal/client"
	"signalbox/internal/config"
	"signalbox/tests/harness"
)

// talk has both parties of a remote session use what the endpoint's offer and the technician's state say of TURN: one sends the other 5 bytes. It returns their TURN session.
func talk(t *testing.T, s *harness.Server, offer, state string) (turn string) {
	t.Helper()
	credentials := func(text string) client.TURNCredentials {
		return client.TURNCredentials{Username: between(text, "username='", "'"), Credential: between(text, "credential='", "'")}
	}
	a, b := join(t, s, credentials(offer)), join(t, s, credentials(state))
	relayedA, err := a.Allocate()
	must(t, err)
	relayedB, err := b.Allocate()
	must(t, err)
	must(t, a.Permit(relayedB))
	must(t, b.Permit(relayedA))
	passes(t, a, b, relayedB)
	turn = between(offer, "username='", "'")
	return between(turn, ":", ":")
}

// TestRemoteSessionGoesOnOverTURN: after a restart of the server a remote session goes on with another TURN session, and the audit of its end has what went over each.
func TestRemoteSessionGoesOnOverTURN(t *testing.T) {
	s := harness.StartTURN(t, func(c *config.Config) { c.Listen.TrustedProxies = []string{harness.Balancer} })
	pc := s.Connect(t, "pc-1")
	login(t, s, pc, "pc-1")
	pc.Send("<presence/>")
	s.AwaitPresence(t, "pc-1", "online")
	opened := openRemote(t, s)
	offer := nextOf(pc, "offer")
	_, state := seat(t, s, opened.ID, opened.Token, "198.51.100.7")
	signal(pc, opened.ID, "accept", "", "<capability>terminal</capability>")
	first := talk(t, s, offer, state)
	awaitBytes(t, s, first, 5)

	s.Stop()
	s.Run()
	pc = s.Connect(t, "pc-1")
	pc.Login("pc-1", "s3cret-1", "agent")
	pc.Send("<presence/>")
	offer = nextOf(pc, "offer")
	_, state = seat(t, s, opened.ID, "reattach:"+between(state, "reattach='", "'"), "198.51.100.7")
	signal(pc, opened.ID, "accept", " resumed='true'", "<capability>terminal</capability>")
	second := talk(t, s, offer, state)
	awaitBytes(t, s, second, 5)
	endRemote(t, s, opened.ID)

	type place struct {
		Session  string
		Counters client.TURNCounters
	}
	var found struct {
		Items []struct {
			Detail struct {
				Turn       place
				TurnBefore []place `json:"turn_before"`
			}
		}
	}
	_, body := s.Call(t, "GET", "/v1/audit?action=session.ended&subject="+opened.ID, "", http.StatusOK)
	must(t, json.Unmarshal([]byte(body), &found))
	if len(found.Items) != 1 {
		t.Fatalf("the audit of the end: %s", body)
	}
	all := append(found.Items[0].Detail.TurnBefore, found.Items[0].Detail.Turn)
	if ids := []string{first, second}; len(all) != 2 || !slices.Equal([]string{all[0].Session, all[1].Session}, ids) || first == second {
		t.Fatalf("the audit of the end has not TURN sessions %q: %s", ids, body)
	}
	for _, one := range all {
		if c := one.Counters; c.Allocations != 2 || c.OpenAllocations != 0 || c.BytesUp != 5 || c.BytesDown != 5 || c.PacketsUp != 1 {
			t.Errorf("of %s the audit has %+v", one.Session, c)
		}
	}
}
