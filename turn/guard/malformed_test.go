package guard

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"signalbox/turn/datapath"
	"signalbox/turn/session"
	"signalbox/turn/turntest"
	"signalbox/turn/wire"
)

// longRun makes the tests below send as much as the long form says: `make fuzz-long`.
const longRun = "TURN_FUZZ_LONG"

func rounds(short, long int) int {
	if os.Getenv(longRun) != "" {
		return long
	}
	return short
}

// unlimited lets a test send as it likes, for as long as it likes.
func unlimited(o *options) {
	o.Unauthenticated, o.UnauthenticatedBurst, o.Bindings, o.BindingsBurst = 1e8, 1e6, 1e8, 1e6
	o.limits, o.lasts = session.Limits{}, 24*time.Hour
}

// nonsense makes messages that are nearly right. The same seed makes the same ones.
type nonsense struct {
	*rand.Rand
	peers  []netip.AddrPort
	tokens []datapath.Token // that were given out, the last ones

	given   int                     // tokens
	claimed map[datapath.Token]bool // those that got an allocation
}

func newNonsense(seed uint64, peers ...netip.AddrPort) *nonsense {
	return &nonsense{Rand: rand.New(rand.NewPCG(seed, 1)), peers: append(peers, goodPeer, otherPeer, ipv6Peer), claimed: map[datapath.Token]bool{}}
}

var nonsenseTypes = []uint16{
	wire.TypeBindingRequest, wire.TypeAllocateRequest, wire.TypeRefreshRequest, wire.TypeCreatePermissionRequest, wire.TypeChannelBindRequest, wire.TypeSendIndication,
	wire.TypeDataIndication, wire.TypeBindingIndication, wire.TypeAllocateSuccess, wire.TypeRefreshError, 0x000A, 0x3FFF,
}

var nonsenseAttrs = []uint16{
	wire.AttrMappedAddress, wire.AttrUsername, wire.AttrErrorCode, wire.AttrUnknownAttributes, wire.AttrChannelNumber, wire.AttrLifetime, wire.AttrXORPeerAddress,
	wire.AttrData, wire.AttrRealm, wire.AttrNonce, wire.AttrXORRelayedAddress, wire.AttrRequestedAddressFamily, wire.AttrEvenPort, wire.AttrRequestedTransport,
	wire.AttrDontFragment, wire.AttrXORMappedAddress, wire.AttrReservationToken, wire.AttrAdditionalFamily, wire.AttrFingerprint, 0x7777, 0x8022,
}

func (r *nonsense) bytes(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

// message returns one message; those of a client with a nonce are signed three times of four. One of ten has a wrong length, one of ten is cut.
func (r *nonsense) message(c *turntest.Client) []byte {
	var b []byte
	if r.IntN(8) == 0 {
		b = r.channelData()
	} else {
		b = r.stun(c)
	}
	if r.IntN(10) == 0 {
		binary.BigEndian.PutUint16(b[2:], uint16(r.Uint32()))
	}
	if r.IntN(10) == 0 {
		b = b[:r.IntN(len(b))]
	}
	return b
}

// channelData has the length that it says one time of two.
func (r *nonsense) channelData() []byte {
	n := r.IntN(40)
	b := wire.AppendChannelHeader(nil, uint16(0x4000+r.IntN(4)), n)
	if r.IntN(2) == 0 {
		n = r.IntN(40)
	}
	return append(b, r.bytes(n+wire.Padding(n))...)
}

// stun has what its type needs one time of two, and anything else in front of that.
func (r *nonsense) stun(c *turntest.Client) []byte {
	typ := nonsenseTypes[r.IntN(len(nonsenseTypes))]
	attrs := make([]turntest.Attr, 0, 6)
	for range r.IntN(5) {
		attrs = append(attrs, r.attr())
	}
	if r.IntN(2) == 0 {
		attrs = append(attrs, r.needs(typ)...)
	}
	unsigned := &turntest.Client{}
	if r.IntN(4) != 0 {
		unsigned = c
	}
	return unsigned.Build(typ, [12]byte(r.bytes(12)), attrs...)
}

// needs returns the attributes without which a type is refused.
func (r *nonsense) needs(typ uint16) []turntest.Attr {
	peer := turntest.Peer(r.peers[r.IntN(len(r.peers))])
	switch typ {
	case wire.TypeAllocateRequest:
		return append(r.wish(), turntest.Transport())
	case wire.TypeRefreshRequest:
		return []turntest.Attr{turntest.Uint32(wire.AttrLifetime, DefaultLifetime*r.Uint32N(2))}
	case wire.TypeCreatePermissionRequest:
		return []turntest.Attr{peer}
	case wire.TypeChannelBindRequest:
		return []turntest.Attr{r.channel(), peer}
	case wire.TypeSendIndication:
		return []turntest.Attr{peer, turntest.Bytes(wire.AttrData, r.bytes(r.IntN(33))...)}
	}
	return nil
}

// wish is for any port, a pair, or the port of a token.
func (r *nonsense) wish() []turntest.Attr {
	switch r.IntN(4) {
	case 0:
		return []turntest.Attr{pair}
	case 1:
		return []turntest.Attr{r.token()}
	}
	return nil
}

// token is one of those that were given out, or nearly.
func (r *nonsense) token() turntest.Attr {
	var t datapath.Token
	if n := len(r.tokens); n > 0 {
		t = r.tokens[r.IntN(n)]
	}
	n := len(t)
	switch r.IntN(6) {
	case 0:
		t[r.IntN(n)] ^= 1 << r.IntN(8)
	case 1:
		n = r.IntN(n)
	}
	return turntest.Bytes(wire.AttrReservationToken, t[:n]...)
}

// look notes which tokens clients were told, as many as may be good, and which have got an allocation.
func (r *nonsense) look(g *Guard) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, a := range g.allocations {
		if !a.live() {
			continue
		}
		if t, ok := a.path.Load().Reserved(); ok && !slices.Contains(r.tokens, t) {
			r.given++
			r.tokens = append(r.tokens[max(0, len(r.tokens)+1-datapath.MaxKept):], t)
		}
		if a.ask.Token != nil {
			r.claimed[*a.ask.Token] = true
		}
	}
}

func (r *nonsense) channel() turntest.Attr {
	return turntest.Uint32(wire.AttrChannelNumber, uint32(0x4000+r.IntN(8))<<16)
}

// attr is right one time of two.
func (r *nonsense) attr() turntest.Attr {
	switch r.IntN(12) {
	case 0, 1:
		return turntest.Transport()
	case 2, 3:
		return turntest.Peer(r.peers[r.IntN(len(r.peers))])
	case 4:
		return r.channel()
	case 5:
		return turntest.Uint32(wire.AttrLifetime, r.Uint32N(4000))
	default:
		return turntest.Bytes(nonsenseAttrs[r.IntN(len(nonsenseAttrs))], r.bytes(r.IntN(33))...)
	}
}

// TestMalformedDatagrams: nothing that comes in a datagram, from clients with and without credentials, stops the server.
func TestMalformedDatagrams(t *testing.T) {
	const ports = 6 // four clients want more, as some are kept
	w := newWorld(t, unlimited, func(o *options) { o.ports = ports })
	w.openFor("ses_1", 24*time.Hour)
	clients := []*turntest.Client{w.dial("udp"), w.client("udp", "ses_1", 'a'), w.client("udp", "ses_1", 'b')}
	var peers []netip.AddrPort
	for _, side := range []byte{'a', 'b'} {
		c, relayed := w.allocated("udp", "ses_1", side)
		clients, peers = append(clients, c), append(peers, relayed)
	}
	r := newNonsense(1, peers...)
	const burst = 16
	for range rounds(20_000, 10_000_000) / (burst * len(clients)) {
		for _, c := range clients {
			c.Nonce = ""
			_ = c.Once(wire.TypeRefreshRequest) // a 401, which tells a nonce: one lasts an hour
			if r.IntN(8) == 0 {
				_ = c.Refresh(0)
				_, _ = c.Allocate(r.wish()...) // there may be no port
				r.look(w.guard)
			}
			for range burst {
				if _, err := c.Write(r.message(c)); err != nil {
					t.Fatal(err)
				}
			}
			w.alive(c)
			r.look(w.guard)
		}
	}
	w.isWell(r)
	for range ports - 1 { // one has been given out again
		w.allocated("udp", "ses_2", 'a')
	}
}

// alive waits until the server has answered a Binding request behind all that was sent, so that no socket's buffer overflows.
func (w *world) alive(c *turntest.Client) {
	w.t.Helper()
	user := c.User
	c.User = ""
	err := c.Once(wire.TypeBindingRequest)
	c.User = user
	c.Forget()
	if err != nil {
		w.t.Fatalf("the server does not answer any more: %v", err)
	}
}

// isWell looks whether the guard did all that it is there for, and has nothing left when the session ends.
func (w *world) isWell(r *nonsense) {
	w.t.Helper()
	for method := range methods {
		done := testutil.ToFloat64(w.guard.metrics.success[method])
		if w.t.Logf("%s: %v successes of %v answers", method.name(), done, w.metric("signalbox_turn_requests_total", method.name())); done == 0 {
			w.t.Errorf("no %s succeeded: the test does not reach what it does", method.name())
		}
	}
	if w.t.Logf("%d pairs of ports, %d tokens that got the second", r.given, len(r.claimed)); r.given == 0 || len(r.claimed) == 0 {
		w.t.Error("no pair of ports was allocated, or no token claimed: the test does not reach what is done for them")
	}
	if n := w.metric("signalbox_turn_refused_credentials_total", string(refusedExpired)); n != 0 {
		w.t.Errorf("credentials were over for %v requests, which were read no further", n)
	}
	w.sessions.End("ses_1")
	waitFor(w.t, "the end of all allocations", func() bool { return w.metric("signalbox_turn_allocations", "") == 0 })
	w.open("ses_2")
	c, _ := w.allocated("udp", "ses_2", 'a')
	if err := c.Permit(goodPeer); err != nil {
		w.t.Errorf("afterwards: %v", err)
	}
}

// TestMalformedFrames is the same for streams, which the server closes for what is no frame.
func TestMalformedFrames(t *testing.T) {
	w := newWorld(t, unlimited)
	w.openFor("ses_1", 24*time.Hour)
	_, peer := w.allocated("udp", "ses_1", 'b')
	r := newNonsense(2, peer)
	closed, whole := 0, 0
	for frames := rounds(4_000, 1_000_000); whole < frames; {
		c := w.from(netip.AddrFrom4([4]byte{127, 0, byte(r.IntN(256)), byte(1 + r.IntN(250))}))
		if r.IntN(4) != 0 {
			if _, err := c.Allocate(r.wish()...); turntest.Code(err) < 0 {
				t.Fatal(err)
			}
			r.look(w.guard)
		}
		n, refused := w.stream(r, c)
		if whole += n; refused {
			closed++
		}
		if err := drain(c, !refused); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d whole frames; the server closed %d streams", whole, closed)
	if closed == 0 {
		t.Error("no frame had a length for which the server closes a stream")
	}
	w.alive(w.dial("tcp"))
	waitFor(t, "the server to have looked at every whole frame", func() bool { return w.looked() >= float64(whole) })
	w.isWell(r)
}

// stream writes up to 32 messages and returns how many frames the server has to read: those before the first that is none, behind which it reads nothing more. It also tells
// whether that has a length for which the server has to close the stream, whatever may follow.
func (w *world) stream(r *nonsense, c *turntest.Client) (whole int, refused bool) {
	broken := false
	for range 1 + r.IntN(32) {
		b := r.message(c)
		if _, err := c.Write(b); err != nil {
			return whole, refused // for what came before
		}
		switch {
		case broken:
		case isFrame(b):
			if whole++; c.Nonce != "" && r.IntN(4) == 0 {
				w.answered(c)
				r.look(w.guard)
			}
		default:
			broken, refused = true, isRefused(b)
		}
	}
	return whole, refused
}

// answered waits until the server has answered what was sent, by a Refresh that waits its turn behind it: the end of a stream has it forget what waits.
func (w *world) answered(c *turntest.Client) {
	w.t.Helper()
	if err := c.Once(wire.TypeRefreshRequest); turntest.Code(err) < 0 {
		w.t.Fatalf("no answer to a Refresh behind whole frames: %v", err)
	}
}

// isFrame tells whether a message is one whole frame, after which a stream goes on.
func isFrame(b []byte) bool {
	if len(b) < 4 {
		return false
	}
	n, err := wire.FrameLength([4]byte(b))
	return err == nil && n == len(b) && (wire.KindOf(b[0]) == wire.ChannelData || new(wire.Message).Parse(b) == nil)
}

// isRefused tells whether a message begins no frame, as its first bytes say.
func isRefused(b []byte) bool {
	if len(b) < 4 {
		return false
	}
	_, err := wire.FrameLength([4]byte(b))
	return err != nil
}

// looked returns how many messages the server has looked at, which ended in an answer, in silence, or as data.
func (w *world) looked() (sum float64) {
	w.t.Helper()
	for _, name := range []string{"requests_total", "unanswered_total", "repeated_total", "relayed_packets_total", "dropped_packets_total"} {
		sum += w.metric("signalbox_turn_"+name, "")
	}
	return sum
}

// from is a client with a source address of its own, as a million connections have no ports on one.
func (w *world) from(source netip.Addr) *turntest.Client {
	w.t.Helper()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: source.AsSlice()}}
	conn, err := d.DialContext(w.t.Context(), "tcp", w.tcp)
	if err != nil {
		w.t.Fatal(err)
	}
	return w.as(turntest.New(conn), "ses_1", 'a')
}

// drain waits until the server has ended a stream: by itself, or behind all that came, if the stream is ended here first.
func drain(c *turntest.Client, end bool) error {
	if end {
		_ = c.Conn.(*net.TCPConn).CloseWrite() // fails where the server has ended it
	}
	if err := c.SetReadDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	if _, err := io.Copy(io.Discard, c.Conn); errors.Is(err, os.ErrDeadlineExceeded) { // else its end, or its reset
		return fmt.Errorf("the server does not end a stream: %w", err)
	}
	return c.Close()
}

// TestKillers are the two frames that stop pion/turn v2: a length that comes to nothing in 16 bits, and an address attribute without a value.
func TestKillers(t *testing.T) {
	spin := append([]byte{0, 1, 0xFF, 0xEC, 0x21, 0x12, 0xA4, 0x42}, make([]byte, 12)...)
	spinData := []byte{0x40, 0, 0xFF, 0xFC}
	for name, frame := range map[string][]byte{"STUN": spin, "ChannelData": spinData} {
		t.Run("spin by "+name, func(t *testing.T) {
			w := newWorld(t)
			c := w.dial("tcp")
			if _, err := c.Write(frame); err != nil {
				t.Fatal(err)
			}
			var timeout net.Error
			if _, err := c.Receive(); err == nil || errors.As(err, &timeout) && timeout.Timeout() {
				t.Errorf("the stream goes on: %v", err)
			}
			w.alive(w.dial("tcp"))
		})
	}
	t.Run("crash by an empty address", func(t *testing.T) {
		w := newWorld(t)
		w.open("ses_1")
		crash := new(turntest.Client).Build(wire.TypeSendIndication, turntest.NewID(), turntest.Bytes(wire.AttrData, make([]byte, 20)...), turntest.Bytes(wire.AttrXORPeerAddress))
		if len(crash) != 48 { // a size behind which nothing lies in memory
			t.Fatalf("the frame has %d bytes", len(crash))
		}
		for _, network := range []string{"udp", "tcp"} {
			for _, typ := range []uint16{wire.TypeSendIndication, wire.TypeCreatePermissionRequest, wire.TypeChannelBindRequest} {
				c, _ := w.allocated(network, "ses_1", 'a')
				frame := crash
				if typ != wire.TypeSendIndication {
					frame = c.Build(typ, turntest.NewID(), turntest.Bytes(wire.AttrXORPeerAddress))
				}
				if _, err := c.Write(frame); err != nil {
					t.Fatal(err)
				}
				w.alive(w.dial(network))
			}
		}
	})
}
