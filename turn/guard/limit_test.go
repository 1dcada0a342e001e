package guard

import (
	"encoding/binary"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"signalbox/turn/datapath"
	"signalbox/turn/turntest"
	"signalbox/turn/wire"
)

func TestLimiter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLimiter(10, 20)
		a := netip.MustParseAddr("192.0.2.1")
		count := func(a netip.Addr) (n int) {
			for range 1000 {
				if l.take(a) {
					n++
				}
			}
			return n
		}
		if n := count(a); n != 20 {
			t.Errorf("%d answers at once, want 20", n)
		}
		if n := count(netip.MustParseAddr("::ffff:192.0.2.1")); n != 0 {
			t.Errorf("%d answers to the same source in another spelling", n)
		}
		time.Sleep(time.Second)
		if n := count(a); n != 10 {
			t.Errorf("%d answers after a second, want 10", n)
		}
		time.Sleep(time.Hour)
		if n := count(a); n != 20 {
			t.Errorf("%d answers after an hour, want 20: time that nobody used is no stock", n)
		}
		l.give(a)
		if n := count(a); n != 1 {
			t.Errorf("%d answers after one was given back", n)
		}
	})
}

// TestQuestionsAreLimited: one allocation has so many questions waiting and no more, and so many a second. Over a stream the client is told.
func TestQuestionsAreLimited(t *testing.T) {
	w := newWorld(t)
	c, err := newConn(w.guard) // nobody takes from its queue
	if err != nil {
		t.Fatal(err)
	}
	ask := func(a *allocation, transport datapath.Transport) bool {
		return c.put(&question{origin: origin{from: datapath.Client{Transport: transport}, method: refresh}, allocation: a})
	}
	crowd := &allocation{}
	for i := range 9 {
		if got := ask(crowd, datapath.UDP); got != (i < 8) {
			t.Errorf("question %d finds room: %v", i+1, got)
		}
	}
	if n := w.metric("signalbox_turn_requests_total", "500"); n != 0 {
		t.Errorf("%v answers to a datagram that found no room", n)
	}
	if ask(crowd, datapath.TCP) || w.metric("signalbox_turn_requests_total", "500") != 1 {
		t.Error("a question over a stream that finds no room is not answered with 500")
	}
	if !ask(&allocation{}, datapath.UDP) {
		t.Error("one allocation takes the room of another")
	}
	fast, n := &allocation{}, 0
	for range 1000 {
		if ask(fast, datapath.UDP) {
			n++
			fast.waiting.Add(-1)
		}
	}
	if n < questionsBurst || n == 1000 {
		t.Errorf("%d of 1000 questions at once found room, want %d or a few more", n, questionsBurst)
	}
}

// TestLimiterSources: the addresses of one customer are one source, and however many sources there are, the table is as large as before.
func TestLimiterSources(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLimiter(1, 4)
		n := 0
		for i := range 1000 {
			ip := netip.MustParseAddr("2001:db8:1:2::").As16()
			binary.BigEndian.PutUint64(ip[8:], uint64(i))
			if l.take(netip.AddrFrom16(ip)) {
				n++
			}
		}
		if n != 4 {
			t.Errorf("%d answers to a /64, want 4", n)
		}
		taken := 0
		for i := range 1000 {
			if l.take(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)})) {
				taken++
			}
		}
		if taken < 990 { // a few share a slot
			t.Errorf("%d of 1000 other sources got an answer", taken)
		}
	})
}

// TestUnauthenticatedAreLimited: who shows no credentials gets as many answers as the limit says; credentials that are right give the answer back.
func TestUnauthenticatedAreLimited(t *testing.T) {
	w := build(t)
	atOnce(w.guard.challenges, 10)
	w.run()
	w.open("ses_1")
	for i := range 30 {
		c := w.client("udp", "ses_1", 'a')
		if _, err := c.Allocate(); err != nil {
			t.Fatalf("client %d: %v", i+1, err)
		}
		if err := c.Refresh(0); err != nil {
			t.Fatal(err)
		}
	}
	silent := w.dial("tcp") // a stream, so that no datagram is lost
	for range 50 {
		if _, err := silent.Write(silent.Build(wire.TypeAllocateRequest, turntest.NewID(), turntest.Transport())); err != nil {
			t.Fatal(err)
		}
	}
	if err := silent.Once(wire.TypeBindingRequest); err != nil { // behind all of that
		t.Fatal(err)
	}
	if n := w.metric("signalbox_turn_unanswered_total", "rate"); n != 40 {
		t.Errorf("%v requests got no answer, want 40", n)
	}
}

// atOnce has limiters allow so many answers to a source, and no more for as long as a test takes.
func atOnce(l limiters, burst int64) {
	for _, one := range []*limiter{l.datagrams, l.streams} {
		one.rate.every, one.rate.burst = int64(time.Hour), burst*int64(time.Hour)
	}
}

// TestDatagramsLeaveStreamsAlone: datagrams, whose source anybody can invent, use up nothing of what that source gets over a stream.
func TestDatagramsLeaveStreamsAlone(t *testing.T) {
	w := newWorld(t, func(o *options) { o.Unauthenticated, o.UnauthenticatedBurst, o.Bindings, o.BindingsBurst = 1, 5, 1, 5 })
	w.open("ses_1")
	flood := w.dial("udp")
	for range 20 {
		for _, request := range [][]byte{flood.Build(wire.TypeAllocateRequest, turntest.NewID(), turntest.Transport()), flood.Build(wire.TypeBindingRequest, turntest.NewID())} {
			if _, err := flood.Write(request); err != nil {
				t.Fatal(err)
			}
		}
	}
	waitFor(t, "requests without an answer", func() bool { return w.metric("signalbox_turn_unanswered_total", "rate") >= 20 })
	c := w.client("tcp", "ses_1", 'a')
	if err := c.Once(wire.TypeBindingRequest); err != nil {
		t.Errorf("binding over a stream: %v", err)
	}
	if _, err := c.Allocate(); err != nil {
		t.Errorf("allocation over a stream: %v", err)
	}
}

func TestBinding(t *testing.T) {
	w := build(t)
	atOnce(w.guard.bindings, 5)
	w.run()
	c := w.dial("udp")
	if err := c.Once(wire.TypeBindingRequest); err != nil {
		t.Fatal(err)
	}
	v, _ := c.Last.Get(wire.AttrXORMappedAddress)
	if mapped, _ := c.Last.Addr(v); mapped.String() != c.LocalAddr().String() {
		t.Errorf("mapped address %v, want %v", mapped, c.LocalAddr())
	}
	if len(c.Raw) > 2*20 {
		t.Errorf("the answer to 20 bytes has %d", len(c.Raw))
	}
	if _, printed := c.Last.Get(wire.AttrFingerprint); printed {
		t.Error("a FINGERPRINT that was not asked for")
	}
	if err := c.Once(wire.TypeBindingRequest, (*wire.Builder).AddFingerprint); err != nil || !c.Last.CheckFingerprint() {
		t.Errorf("with a FINGERPRINT: %v", err)
	}
	if _, printed := c.Last.Get(wire.AttrFingerprint); !printed {
		t.Error("no FINGERPRINT, though it was asked for")
	}
	if err := c.Once(wire.TypeBindingRequest, turntest.Bytes(0x7777, 1)); turntest.Code(err) != wire.CodeUnknownAttribute {
		t.Errorf("unknown attribute: %v, want 420", err)
	}
	for range 20 {
		if _, err := c.Write(c.Build(wire.TypeBindingRequest, turntest.NewID())); err != nil {
			t.Fatal(err)
		}
	}
	waitFor(t, "requests without an answer", func() bool { return w.metric("signalbox_turn_unanswered_total", "rate") == 18 })
}

func TestChallengeIsSmall(t *testing.T) {
	w := newWorld(t)
	c := w.dial("udp")
	request := c.Build(wire.TypeAllocateRequest, turntest.NewID(), turntest.Transport())
	if err := c.Exchange(request, [12]byte(request[8:20])); turntest.Code(err) != wire.CodeUnauthenticated {
		t.Fatal(err)
	}
	if len(request) != 28 || len(c.Raw) > 3*28 {
		t.Errorf("%d bytes answer %d, want at most three times as many", len(c.Raw), len(request))
	}
}
