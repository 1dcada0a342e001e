package turnsessions

import (
	"net/netip"
	"testing"
	"time"

	"signalbox/internal/client"
	"signalbox/tests/harness"
	"signalbox/turn/turntest"
	"signalbox/turn/wire"
)

// pair is a session with an allocation on each side, which may reach each other.
func pair(t *testing.T, s *harness.Server) (made client.TURNGrant, a, b *turntest.Client, relayedB netip.AddrPort) {
	t.Helper()
	made = open(t, s, client.NewTURNSession{TTL: 60})
	a, b = join(t, s, made.Sides.A), join(t, s, made.Sides.B)
	relayedA, err := a.Allocate()
	must(t, err)
	relayedB, err = b.Allocate()
	must(t, err)
	must(t, a.Permit(relayedB))
	must(t, b.Permit(relayedA))
	return made, a, b, relayedB
}

// TestSidesReachEachOther: what one side sends the other one gets, it is counted, and nothing passes when the session has ended.
func TestSidesReachEachOther(t *testing.T) {
	s := harness.StartTURN(t)
	made, a, b, relayedB := pair(t, s)
	must(t, a.Send(relayedB, []byte("hello")))
	if d, err := b.Receive(); err != nil || string(d.Payload) != "hello" {
		t.Fatalf("b received %q, %v", d.Payload, err)
	}
	awaitBytes(t, s, made.ID, 5)
	live := shown(t, s, made.ID)
	if c := live.Counters; live.State != "open" || c.OpenAllocations != 2 || c.BytesUp != 5 || c.BytesDown != 5 {
		t.Errorf("session = %+v with %+v", live, live.Counters)
	}
	if code := turntest.Code(a.Permit(netip.MustParseAddrPort("192.0.2.66:9"))); code != wire.CodeForbidden {
		t.Errorf("a peer that nobody allowed is answered with %d", code)
	}
	ended, err := api(t, s).EndTURNSession(t.Context(), made.ID)
	must(t, err)
	if c := ended.Counters; ended.Reason != "requested" || c.Allocations != 2 || c.OpenAllocations != 0 || c.BytesUp != 5 || c.RefusedPeers["192.0.2.66"] != 1 {
		t.Errorf("ended session = %+v with %+v", ended, ended.Counters)
	}
	if err := a.Refresh(600); turntest.Code(err) <= 0 {
		t.Errorf("Refresh after the end = %v, want a refusal", err)
	}
	if _, err := join(t, s, made.Sides.A).Allocate(); turntest.Code(err) != wire.CodeUnauthenticated {
		t.Errorf("Allocate after the end = %v, want 401", err)
	}
	again, err := api(t, s).EndTURNSession(t.Context(), made.ID)
	must(t, err)
	if !again.EndedAt.Equal(*ended.EndedAt) || again.Counters.BytesUp != 5 {
		t.Errorf("ended again = %+v", again)
	}
}

// TestTimeIsOver: a session ends by itself.
func TestTimeIsOver(t *testing.T) {
	s := harness.StartTURN(t)
	var made client.TURNGrant
	var a *turntest.Client
	for ttl, err := 1, error(&turntest.Refused{}); err != nil; ttl *= 2 { // a busy machine may need longer for the first step
		made = open(t, s, client.NewTURNSession{TTL: ttl})
		a = join(t, s, made.Sides.A)
		_, err = a.Allocate()
	}
	harness.Await(t, func() bool { return shown(t, s, made.ID).State == "ended" }, func() string { return "the session does not end" })
	r := shown(t, s, made.ID)
	if r.Reason != "expired" || r.Counters.Allocations != 1 || r.EndedAt.Sub(r.ExpiresAt) > 10*time.Second {
		t.Errorf("session = %+v with %+v", r, r.Counters)
	}
	if err := a.Refresh(600); turntest.Code(err) <= 0 {
		t.Errorf("Refresh after the end = %v, want a refusal", err)
	}
}

// TestRenewedCredentials open allocations as those before do.
func TestRenewedCredentials(t *testing.T) {
	s := harness.StartTURN(t)
	made := open(t, s, client.NewTURNSession{})
	renewed, err := api(t, s).RenewTURNCredentials(t.Context(), made.ID)
	must(t, err)
	for _, side := range []client.TURNCredentials{made.Sides.A, renewed.Sides.A, renewed.Sides.B} {
		if _, err := join(t, s, side).Allocate(); err != nil {
			t.Errorf("Allocate as %s: %v", side.Username, err)
		}
	}
}

// TestLimits of one session: its peers, among which loopback never is, and its allocations.
func TestLimits(t *testing.T) {
	s := harness.StartTURN(t)
	made := open(t, s, client.NewTURNSession{AllowPeers: []string{"192.0.2.0/24", "127.0.0.0/8"}, MaxAllocations: 1})
	a := join(t, s, made.Sides.A)
	_, err := a.Allocate()
	must(t, err)
	for peer, want := range map[string]int{"192.0.2.9:9": 0, "198.51.100.9:9": wire.CodeForbidden, "127.0.0.2:9": wire.CodeForbidden} {
		if code := turntest.Code(a.Permit(netip.MustParseAddrPort(peer))); code != want {
			t.Errorf("peer %s is answered with %d, want %d", peer, code, want)
		}
	}
	if _, err := join(t, s, made.Sides.B).Allocate(); turntest.Code(err) != wire.CodeAllocationQuota {
		t.Errorf("a second allocation: %v, want 486", err)
	}
}

// TestStop: sessions end with the server, which says so, and what they moved is known afterwards.
func TestStop(t *testing.T) {
	s := harness.StartTURN(t)
	made, a, b, relayedB := pair(t, s)
	must(t, a.Send(relayedB, []byte("hello")))
	_, err := b.Receive()
	must(t, err)
	awaitBytes(t, s, made.ID, 5)
	s.Stop()
	s.Run()
	r := shown(t, s, made.ID)
	if r.State != "ended" || r.Reason != "server_stopping" || r.Counters.BytesUp != 5 || r.Counters.Allocations != 2 {
		t.Errorf("session = %+v with %+v", r, r.Counters)
	}
}
