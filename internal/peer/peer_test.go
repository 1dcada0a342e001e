package peer

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"signalbox/internal/channel"
	"signalbox/internal/signalling"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// accepted is a channel that the other side opened.
type accepted struct {
	label Label
	conn  channel.Conn
}

// side is one peer of a pair, with what it was told.
type side struct {
	*Peer
	candidates chan Candidate
	channels   chan accepted
	states     chan State
	renewals   atomic.Int32
}

func newSide(t *testing.T, cfg Config) *side {
	t.Helper()
	s := &side{candidates: make(chan Candidate, 256), channels: make(chan accepted, 64), states: make(chan State, 64)}
	cfg.Loopback = true
	cfg.OnCandidate = func(c Candidate) { s.candidates <- c }
	cfg.OnChannel = func(l Label, c channel.Conn) { s.channels <- accepted{l, c} }
	cfg.OnState = func(st State) { s.states <- st }
	cfg.OnRenew = func() { s.renewals.Add(1) }
	var err error
	s.Peer, err = New(cfg)
	must(t, err)
	t.Cleanup(s.Close)
	return s
}

// feed gives the candidates of one side to the other until the test ends.
func feed(t *testing.T, from, to *side) {
	for {
		select {
		case c := <-from.candidates:
			if err := to.Candidate(c); err != nil && to.life.Err() == nil {
				t.Errorf("candidate: %v", err)
			}
		case <-to.life.Done():
			return
		case <-from.life.Done():
			return
		}
	}
}

// agree plays an offer and its answer.
func agree(t *testing.T, offerer, answerer *side, restart bool) {
	t.Helper()
	offer, err := offerer.Offer(restart)
	must(t, err)
	answer, err := answerer.Answer(offer)
	must(t, err)
	must(t, offerer.Accept(answer))
}

// connect makes a pair with one open channel, "system".
func connect(t *testing.T, offering, answering Config) (offerer, answerer *side, here, there channel.Conn) {
	t.Helper()
	offerer, answerer = newSide(t, offering), newSide(t, answering)
	here, err := offerer.Open(Label{Name: channel.System})
	must(t, err)
	agree(t, offerer, answerer, false)
	go feed(t, offerer, answerer)
	go feed(t, answerer, offerer)
	return offerer, answerer, here, next(t, answerer).conn
}

// next waits for a channel that the other side opens.
func next(t *testing.T, s *side) accepted {
	t.Helper()
	select {
	case a := <-s.channels:
		return a
	case <-limit(t).Done():
		t.Fatal("no channel came")
		return accepted{}
	}
}

// limit is how long anything may take.
func limit(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func await(t *testing.T, s *side, want State) {
	t.Helper()
	for ctx := limit(t); ; {
		select {
		case st := <-s.states:
			if st == want {
				return
			}
		case <-ctx.Done():
			t.Fatalf("the connection did not become %s", want)
		}
	}
}

func TestTwoPeersTalk(t *testing.T) {
	offerer, answerer, here, there := connect(t, Config{}, Config{})
	big := bytes.Repeat([]byte{1, 2, 3, 4}, channel.MaxMessage/4)
	for _, tt := range []struct {
		name     string
		from, to channel.Conn
		m        channel.Message
	}{
		{"text there", here, there, channel.Message{Text: true, Data: []byte("hello")}},
		{"bytes back", there, here, channel.Message{Data: []byte{0, 255}}},
		{"nothing as text", here, there, channel.Message{Text: true}},
		{"no bytes", here, there, channel.Message{}},
		{"the largest", there, here, channel.Message{Data: big}},
	} {
		must(t, tt.from.Send(limit(t), tt.m))
		got, err := tt.to.Receive(limit(t))
		if err != nil || got.Text != tt.m.Text || !bytes.Equal(got.Data, tt.m.Data) {
			t.Errorf("%s: Receive() = %v, %d bytes, %v", tt.name, got.Text, len(got.Data), err)
		}
	}
	if err := here.Send(t.Context(), channel.Message{Data: append(big, 0)}); err == nil {
		t.Error("a message beyond the bound was sent")
	}
	for _, s := range []*side{offerer, answerer} {
		if w := s.Way(); w.Rung != signalling.RungDirect || len(w.Failed) != 0 || w.RTT <= 0 || w.RTT > time.Second {
			t.Errorf("Way() = %+v, want direct", w)
		}
	}
}

// TestUnnamedAddressIsUsedAtOnce: the answerer's checks come before its candidates, which the server brings, and the offerer does not wait for these. By its default the library would do
// so for a second, each time.
func TestUnnamedAddressIsUsedAtOnce(t *testing.T) {
	best := time.Hour
	for range 5 {
		offerer, answerer := newSide(t, Config{}), newSide(t, Config{})
		_, err := offerer.Open(Label{Name: channel.System})
		must(t, err)
		agree(t, offerer, answerer, false)
		began := time.Now()
		go feed(t, offerer, answerer)
		next(t, answerer)
		best = min(best, time.Since(began))
	}
	if best >= time.Second {
		t.Errorf("the fastest of five took %v", best)
	}
}

// What was sent before the end of a channel arrives before it, and other channels go on.
func TestChannelEnds(t *testing.T) {
	offerer, answerer, here, there := connect(t, Config{}, Config{})
	second, err := offerer.Open(Label{"terminal", 2})
	must(t, err)
	must(t, second.Send(limit(t), channel.Message{Data: []byte("last words")}))
	must(t, second.Close())
	a := next(t, answerer)
	if a.label != (Label{"terminal", 2}) {
		t.Errorf("label = %v", a.label)
	}
	m, err := a.conn.Receive(limit(t))
	if err != nil || string(m.Data) != "last words" {
		t.Errorf("Receive() = %q, %v", m.Data, err)
	}
	if _, err := a.conn.Receive(limit(t)); !errors.Is(err, io.EOF) {
		t.Errorf("Receive() behind the end = %v, want io.EOF", err)
	}
	must(t, here.Send(limit(t), channel.Message{Data: []byte("on")}))
	if m, err := there.Receive(limit(t)); err != nil || string(m.Data) != "on" {
		t.Errorf("the other channel: %q, %v", m.Data, err)
	}
	answerer.Close()
	if _, err := there.Receive(limit(t)); err == nil || errors.Is(err, io.EOF) {
		t.Errorf("Receive() after Close of the peer = %v, want an error that is not the other side's end", err)
	}
}

// A call that is given up leaves the channel as it was.
func TestReceiveIsGivenUp(t *testing.T) {
	_, _, here, there := connect(t, Config{}, Config{})
	for range 3 {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := there.Receive(ctx); !errors.Is(err, context.Canceled) {
			t.Fatalf("Receive() = %v, want context.Canceled", err)
		}
	}
	must(t, here.Send(limit(t), channel.Message{Data: []byte("x")}))
	if m, err := there.Receive(limit(t)); err != nil || string(m.Data) != "x" {
		t.Errorf("Receive() = %q, %v", m.Data, err)
	}
}

// Who sends to somebody who does not read has to wait, holding little; when they read again all of it arrives in order.
func TestSendWaits(t *testing.T) {
	_, _, here, there := connect(t, Config{}, Config{})
	sent := 0
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
	defer cancel()
	piece := make([]byte, 32<<10)
	for ; sent < 2000; sent++ { // 64 MB
		piece[0], piece[1] = byte(sent>>8), byte(sent)
		if err := here.Send(ctx, channel.Message{Data: piece}); err != nil {
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Fatalf("Send() = %v", err)
			}
			break
		}
	}
	if most := (highWater + 3<<20) / len(piece); sent > most { // with what the other side's window holds
		t.Fatalf("%d messages were taken for somebody who does not read, at most %d fit", sent, most)
	}
	for i := range sent {
		m, err := there.Receive(limit(t))
		if err != nil || len(m.Data) != len(piece) || int(m.Data[0])<<8|int(m.Data[1]) != i {
			t.Fatalf("message %d: %d bytes, %v", i, len(m.Data), err)
		}
	}
	must(t, here.Send(limit(t), channel.Message{Data: piece}))
}

// The 17th channel is told why and closed; a label that is none likewise.
func TestChannelsAreBounded(t *testing.T) {
	offerer, answerer, _, _ := connect(t, Config{}, Config{})
	for i := 1; i < MaxChannels; i++ {
		_, err := offerer.Open(Label{"terminal", i})
		must(t, err)
		next(t, answerer)
	}
	if _, err := offerer.Open(Label{"terminal", 99}); err == nil {
		t.Error("a 17th channel of our own was opened")
	}
	for _, tt := range []struct{ label, want string }{{"terminal#99", "too many channels"}, {"Terminal", "too many channels"}} {
		d, err := offerer.pc.CreateDataChannel(tt.label, nil) // as somebody does who does not count
		must(t, err)
		c := newConn(offerer.Peer, d)
		d.OnOpen(func() { c.attach() })
		m, err := c.Receive(limit(t))
		if err != nil || !m.Text || !strings.Contains(string(m.Data), tt.want) {
			t.Errorf("%s: Receive() = %q, %v, want %q", tt.label, m.Data, err, tt.want)
		}
		if _, err := c.Receive(limit(t)); !errors.Is(err, io.EOF) {
			t.Errorf("%s: then %v, want io.EOF", tt.label, err)
		}
	}
	select {
	case a := <-answerer.channels:
		t.Errorf("channel %v was taken", a.label)
	default:
	}
}

func TestForeignChannelsAreRefused(t *testing.T) {
	offerer, _, _, _ := connect(t, Config{}, Config{})
	d, err := offerer.pc.CreateDataChannel("terminal#0", nil)
	must(t, err)
	c := newConn(offerer.Peer, d)
	d.OnOpen(func() { c.attach() })
	if m, err := c.Receive(limit(t)); err != nil || !strings.Contains(string(m.Data), `"invalid"`) {
		t.Errorf("Receive() = %q, %v", m.Data, err)
	}
}

// A restart looks for ways anew under channels that go on.
func TestRestart(t *testing.T) {
	offerer, answerer, here, there := connect(t, Config{}, Config{})
	await(t, offerer, Connected)
	before := offerer.pair().Local.Port
	agree(t, offerer, answerer, true)
	must(t, here.Send(limit(t), channel.Message{Data: []byte("x")}))
	if m, err := there.Receive(limit(t)); err != nil || string(m.Data) != "x" {
		t.Fatalf("Receive() = %q, %v", m.Data, err)
	}
	for ctx := limit(t); ; { // the other end may have a pair, and hear what came over it, before ours is chosen
		p := offerer.pair()
		if p != nil && p.Local.Port != before {
			break
		}
		select {
		case <-time.After(time.Millisecond):
		case <-ctx.Done():
			t.Fatalf("pair %v after the restart, want one with new ports", p)
		}
	}
}

// A connection that has encrypted as much as it may asks to be replaced, once.
func TestBudget(t *testing.T) {
	offerer, answerer, here, there := connect(t, Config{}, Config{})
	if n := offerer.renewals.Load(); n != 0 || offerer.net.sent.Load() > Budget/1000 {
		t.Fatalf("%d renewals after %d packets", n, offerer.net.sent.Load())
	}
	offerer.net.budget.Store(offerer.net.sent.Load() + 50)
	data := make([]byte, 60<<10) // about 50 packets
	for range 5 {
		must(t, here.Send(limit(t), channel.Message{Data: data}))
		_, err := there.Receive(limit(t))
		must(t, err)
	}
	if offerer.renewals.Load() != 1 || answerer.renewals.Load() != 0 {
		t.Errorf("renewals = %d and %d, want 1 and 0", offerer.renewals.Load(), answerer.renewals.Load())
	}
}

// A peer that waits for servers that do not answer ends at once, and leaves nothing.
func TestCloseWhileGathering(t *testing.T) {
	udp, err := net.ListenPacket("udp", "127.0.0.1:0")
	must(t, err)
	defer udp.Close()
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer tcp.Close()
	s := newSide(t, Config{RelayOnly: true, Servers: []signalling.ICEServer{{
		URLs:     []string{"turn:" + udp.LocalAddr().String(), "turn:" + tcp.Addr().String() + "?transport=tcp", "turns:" + tcp.Addr().String()},
		Username: "u", Credential: "c",
	}}})
	_, err = s.Open(Label{Name: "system"})
	must(t, err)
	_, err = s.Offer(false)
	must(t, err)
	b := make([]byte, 1500)
	_, _, err = udp.ReadFrom(b) // it has begun
	must(t, err)
	s.Close()
	if w := s.Way(); w.Rung != "" || len(w.Failed) != 4 || w.Failed[0].Why != "not allowed in this session" {
		t.Errorf("Way() = %+v", w)
	}
}
