package peer

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"signalbox/internal/channel"
	"signalbox/internal/signalling"
)

func TestLabels(t *testing.T) {
	for _, tt := range []struct {
		text string
		want Label
		ok   bool
	}{
		{"terminal", Label{"terminal", 0}, true},
		{"terminal#7", Label{"terminal", 7}, true},
		{"terminal#2147483647", Label{"terminal", 1<<31 - 1}, true},
		{"terminal#2147483648", Label{}, false},
		{"terminal#0", Label{}, false},
		{"terminal#07", Label{}, false},
		{"terminal#+7", Label{}, false},
		{"terminal#", Label{}, false},
		{"#7", Label{}, false},
		{"", Label{}, false},
		{"Terminal", Label{}, false},
		{"../etc", Label{}, false},
		{strings.Repeat("a", 17), Label{}, false},
	} {
		got, err := ParseLabel(tt.text)
		if got != tt.want || (err == nil) != tt.ok || tt.ok && got.String() != tt.text {
			t.Errorf("ParseLabel(%q) = %v, %v", tt.text, got, err)
		}
	}
}

func FuzzParseLabel(f *testing.F) {
	f.Add("terminal#7")
	f.Fuzz(func(t *testing.T, text string) {
		if l, err := ParseLabel(text); err == nil && l.String() != text {
			t.Errorf("%q is written %q", text, l)
		}
	})
}

func TestServers(t *testing.T) {
	servers := []signalling.ICEServer{
		{URLs: []string{"stun:a.example:3478", "turn:a.example", "turn:[2001:db8::1]:99?transport=tcp", "turns:a.example:443?transport=tcp"}, Username: "u", Credential: "c"},
		{URLs: []string{"turn:b.example?transport=sctp", "turns:b.example?transport=udp", "turn:b.example:0", "turn:", "turn:x@b.example", "http://b.example"}, Username: "u", Credential: "c"},
		{URLs: []string{"turn:c.example"}},
	}
	want := []string{
		"turn_udp turn:t0.invalid:3478?transport=udp a.example:3478",
		"turn_tcp turn:t1.invalid:99?transport=tcp [2001:db8::1]:99",
		"turn_tls turns:t2.invalid:443?transport=tcp a.example:443",
	}
	var got []string
	for _, s := range parseServers(servers) {
		got = append(got, s.rung+" "+s.url()+" "+s.address())
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("servers (-want +got):\n%s", d)
	}
	if n := len(parseServers([]signalling.ICEServer{{URLs: make([]string, 0), Username: "u", Credential: "c"}, {URLs: slicesOf("turn:a.example", 99), Username: "u", Credential: "c"}})); n != maxTargets {
		t.Errorf("%d servers are used, want %d", n, maxTargets)
	}
}

func slicesOf(text string, n int) (all []string) {
	for range n {
		all = append(all, text)
	}
	return all
}

const goodSDP = "v=0\r\no=- 1 2 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\nm=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=mid:data\r\n" +
	"a=candidate:1 1 udp 1 192.0.2.1 9 typ relay raddr 0.0.0.0 rport 0\r\na=candidate:2 1 udp 1 192.0.2.2 9 typ host\r\n"

func TestDescriptions(t *testing.T) {
	d, err := parseDescription(goodSDP)
	if err != nil || d.mid != "data" || d.candidates != 2 || len(d.relays) != 1 || d.relays[0] != "192.0.2.1:9" {
		t.Errorf("parseDescription() = %+v, %v", d, err)
	}
	for name, text := range map[string]string{
		"nothing":          "",
		"no media":         "v=0\r\n",
		"video":            strings.Replace(goodSDP, "m=application 9 UDP/DTLS/SCTP webrtc-datachannel", "m=video 9 UDP/TLS/RTP/SAVPF 96", 1),
		"two media":        goodSDP + "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n",
		"audio beside it":  goodSDP + "m=audio 9 UDP/TLS/RTP/SAVPF 0\r\n",
		"no mid":           strings.Replace(goodSDP, "a=mid:data\r\n", "", 1),
		"many lines":       goodSDP + strings.Repeat("a=x\r\n", maxSDPLines),
		"many candidates":  goodSDP + strings.Repeat("a=candidate:1\r\n", maxCandidates),
		"too long":         goodSDP + "a=" + strings.Repeat("x", maxSDP),
		"of another sort":  strings.Replace(goodSDP, "webrtc-datachannel", "5000", 1),
		"with a long name": strings.Replace(goodSDP, "mid:data", "mid:"+strings.Repeat("x", 33), 1),
	} {
		if _, err := parseDescription(text); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}

// No description ends the program, and what is refused here never reaches the library.
func FuzzAnswer(f *testing.F) {
	f.Add(goodSDP)
	f.Add(strings.Replace(goodSDP, "a=mid", "a=setup:actpass\r\na=ice-ufrag:abcd\r\na=ice-pwd:aaaaaaaaaaaaaaaaaaaaaa\r\na=fingerprint:sha-256 00\r\na=mid", 1))
	f.Fuzz(func(t *testing.T, text string) {
		p, err := New(Config{})
		must(t, err)
		defer p.Close()
		_, _ = p.Answer(text)
		_ = p.Candidate(Candidate{Text: text})
	})
}

func unhex(t *testing.T, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(text, " ", ""))
	must(t, err)
	return b
}

const txn = " 000102030405060708090a0b "

func TestSTUNIsChecked(t *testing.T) {
	for _, tt := range []struct {
		name, hex string
		want      bool
	}{
		{"no attributes", "0101 0000 2112a442" + txn, true},
		{"IPv4 address", "0101 000c 2112a442" + txn + "0020 0008 0001 0001 00000000", true},
		{"empty address as last attribute", "0017 001c 2112a442" + txn + "0013 0014 0000000000000000000000000000000000000000 0012 0000", false},
		{"IPv6 in 8 bytes", "0101 000c 2112a442" + txn + "0020 0008 0002 0001 00000000", false},
		{"attribute beyond the end", "0101 0008 2112a442" + txn + "8022 0008 00000000", false},
		{"length beyond the end", "0101 ffec 2112a442" + txn, false},
		{"half an attribute", "0101 0002 2112a442" + txn + "8022", false},
	} {
		b := unhex(t, tt.hex)
		if !isSTUN(b) || sound(b) != tt.want {
			t.Errorf("%s: isSTUN() = %v, sound() = %v, want %v", tt.name, isSTUN(b), sound(b), tt.want)
		}
	}
}

// Frames that stop or end the library do not reach it.
func TestFrames(t *testing.T) {
	good := "0101 0000 2112a442" + txn
	for _, tt := range []struct {
		name, hex string
		frames    int
		err       error
	}{
		{"two messages", good + good, 2, io.EOF},
		{"channel data, padded", "4000 0003 aabbcc00" + good, 2, io.EOF},
		{"cut", "0101 0008 2112a442", 0, io.ErrUnexpectedEOF},
		{"a length that wraps", "0001 ffec 2112a442" + txn, 0, errFrame},
		{"channel data whose length wraps", "4000 fffc 00000000", 0, errFrame},
		{"no cookie", "0101 0000 00000000" + txn, 0, errFrame},
		{"an empty address", good + "0017 0004 2112a442" + txn + "0012 0000", 1, errFrame},
		{"HTTP", hex.EncodeToString([]byte("HTTP/1.1 200 OK\r\n")), 0, errFrame},
	} {
		s := &stream{Conn: &pieces{r: bytes.NewReader(unhex(t, tt.hex))}}
		n, buf, err := 0, make([]byte, 1500), error(nil)
		for {
			if _, err = s.Read(buf); err != nil {
				break
			}
			n++
		}
		if n != tt.frames || !errors.Is(err, tt.err) {
			t.Errorf("%s: %d frames, then %v; want %d, %v", tt.name, n, err, tt.frames, tt.err)
		}
	}
}

// pieces is a connection on which bytes come one by one.
type pieces struct {
	net.Conn
	r io.Reader
}

func (p *pieces) Read(b []byte) (int, error) { return p.r.Read(b[:1]) }

func FuzzReadFrame(f *testing.F) {
	f.Add([]byte("\x40\x00\x00\x01a\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		frame, err := readFrame(bytes.NewReader(b), make([]byte, maxFrame))
		if err == nil && (len(frame) < 4 || len(frame)%4 != 0 || !bytes.HasPrefix(b, frame)) {
			t.Errorf("frame %x of %x", frame, b)
		}
		if isSTUN(b) && sound(b) {
			relayedIn(b)
			errorOf(b)
			hasUsername(b)
		}
	})
}

// A worse rung waits for the better ones, and is left alone where one of them works.
func TestRungsTakeTurns(t *testing.T) {
	targets := []target{{rung: signalling.RungTURNUDP}, {rung: signalling.RungTURNTCP}, {rung: signalling.RungTURNTLS}}
	synctest.Test(t, func(t *testing.T) {
		tr := newTries()
		turn := func(rung string) (mine bool, after time.Duration) {
			began := time.Now()
			mine = tr.turn(t.Context(), rung)
			return mine, time.Since(began)
		}
		tr.begin(targets)
		if mine, after := turn(signalling.RungTURNTCP); !mine || after != patience {
			t.Errorf("beside a server that does not answer: %v after %v", mine, after)
		}
		if mine, after := turn(signalling.RungTURNTLS); !mine || after != patience {
			t.Errorf("the third: %v after %v more", mine, after)
		}
		tr.begin(targets)
		tr.failed(signalling.RungTURNUDP, "connection refused")
		if mine, after := turn(signalling.RungTURNTCP); !mine || after != 0 {
			t.Errorf("after a failure: %v after %v", mine, after)
		}
		tr.allocated(signalling.RungTURNTCP, "192.0.2.1:5")
		if mine, after := turn(signalling.RungTURNTLS); mine || after != 0 {
			t.Errorf("below one that works: %v after %v", mine, after)
		}
		if tr.rungOf("192.0.2.1:5") != signalling.RungTURNTCP || tr.whyNot(signalling.RungTURNUDP) != "connection refused" {
			t.Errorf("rungOf() = %q, whyNot() = %q", tr.rungOf("192.0.2.1:5"), tr.whyNot(signalling.RungTURNUDP))
		}
		tr.begin(targets)
		go func() {
			time.Sleep(patience / 2)
			tr.allocated(signalling.RungTURNUDP, "192.0.2.1:6")
		}()
		if mine, after := turn(signalling.RungTURNTCP); mine || after != patience/2 {
			t.Errorf("while the better one is found: %v after %v", mine, after)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		tr.begin(targets)
		if tr.turn(ctx, signalling.RungTURNTLS) {
			t.Error("a turn at the end")
		}
		tr.begin(targets[2:])
		if mine, after := turn(signalling.RungTURNTLS); !mine || after != 0 {
			t.Errorf("alone: %v after %v", mine, after)
		}
	})
}

// What a server says to an allocation is known by its code; the question for the name is none.
func TestAllocationIsWatched(t *testing.T) {
	for _, tt := range []struct {
		name, sent, got, want string
	}{
		{"wrong credentials", "0003 0008 2112a442" + txn + "0006 0001 75000000", "0113 0008 2112a442" + txn + "0009 0004 00000401", "the server refuses: 401, wrong credentials"},
		{"forbidden at once", "0003 0000 2112a442" + txn, "0113 0008 2112a442" + txn + "0009 0004 00000403", "the server refuses: 403, forbidden"},
		{"quota", "0003 0008 2112a442" + txn + "0006 0001 75000000", "0113 0008 2112a442" + txn + "0009 0004 00000456", "the server refuses: 486, quota reached"},
		{"asked for the name", "0003 0000 2112a442" + txn, "0113 0008 2112a442" + txn + "0009 0004 00000401", "the server has not answered"},
	} {
		n := newNetwork(t.Context(), nil, nil, nil)
		n.tries.begin([]target{{rung: signalling.RungTURNUDP}})
		a := &allocation{rung: signalling.RungTURNUDP, net: n, ready: func() {}}
		a.sending(unhex(t, tt.sent))
		a.received(unhex(t, tt.got))
		if got := n.tries.whyNot(signalling.RungTURNUDP); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

// tooBig is a data channel on which a message comes that does not fit.
type tooBig struct {
	raw
	closed bool
}

func (b *tooBig) ReadDataChannel([]byte) (int, bool, error) { return 0, false, io.ErrShortBuffer }

func (b *tooBig) Close() error {
	b.closed = true
	return nil
}

func TestOversizedMessageEndsTheChannel(t *testing.T) {
	p, err := New(Config{})
	must(t, err)
	defer p.Close()
	d, err := p.pc.CreateDataChannel("system", nil)
	must(t, err)
	c, b := newConn(p, d), &tooBig{}
	c.raw = b
	close(c.open)
	if _, err := c.Receive(t.Context()); err == nil || errors.Is(err, io.EOF) || !b.closed {
		t.Errorf("Receive() = %v, closed %v", err, b.closed)
	}
	if err := c.Send(t.Context(), channel.Message{}); err == nil {
		t.Error("the channel goes on")
	}
}

// The other side may open channels at a rate that no person exceeds.
func TestChannelsAreRated(t *testing.T) {
	p, err := New(Config{})
	must(t, err)
	defer p.Close()
	now := time.Now()
	for range openBurst {
		must(t, p.admit(now, false))
		p.left()
	}
	if err := p.admit(now, false); err == nil {
		t.Error("one more was taken")
	}
	p.left()
	if err := p.admit(now.Add(openWindow+1), false); err != nil {
		t.Errorf("later: %v", err)
	}
}

// Behind the end nothing is opened, whatever the library still begins.
func TestNothingIsOpenedBehindTheEnd(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer l.Close()
	host, port, err := net.SplitHostPort(l.Addr().String())
	must(t, err)
	n := newNetwork(t.Context(), []target{{rung: signalling.RungTURNTCP, name: "t0.invalid", host: host, port: port}}, nil, nil)
	n.abandon()
	_, udp := n.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	_, turn := n.ListenPacket("udp4", "127.0.0.1:0")
	_, tcp := n.Dial("tcp4", "t0.invalid:1")
	for _, err := range []error{udp, turn, tcp} {
		if !errors.Is(err, errClosed) {
			t.Errorf("opened behind the end: %v", err)
		}
	}
}
