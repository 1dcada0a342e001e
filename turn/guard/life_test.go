package guard

import (
	"net/netip"
	"strconv"
	"sync"
	"testing"
	"time"

	"signalbox/turn/control"
	"signalbox/turn/datapath"
	"signalbox/turn/turntest"
	"signalbox/turn/wire"
)

// over waits until an allocation is gone from the data path, from guard's table and from pion, which closed it.
func (w *world) over(relayed netip.AddrPort) {
	w.t.Helper()
	waitFor(w.t, "the end of an allocation", func() bool {
		w.guard.mu.Lock()
		defer w.guard.mu.Unlock()
		return w.path.At(relayed) == nil && len(w.guard.allocations) == 0
	})
}

// TestStreamEnds: the allocation of a TCP client that vanishes is freed at once, and its place in the quota.
func TestStreamEnds(t *testing.T) {
	w := newWorld(t, func(o *options) { o.limits.SessionAllocations = 1 })
	w.open("ses_1")
	for range 3 {
		c, relayed := w.allocated("tcp", "ses_1", 'a')
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
		w.over(relayed)
	}
}

// TestSessionEnds: what a session has is silent when its end returns, and its credentials are worth nothing.
func TestSessionEnds(t *testing.T) {
	w := newWorld(t)
	w.open("ses_1")
	c, relayed := w.allocated("udp", "ses_1", 'a')
	if counters, found := w.sessions.End("ses_1"); !found || counters.Allocations != 1 {
		t.Errorf("counters %+v, found %v", counters, found)
	}
	if w.path.At(relayed) != nil {
		t.Error("the relay socket outlives the session")
	}
	w.over(relayed)
	if err := c.Refresh(600); turntest.Code(err) != wire.CodeUnauthenticated {
		t.Errorf("refresh: %v, want 401", err)
	}
}

// TestSessionEndsMeanwhile: an allocation whose session ends while pion makes it is refused.
func TestSessionEndsMeanwhile(t *testing.T) {
	w := newWorld(t)
	w.open("ses_1")
	a := &allocation{client: datapath.Client{Remote: goodPeer}, user: user{side: w.sessions.Side("ses_1", 'a')}}
	if _, err := w.guard.open(a); err != nil {
		t.Fatal(err)
	}
	defer a.expiry.Stop()
	w.sessions.End("ses_1")
	w.guard.granted(&question{origin: origin{method: allocate}, allocation: a, lifetime: DefaultLifetime})
	if a.live() || w.metric("signalbox_turn_requests_total", "437") != 1 {
		t.Errorf("live %v, %v refusals, want one", a.live(), w.metric("signalbox_turn_requests_total", "437"))
	}
}

// TestCredentialExpires: then there are no new allocations, but one that is there goes on.
func TestCredentialExpires(t *testing.T) {
	w := newWorld(t)
	w.open("ses_1")
	c, _ := w.allocated("udp", "ses_1", 'a')
	w.later.Store(int64(2 * time.Minute))
	if err := c.Refresh(600); err != nil {
		t.Errorf("refresh: %v", err)
	}
	if err := c.Permit(goodPeer); err != nil {
		t.Errorf("permission: %v", err)
	}
	if _, err := w.client("udp", "ses_1", 'a').Allocate(); turntest.Code(err) != wire.CodeUnauthenticated {
		t.Errorf("a new allocation: %v, want 401", err)
	}
}

// TestSecretsRotate: the secret before the last still verifies, the one before that does not.
func TestSecretsRotate(t *testing.T) {
	w := newWorld(t)
	w.open("ses_1")
	first := w.currentSecrets().Current
	c := w.client("udp", "ses_1", 'a')
	w.setSecrets(control.Secrets{Current: []byte("the secret of tomorrow"), Previous: first})
	if _, err := c.Allocate(); err != nil {
		t.Errorf("with the previous secret: %v", err)
	}
	late := w.dial("udp").As(c.User, c.Password)
	w.setSecrets(control.Secrets{Current: []byte("the secret of next week"), Previous: []byte("the secret of tomorrow")})
	if _, err := late.Allocate(); turntest.Code(err) != wire.CodeUnauthenticated {
		t.Errorf("with the secret before the previous one: %v, want 401", err)
	}
	if err := c.Refresh(600); err != nil {
		t.Errorf("refresh of what is there: %v", err)
	}
}

// TestPionNonce: pion's own nonce grows old each hour, which no client notices.
func TestPionNonce(t *testing.T) {
	w := build(t)
	w.guard.pion.nonce = []byte("one that pion does not take")
	w.run()
	w.open("ses_1")
	c, _ := w.allocated("udp", "ses_1", 'a')
	if err := c.Permit(goodPeer); err != nil {
		t.Errorf("permission: %v", err)
	}
}

// TestLifetime: an allocation ends when its time is over, and the client's next Refresh hears of it.
func TestLifetime(t *testing.T) {
	w := newWorld(t)
	w.open("ses_1")
	c, relayed := w.allocated("udp", "ses_1", 'a')
	if err := c.Permit(goodPeer); err != nil {
		t.Fatal(err)
	}
	w.guard.mu.Lock()
	for _, a := range w.guard.allocations { // a client cannot ask for so little
		if !a.expiry.Reset(time.Millisecond) {
			t.Error("its timer does not run")
		}
	}
	w.guard.mu.Unlock()
	w.over(relayed)
	if err := c.Refresh(600); turntest.Code(err) != wire.CodeAllocationMismatch {
		t.Errorf("refresh: %v, want 437", err)
	}
}

// TestEndsInTheMiddle: clients that go, sessions that end and allocations whose time is over while pion is at work on a request of theirs. pion/turn v2 does not
// survive the end of an allocation in the middle of a CreatePermission, and the race detector sees what does not happen by chance.
func TestEndsInTheMiddle(t *testing.T) {
	w := newWorld(t, unlimited)
	for range rounds(200, 20_000) {
		w.open("ses_1")
		c, relayed := w.allocated("tcp", "ses_1", 'a')
		var requests []byte
		for i := range 8 {
			peer := netip.AddrPortFrom(netip.AddrFrom4([4]byte{198, 51, 100, byte(i + 1)}), 9)
			requests = append(requests, c.Build(wire.TypeCreatePermissionRequest, turntest.NewID(), turntest.Peer(peer))...)
		}
		if _, err := c.Write(requests); err != nil {
			t.Fatal(err)
		}
		var ending sync.WaitGroup
		ending.Go(func() { w.sessions.End("ses_1") })
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
		ending.Wait()
		w.over(relayed)
	}
}

// TestImpatient: a client that does not wait for its allocation is refused, also where there will be none.
func TestImpatient(t *testing.T) {
	w := newWorld(t, func(o *options) { o.ports = 1 })
	w.open("ses_1")
	for i, want := range []int{0, wire.CodeInsufficientCapacity} {
		c := w.client("tcp", "ses_1", 'a')
		_ = c.Once(wire.TypeRefreshRequest) // tells the nonce
		id := turntest.NewID()
		requests := c.Build(wire.TypeAllocateRequest, id, turntest.Transport())
		requests = append(requests, c.Build(wire.TypeCreatePermissionRequest, turntest.NewID(), turntest.Peer(goodPeer))...)
		requests = append(requests, c.Build(wire.TypeChannelBindRequest, turntest.NewID(), turntest.Uint32(wire.AttrChannelNumber, 0x4000<<16), turntest.Peer(goodPeer))...)
		requests = append(requests, c.Build(wire.TypeRefreshRequest, turntest.NewID())...)
		if err := c.Exchange(requests, id); turntest.Code(err) != want {
			t.Errorf("client %d: %v, want %d", i+1, err, want)
		}
		w.alive(c)
	}
}

// TestREST: users of another system have sessions of their own.
func TestREST(t *testing.T) {
	secret := []byte("shared with the other system")
	w := newWorld(t, func(o *options) { o.RESTSecret, o.limits.SessionAllocations = secret, 2 })
	client := func(expires time.Time, name string) *turntest.Client {
		user := strconv.FormatInt(expires.Unix(), 10) + ":" + name
		return w.dial("udp").As(user, control.Password(secret, user))
	}
	soon := time.Now().Add(time.Minute)
	alice := client(soon, "alice@example.com:a")
	relayed, err := alice.Allocate()
	if err != nil {
		t.Fatal(err)
	}
	if err := alice.Permit(goodPeer); err != nil {
		t.Errorf("a peer that the policy allows: %v", err)
	}
	if err := alice.Permit(otherPeer); turntest.Code(err) != wire.CodeForbidden {
		t.Errorf("a peer that it does not allow: %v", err)
	}
	second := client(soon, "alice@example.com:a")
	if other, err := second.Allocate(); err != nil {
		t.Error(err)
	} else if err := alice.Permit(other); err != nil {
		t.Errorf("another allocation of the same user: %v", err)
	}
	if _, err := client(soon, "alice@example.com:a").Allocate(); turntest.Code(err) != wire.CodeAllocationQuota {
		t.Errorf("a third allocation: %v, want 486", err)
	}
	bob := client(soon, "bob")
	bobs, err := bob.Allocate()
	if err != nil {
		t.Fatal(err)
	}
	if w.path.At(bobs).Owner().Allows(relayed) {
		t.Error("bob may send to alice")
	}
	if _, err := client(time.Now().Add(-time.Second), "carol").Allocate(); turntest.Code(err) != wire.CodeUnauthenticated {
		t.Errorf("expired: %v, want 401", err)
	}
	late := client(soon, "dave")
	late.Password = "wrong"
	if _, err := late.Allocate(); turntest.Code(err) != wire.CodeUnauthenticated {
		t.Errorf("wrong password: %v, want 401", err)
	}
}
