package turnsessions

import (
	"encoding/json"
	"net/http"
	"testing"

	"signalbox/internal/client"
	"signalbox/internal/config"
	"signalbox/tests/harness"
)

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
	first := meet(t, s, credentialsIn(offer), credentialsIn(state))
	first.talk(t)
	awaitBytes(t, s, first.turn, 10)

	s.Stop()
	s.Run()
	pc = s.Connect(t, "pc-1")
	pc.Login("pc-1", "s3cret-1", "agent")
	pc.Send("<presence/>")
	offer = nextOf(pc, "offer")
	_, state = seat(t, s, opened.ID, "reattach:"+between(state, "reattach='", "'"), "198.51.100.7")
	signal(pc, opened.ID, "accept", " resumed='true'", "<capability>terminal</capability>")
	second := meet(t, s, credentialsIn(offer), credentialsIn(state))
	second.talk(t)
	second.talk(t)
	awaitBytes(t, s, second.turn, 20)
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
	if len(all) != 2 || all[0].Session != first.turn || all[1].Session != second.turn || first.turn == second.turn {
		t.Fatalf("the audit of the end has not TURN sessions %s and %s: %s", first.turn, second.turn, body)
	}
	for i, bytes := range []uint64{10, 20} {
		if c := all[i].Counters; c.Allocations != 2 || c.OpenAllocations != 0 || c.BytesUp != bytes || c.BytesDown != bytes || c.PacketsUp != bytes/5 {
			t.Errorf("of %s the audit has %+v, want %d bytes each way", all[i].Session, c, bytes)
		}
	}
}
