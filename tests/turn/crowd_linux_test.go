package turn

import (
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/ipv4"
	"golang.org/x/sys/unix"

	"signalbox/tests/turn/rawturn"
)

// crowd is many clients on one socket: each has an address of 127.0.0.0/8 of its own, which the kernel lets a datagram come from.
type crowd struct {
	t      *testing.T
	conn   *ipv4.PacketConn
	server *net.UDPAddr

	answers atomic.Int64 // that came, to whomever

	mu      sync.Mutex
	members map[netip.Addr]chan *rawturn.Message
	relayed map[netip.AddrPort]bool
}

func newCrowd(t *testing.T, server string) *crowd {
	t.Helper()
	c, err := net.ListenUDP("udp4", &net.UDPAddr{})
	must(t, err)
	must(t, c.SetReadBuffer(4<<20))
	addr, err := net.ResolveUDPAddr("udp4", server)
	must(t, err)
	w := &crowd{t: t, conn: ipv4.NewPacketConn(c), server: addr, members: map[netip.Addr]chan *rawturn.Message{}, relayed: map[netip.AddrPort]bool{}}
	must(t, w.conn.SetControlMessage(ipv4.FlagDst, true))
	var reader sync.WaitGroup
	reader.Go(w.read)
	t.Cleanup(func() {
		_ = c.Close()
		reader.Wait()
	})
	return w
}

// read hands answers to whom they are for, until the socket is closed.
func (w *crowd) read() {
	b := make([]byte, 2000)
	for {
		n, info, _, err := w.conn.ReadFrom(b)
		if err != nil {
			return
		}
		w.answers.Add(1)
		m, err := rawturn.Parse(b[:n])
		to, ok := netip.AddrFromSlice(info.Dst.To4())
		if err != nil || !ok {
			w.t.Errorf("%v got %x: %v", to, b[:n], err)
			continue
		}
		w.mu.Lock()
		member := w.members[to]
		w.mu.Unlock()
		select {
		case member <- m:
		default: // an answer to what was asked twice
		}
	}
}

// blast sends n requests without waiting for answers, from each source in turn, and returns how many are answered.
func (w *crowd) blast(n int, from []netip.Addr, request func() []byte) int64 {
	w.t.Helper()
	for i := range n {
		_, err := w.conn.WriteTo(request(), &ipv4.ControlMessage{Src: from[i%len(from)].AsSlice()}, w.server)
		must(w.t, err)
	}
	for before := int64(-1); before != w.answers.Load(); {
		before = w.answers.Load()
		<-time.After(rawturn.Silence)
	}
	return w.answers.Swap(0)
}

// allocate has n new members ask for an allocation each, and counts what they get.
func (w *crowd) allocate(a rawturn.Account, n int) map[string]int {
	const abreast = 64
	var members sync.WaitGroup
	results, next := make(chan string), make(chan netip.Addr)
	for range abreast {
		members.Go(func() {
			for from := range next {
				results <- w.join(a, from)
			}
		})
	}
	go func() { // ends when all are asked for, which the last of results waits for
		for range n {
			next <- source()
		}
		close(next)
		members.Wait()
		close(results)
	}()
	counts := map[string]int{}
	for r := range results {
		counts[r]++
	}
	return counts
}

// join makes an allocation and says what came of it.
func (w *crowd) join(a rawturn.Account, from netip.Addr) string {
	in := make(chan *rawturn.Message, 4)
	w.mu.Lock()
	w.members[from] = in
	w.mu.Unlock()
	c := rawturn.Client{Account: a}
	m := w.ask(from, in, rawturn.New(rawturn.Allocate, rawturn.Transport(17)).Encode())
	if m == nil || m.Code() != 401 {
		return fmt.Sprintf("greeted with %s", said(m))
	}
	realm, _ := m.Get(rawturn.Realm)
	nonce, _ := m.Get(rawturn.Nonce)
	c.Realm, c.Nonce = string(realm), string(nonce)
	m = w.ask(from, in, c.Signed(rawturn.New(rawturn.Allocate, rawturn.Transport(17))))
	if m != nil && m.Success() {
		relayed := m.Addr(rawturn.XORRelayed)
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.relayed[relayed] {
			return fmt.Sprintf("%v twice", relayed)
		}
		w.relayed[relayed] = true
	}
	return said(m)
}

func said(m *rawturn.Message) string {
	if m == nil {
		return "silence"
	}
	return rawturn.Word(m, nil)
}

// ask sends a request until it is answered, as clients do over UDP (RFC 8489 section 6.2.1). It returns nil if it never is, or the test ends.
func (w *crowd) ask(from netip.Addr, in chan *rawturn.Message, b []byte) *rawturn.Message {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for tries, wait := 0, 250*time.Millisecond; tries < 6; {
		select {
		case <-w.t.Context().Done():
			return nil
		case m := <-in:
			if m.TID == [12]byte(b[8:20]) {
				return m
			}
		case <-timer.C:
			tries, wait = tries+1, 2*wait
			timer.Reset(wait)
			if _, err := w.conn.WriteTo(b, &ipv4.ControlMessage{Src: from.AsSlice()}, w.server); err != nil {
				w.t.Errorf("write from %v: %v", from, err)
				return nil
			}
		}
	}
	return nil
}

// ofOneSession is how many allocations a session gets where many are wanted: more than any has use for, and what the API takes.
const ofOneSession = 1000

// TestAllocations: most of the range of ports is used without one failure, and freed when the sessions end.
func TestAllocations(t *testing.T) {
	const n, enoughFiles = 15_000, 1000 // the latter beside those of allocations
	var files unix.Rlimit
	must(t, unix.Getrlimit(unix.RLIMIT_NOFILE, &files))
	if files.Max < uint64(n+enoughFiles) {
		t.Skipf("LEFT OUT: %d allocations at the same time: a process may have %d files", n, files.Max)
	}
	s := newStand(t, settings{turn: fmt.Sprintf("session_allocations: %d\n", ofOneSession)})
	w := newCrowd(t, s.turn())
	begun := time.Now()
	var sessions []pair
	for left := n; left > 0; left -= ofOneSession {
		session, some := s.open(t), min(left, ofOneSession)
		sessions = append(sessions, session)
		if out := w.allocate(session.a, some); out["success"] != some {
			t.Errorf("%d allocations behind %d others: %v", some, n-left, out)
		}
	}
	t.Logf("FIGURES %d allocations in %v", n, time.Since(begun).Round(time.Millisecond))
	if len(w.relayed) != n {
		t.Errorf("%d relayed addresses, want %d", len(w.relayed), n)
	}
	s.wantRelays(n)
	for _, session := range sessions {
		s.end(t, session.id)
	}
	s.wantRelays(0)
	p := s.probe()
	p.alive()
	p.rests()
}
