package xmpp

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"go.uber.org/zap"

	"signalbox/internal/endpoint"
	"signalbox/internal/signalling"
	"signalbox/xmpp/feature"
)

// heard keeps what endpoints say. It implements feature.Sessions.
type heard struct{ said, refused []string }

func (h *heard) FromEndpoint(_ context.Context, k endpoint.Key, m signalling.Message) error {
	h.said = append(h.said, fmt.Sprintf("%s %s", k.ID, m.Name()))
	return nil
}

func (h *heard) RefusedEndpoint(k endpoint.Key, _ string, code signalling.Code) {
	h.refused = append(h.refused, fmt.Sprintf("%s %s", k.ID, code))
}

// sessionBench is a server whose endpoints take part in remote sessions.
func sessionBench(t testing.TB) (*bench, *feature.RemoteSessions, *heard) {
	t.Helper()
	b, h := newBench(t), &heard{}
	r := feature.NewRemoteSessions(testDomain, Clients(b.deps.Registry), zap.NewNop())
	b.deps.Features = feature.NewSet(nil, r.Feature(h))
	return b, r, h
}

// TestSignallingOfEndpoints: an endpoint is told by iqs and answers by iqs, to the server and to nobody else.
func TestSignallingOfEndpoints(t *testing.T) {
	b, r, h := sessionBench(t)
	offer := signalling.Offer{About: signalling.About{ID: testSession}, Grant: "g"}
	if err := r.Tell(keyPC1, offer); !errors.Is(err, endpoint.ErrOffline) {
		t.Errorf("Tell without a session = %v, want ErrOffline", err)
	}
	k := b.connect(t)
	k.feed(login1)
	k.wire.take()
	if err := r.Tell(keyPC1, offer); err != nil {
		t.Fatal(err)
	}
	told := k.wire.take()
	id := part(t, `^<iq type='set' id='([^']+)' from='`+testDomain+`' to='pc-1@`+testDomain+`/agent'><offer `, told)
	const accept = "<accept xmlns='" + nsSession + "' id='" + testSession + "'/>"
	for _, tc := range []struct {
		name, sent, answer string
		said               int
	}{
		{"takes the offer", "<iq type='result' id='" + id + "' to='" + testDomain + "'/>", "", 0},
		{"accepts", "<iq type='set' id='1' to='" + testDomain + "'>" + accept + "</iq>", "<iq type='result' id='1' from='" + testDomain + "' to='pc-1@" + testDomain + "/agent'></iq>", 1},
		{"to its own account", "<iq type='set' id='1'>" + accept + "</iq>", "<service-unavailable ", 0},
		{"to another endpoint", "<iq type='set' id='1' to='pc-2@" + testDomain + "/agent'>" + accept + "</iq>", "<service-unavailable ", 0},
		{"what it may not say", "<iq type='set' id='1' to='" + testDomain + "'><offer xmlns='" + nsSession + "' id='" + testSession + "'><grant>g</grant></offer></iq>", "<forbidden ", 0},
	} {
		h.said = nil
		k.feed(tc.sent)
		if got := k.wire.take(); !strings.Contains(got, tc.answer) || tc.answer == "" && got != "" || len(h.said) != tc.said {
			t.Errorf("%s: %s, said %v; want %s, %d", tc.name, got, h.said, tc.answer, tc.said)
		}
	}
	if got := strings.Join(h.refused, ", "); got != "pc-1 not_allowed" {
		t.Errorf("the broker is told that these were refused: %s", got)
	}
	h.said = nil
	if err := r.Tell(keyPC1, offer); err != nil {
		t.Fatal(err)
	}
	id = part(t, ` id='([^']+)' from=`, k.wire.take())
	k.feed("<iq type='error' id='" + id + "' to='" + testDomain + "'><error type='cancel'><service-unavailable xmlns='" + nsStanzaErrors + "'/></error></iq>")
	if got := strings.Join(h.said, ", "); got != "pc-1 deny" {
		t.Errorf("after an error for the offer: %s, want a deny", got)
	}
}

// TestSignallingWaitsForAResumption: what is said while the connection is lost is not lost with it, and comes in order.
func TestSignallingWaitsForAResumption(t *testing.T) {
	b, r, _ := sessionBench(t)
	k, id := b.resumable(t)
	k.lose()
	for n := range 3 {
		if err := r.Tell(keyPC1, signalling.Candidate{About: signalling.About{ID: testSession}, Mid: "0", Line: n, Peer: 1}); err != nil {
			t.Fatal(err)
		}
	}
	again := b.connect(t)
	again.feed(header + authPC1 + header + resumeOf(id, 0))
	_, got, _ := strings.Cut(again.wire.take(), "<resumed")
	first, second, third := strings.Index(got, "line='0'"), strings.Index(got, "line='1'"), strings.Index(got, "line='2'")
	if first < 0 || second < first || third < second {
		t.Errorf("after the resumption: %s, want three candidates in order", got)
	}
	b.deps.Registry.Disconnect(keyPC1, endpoint.ReasonDisconnected)
	if err := r.Tell(keyPC1, end()); !errors.Is(err, endpoint.ErrOffline) {
		t.Errorf("Tell after the end = %v, want ErrOffline", err)
	}
}
