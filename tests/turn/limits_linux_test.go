package turn

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"signalbox/tests/turn/rawturn"
)

// TestQuotas: one allocation more than a session, or all together, may have is refused with 486, signed, and one that ends makes room.
func TestQuotas(t *testing.T) {
	s := newStand(t, settings{turn: "max_allocations: 5\n"})
	p := s.probe()
	small := pairOf(t, s, `{"ttl":300,"max_allocations":3}`)
	first, _ := p.allocated("udp", small.a)
	p.allocated("udp", small.b)
	p.allocated("tcp", small.b)
	c := p.greeted("udp", small.a)
	p.refused486(c, "the fourth of a session")
	mine := p.user()
	p.allocated("tls", mine)
	p.allocated("udp", mine)
	d := p.greeted("udp", p.user())
	p.refused486(d, "the sixth in all")
	s.wantMetrics(`signalbox_turn_quota_refusals_total{of="session"} 1`, `signalbox_turn_quota_refusals_total{of="technician"} 0`, `signalbox_turn_quota_refusals_total{of="total"} 1`)
	if got := p.do(first, rawturn.Refresh, rawturn.Uint32(rawturn.Lifetime, 0)); got != "success" {
		t.Fatalf("free one: %s", got)
	}
	if got := p.do(c, rawturn.Allocate, rawturn.Transport(17)); got != "success" {
		t.Errorf("after one was freed: %s", got)
	}
	s.wantRelays(5)
}

// wantMetrics waits until the server's page of metrics has these lines, those of its TURN process among them.
func (s *stand) wantMetrics(lines ...string) {
	s.t.Helper()
	var text string
	await(s.t, func() bool {
		resp, err := s.http.Get(s.site.API + "/metrics")
		must(s.t, err)
		defer resp.Body.Close()
		page, err := io.ReadAll(resp.Body)
		must(s.t, err)
		text = string(page)
		return !slices.ContainsFunc(lines, func(line string) bool { return !strings.Contains(text, "\n"+line+"\n") })
	}, func() string { return fmt.Sprintf("want metrics %q in\n%s", lines, text) })
}

// TestManyAllocationsWithOneCredential: 15,000 wishes with one credential get what its session may have, and 486.
func TestManyAllocationsWithOneCredential(t *testing.T) {
	s := newStand(t, settings{})
	p := s.probe()
	const wishes, granted = 15_000, 64
	begun := time.Now()
	out := newCrowd(t, s.turn()).allocate(s.open(t).a, wishes)
	t.Logf("FIGURES %d wishes in %v", wishes, time.Since(begun).Round(time.Millisecond))
	if out["success"] != granted || out["486"] != wishes-granted {
		t.Errorf("%d wishes with one credential: %v, want %d times success, else 486", wishes, out, granted)
	}
	s.wantRelays(granted)
	p.alive()
}

func (p *probe) refused486(c *rawturn.Client, what string) {
	p.Helper()
	m, err := c.Do(rawturn.Allocate, rawturn.Transport(17))
	if got := rawturn.Word(m, err); got != "486" {
		p.Fatalf("%s: %s, want 486", what, got)
	}
	if !m.SignedBy(c.Key()) {
		p.Errorf("%s: the 486 is not signed", what)
	}
}

// TestRefusalsAreSigned: who has shown a credential gets answers that nobody else can make.
func TestRefusalsAreSigned(t *testing.T) {
	s := newStand(t, settings{})
	p := s.probe()
	free := p.greeted("udp", p.user())
	c, _ := p.allocated("udp", p.user())
	for _, tc := range []struct {
		code  int
		c     *rawturn.Client
		t     uint16
		attrs []rawturn.Attr
	}{
		{437, free, rawturn.Refresh, nil},
		{437, c, rawturn.Allocate, []rawturn.Attr{rawturn.Transport(17)}},
		{442, free, rawturn.Allocate, []rawturn.Attr{rawturn.Transport(6)}},
		{420, free, rawturn.Allocate, []rawturn.Attr{rawturn.Transport(17), rawturn.Bytes(0x7001)}},
		{440, free, rawturn.Allocate, []rawturn.Attr{rawturn.Transport(17), rawturn.Bytes(rawturn.AddressFamily, 2, 0, 0, 0)}},
		{508, free, rawturn.Allocate, []rawturn.Attr{rawturn.Transport(17), rawturn.Text(rawturn.ReservationToken, "12345678")}},
		{400, free, rawturn.Allocate, nil},
		{403, c, rawturn.CreatePermission, peersOf("10.0.0.1")},
		{403, c, rawturn.ChannelBind, append(peersOf("10.0.0.1"), rawturn.Channel(0x4000))},
		{400, c, rawturn.ChannelBind, append(peersOf("10.0.0.1"), rawturn.Channel(0x5000))},
		{443, c, rawturn.CreatePermission, peersOf("2001:db8::1")},
	} {
		m, err := tc.c.Do(tc.t, tc.attrs...)
		if err != nil || m.Code() != tc.code || !m.SignedBy(tc.c.Key()) {
			t.Errorf("0x%04x: got %s, want a signed %d", tc.t, rawturn.Word(m, err), tc.code)
		}
	}
}

// TestStrangersAreLimited: one source that asks without end gets few answers, and takes none from others.
func TestStrangersAreLimited(t *testing.T) {
	s := newStand(t, settings{})
	for name, request := range map[string]func() []byte{
		"unauthenticated Allocate": func() []byte { return rawturn.New(rawturn.Allocate, rawturn.Transport(17)).Encode() },
		"Binding":                  func() []byte { return rawturn.New(rawturn.Binding).Encode() },
	} {
		t.Run(name, func(t *testing.T) {
			const n, sources = 3000, 300
			w := newCrowd(t, s.turn())
			var many []netip.Addr
			for range sources {
				many = append(many, source())
			}
			one, all := w.blast(n, many[:1], request), w.blast(n, many[1:], request)
			if one == 0 || 3*one > all {
				t.Errorf("one source got %d answers to %d questions, %d sources together %d", one, n, sources-1, all)
			}
		})
	}
	s.probe().alive()
}

// TestRate: a session relays no more than it may, and what is dropped is counted.
func TestRate(t *testing.T) {
	s := newStand(t, settings{})
	p := s.probe()
	slow := pairOf(t, s, `{"ttl":300,"rate":20000}`)
	a, relayA := p.allocated("udp", slow.a)
	b, relayB := p.allocated("udp", slow.b)
	p.must(a.Bind(0x4000, relayB))
	p.must(b.Permit(relayA.Addr()))
	const sent, size = 300, 1000
	for range sent {
		p.must(a.SendOn(0x4000, make([]byte, size)))
	}
	received := 0
	receive := func(first time.Duration) {
		for wait := first; ; wait = silent {
			if _, err := b.Payload(wait); err != nil {
				return
			}
			received++
		}
	}
	receive(p.wait)
	if received == 0 || received > sent/2 {
		t.Errorf("%d of %d packets passed at once at 20 of them a second", received, sent)
	}
	var got struct {
		Counters struct{ Drops map[string]uint64 }
	}
	await(t, func() bool { // on a busy machine some are on their way still
		receive(silent)
		s.call(t, "GET", "/v1/turn/sessions/"+slow.id, "", 200, &got)
		var dropped uint64
		for _, n := range got.Counters.Drops {
			dropped += n
		}
		return dropped == uint64(sent-received)
	}, func() string { return fmt.Sprintf("%v dropped, want %d in all", got.Counters.Drops, sent-received) })
}

// TestNoDescriptors: where there are no descriptors left, what runs goes on, and afterwards all is as before.
func TestNoDescriptors(t *testing.T) {
	s := newStand(t, settings{files: 200})
	p := s.probe()
	a, relayA := p.allocated("udp", p.user())
	var conns []net.Conn
	for range 500 {
		c, err := (&net.Dialer{LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(source(), 0)), Timeout: time.Second}).Dial("tcp", s.turn())
		if err != nil {
			break // what waits to be accepted is bounded as well
		}
		conns = append(conns, c)
	}
	for _, c := range conns {
		t.Cleanup(func() { _ = c.Close() })
	}
	if len(conns) < 200 {
		t.Fatalf("only %d connections: descriptors were not used up", len(conns))
	}
	if got := p.do(a, rawturn.Refresh, rawturn.Uint32(rawturn.Lifetime, 600)); got != "success" {
		t.Errorf("a Refresh meanwhile: %s", got)
	}
	if got := p.do(p.greeted("udp", p.user()), rawturn.Allocate, rawturn.Transport(17)); got != "508" && got != "success" {
		t.Errorf("an allocation meanwhile: %s", got)
	}
	for _, c := range conns {
		_ = c.Close()
	}
	await(t, func() bool {
		c, err := rawturn.Dial(t.Context(), rawturn.Server{Network: "tcp", Addr: s.turn(), Local: source()})
		if err != nil {
			return false
		}
		defer c.Close()
		_, err = c.Ask(rawturn.New(rawturn.Binding).Encode(), time.Second)
		return err == nil
	}, func() string { return "nobody accepts connections any more" })
	p.must(a.Permit(relayA.Addr()))
	p.alive()
	p.allocated("tls", p.user()) // by way of serve, whose descriptors were used up as well
	p.rests()
}

// TestHalfFrames: what begins a frame has to end it.
func TestHalfFrames(t *testing.T) {
	s := newStand(t, settings{})
	for _, network := range []string{"tcp", "tls"} {
		for name, begin := range map[string][]byte{"one byte": {0}, "a header": rawturn.New(rawturn.Binding).Encode()[:19], "ChannelData": rawturn.ChannelData(0x4000, bytes.Repeat([]byte{1}, 99), true)[:50]} {
			t.Run(network+" "+name, func(t *testing.T) {
				t.Parallel()
				p := &probe{T: t, target: s.target(), wait: patience}
				c, _ := p.allocated(network, p.user())
				_, err := c.Write(begin)
				must(t, err)
				if err := c.AwaitClose(patience); errors.Is(err, rawturn.ErrSilence) {
					t.Errorf("open after %v", patience)
				}
			})
		}
	}
}

// TestConnectionsOfOneSource: one address has its share of connections and no more; those of others are served.
func TestConnectionsOfOneSource(t *testing.T) {
	const share, more = 2000, 100
	s := newStand(t, settings{})
	p := s.probe()
	greedy := source()
	var closed atomic.Int32
	var waiting sync.WaitGroup
	for range share + more {
		c := p.dialFrom("tcp", greedy)
		waiting.Go(func() {
			if c.AwaitClose(10*time.Second) == nil {
				closed.Add(1)
			}
		})
	}
	waiting.Wait()
	if n := closed.Load(); n != more {
		t.Errorf("%d of %d connections were closed, want %d", n, share+more, more)
	}
	p.alive()
}
