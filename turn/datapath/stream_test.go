package datapath

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"signalbox/turn/batch"
	"signalbox/turn/tally"
	"signalbox/turn/wire"
)

// TestDribble: one byte per segment is as good as all at once.
func TestDribble(t *testing.T) {
	for _, portable := range []bool{false, true} {
		w := newWorld(t, "127.0.0.1", portable, "")
		c, peer := w.client(TCP), w.peer()
		w.check(c.Conn.(*net.TCPConn).SetNoDelay(true))
		a := c.allocate(new(owner))
		w.check(a.Bind(0x4000, addrPort(peer.LocalAddr()), later()))
		for _, n := range []int{0, 1, 5, 300} {
			for _, b := range c.padded(channelData(0x4000, payload(n, n))) {
				c.send([]byte{b})
			}
			w.expect(peer, a.Relayed(), payload(n, n))
		}
	}
}

// TestBrokenFraming: a stream ends with the first frame that is none, its allocation at once with it.
func TestBrokenFraming(t *testing.T) {
	binding := message(wire.TypeBindingRequest, nil)
	noCookie := bytes.Clone(binding)
	noCookie[4] ^= 1
	for _, tc := range []struct {
		name string
		b    []byte
	}{
		{"a length that overflows 16 bits", []byte{0, 1, 0xFF, 0xEC}},
		{"ChannelData that overflows 16 bits", []byte{0x40, 0, 0xFF, 0xFF}},
		{"neither STUN nor ChannelData", []byte("GET / HTTP/1.1\r\n\r\n")},
		{"no magic cookie", noCookie},
		{"an attribute beyond the message", append(append([]byte{0, 1, 0, 4}, binding[4:]...), 0, 6, 0, 9)},
	} {
		for _, portable := range []bool{false, true} {
			w := newWorld(t, "127.0.0.1", portable, "")
			c, peer := w.client(TCP), w.peer()
			a := c.allocate(new(owner))
			w.check(a.Bind(0x4000, addrPort(peer.LocalAddr()), later()))
			c.send(append(channelData(0x4000, []byte("good")), tc.b...))
			w.expect(peer, a.Relayed(), []byte("good")) // what stood before it counts
			if n, err := c.Read(make([]byte, 1)); n != 0 || err == nil {
				t.Errorf("%s: the stream goes on", tc.name)
			}
			if gone := <-w.control.gone; gone != c.at || w.Allocation(c.at) != nil {
				t.Errorf("%s: gone %v, want %v", tc.name, gone, c.at)
			}
			<-a.Done()
		}
	}
}

// TestVanishedClient: its allocation goes at once, and one that is being made meanwhile does not stay.
func TestVanishedClient(t *testing.T) {
	w := newWorld(t, "127.0.0.1", false, "")
	c := w.client(TCP)
	a := c.allocate(new(owner))
	w.check(c.Close())
	<-a.Done()
	if gone := <-w.control.gone; gone != c.at {
		t.Errorf("gone %v, want %v", gone, c.at)
	}
	if _, err := w.Allocate(c.at, new(owner), Ask{}); !errors.Is(err, ErrClosed) {
		t.Errorf("allocated for a client that is gone: %v", err)
	}
	if w.Allocation(c.at) != nil {
		t.Error("an allocation stays behind")
	}
}

// TestSlowClient: what it does not read in time is dropped and counted; it keeps what fits, whole and in order, and others are not held up.
func TestSlowClient(t *testing.T) {
	w := newWorld(t, "127.0.0.1", false, "")
	o, c, peer := new(owner), w.client(TCP), w.peer()
	w.check(c.Conn.(*net.TCPConn).SetReadBuffer(64 << 10))
	a := c.allocate(o)
	w.check(a.Bind(0x4000, addrPort(peer.LocalAddr()), later()))
	sent := 0
	for dropped := false; !dropped; sent++ {
		w.write(peer, a.Relayed(), payload(sent, 1200))
		w.waitFor(o, "packet", func(s tally.Snapshot) bool {
			dropped = s.Drops[tally.SlowClient] == 1
			return dropped || s.PacketsDown == uint64(sent+1)
		})
	}
	for i := range sent - 1 {
		if got, want := c.receive(), channelData(0x4000, payload(i, 1200)); !bytes.Equal(got, want) {
			t.Fatalf("frame %d of %d: got %.20x, want %.20x", i, sent, got, want)
		}
	}
	w.write(peer, a.Relayed(), []byte("then"))
	if got := c.receive(); !bytes.Equal(got, channelData(0x4000, []byte("then"))) {
		t.Errorf("then got %q", got)
	}
}

// still is a path for streams alone, in virtual time.
func still(t *testing.T) (*Path, *control) {
	p, err := New(Config{MinPort: 1, MaxPort: 2, Portable: true}, zap.NewNop(), prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	c := &control{requests: make(chan Client, 100), gone: make(chan Client, 1)}
	p.SetControl(c)
	return p, c
}

// TestDeadlines: ten minutes for the first byte of a frame, ten seconds for its rest, however it dribbles; half a minute in all for strangers.
func TestDeadlines(t *testing.T) {
	for _, tc := range []struct {
		name   string
		every  time.Duration // between bytes of a frame of 20
		frames int           // whole ones before
		held   bool          // it has an allocation
		want   time.Duration
	}{
		{"nothing", 0, 0, true, idleTime},
		{"whole frames, then nothing", 0, 5, true, idleTime},
		{"a byte every second", time.Second, 0, true, frameTime},
		{"whole frames, then a byte every second", time.Second, 3, true, frameTime},
		{"a stranger", 0, 0, false, strangerTime},
		{"a stranger's frames, then nothing", 0, 5, false, strangerTime},
		{"a stranger's byte every second", time.Second, 0, false, frameTime},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p, control := still(t)
				ours, theirs := net.Pipe()
				go p.ServeStream(t.Context(), ours, TCP, netip.AddrPort{}, netip.AddrPort{})
				if tc.held {
					hold(t, p, control, theirs)
				}
				for range tc.frames {
					if _, err := theirs.Write(message(wire.TypeBindingRequest, nil)); err != nil {
						t.Fatal(err)
					}
				}
				start := time.Now()
				if tc.every > 0 {
					for _, b := range message(wire.TypeBindingRequest, nil)[:19] {
						if _, err := theirs.Write([]byte{b}); err != nil {
							break
						}
						time.Sleep(tc.every)
					}
				}
				<-control.gone
				if got := time.Since(start); got < tc.want-slack || got > tc.want+slack+tc.every {
					t.Errorf("ended after %v, want %v", got, tc.want)
				}
				if n := len(control.requests); n != tc.frames {
					t.Errorf("%d requests, want %d", n, tc.frames)
				}
			})
		})
	}
}

// hold gives the client of a stream an allocation without a socket.
func hold(t *testing.T, p *Path, control *control, theirs net.Conn) *Allocation {
	t.Helper()
	if _, err := theirs.Write(message(wire.TypeBindingRequest, nil)); err != nil {
		t.Fatal(err)
	}
	p.relays[0] = &relay{RelayAddr: RelayAddr{Bind: netip.MustParseAddr("127.0.0.1"), Announced: netip.MustParseAddr("127.0.0.1")}, ports: newPorts(1, 2)}
	p.groups = []batch.Group{noSockets{}}
	a, err := p.Allocate(<-control.requests, new(owner), Ask{})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// noSockets opens sockets that are none.
type noSockets struct{ batch.Group }

func (noSockets) Open(netip.AddrPort, any) (batch.Socket, error) { return noSocket{}, nil }

type noSocket struct{ batch.Socket }

func (noSocket) Close() {}

// TestStrangerAgain: frames do not renew a stranger's time, nor does the end of an allocation end the stream at once.
func TestStrangerAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, control := still(t)
		ours, theirs := net.Pipe()
		go p.ServeStream(t.Context(), ours, TCP, netip.AddrPort{}, netip.AddrPort{})
		a := hold(t, p, control, theirs)
		time.Sleep(idleTime / 2)
		a.Close()
		start := time.Now()
		for {
			if _, err := theirs.Write(message(wire.TypeBindingRequest, nil)); err != nil {
				break
			}
			time.Sleep(time.Second)
		}
		<-control.gone
		if got := time.Since(start); got < strangerTime-slack || got > strangerTime+2*slack {
			t.Errorf("ended %v after its allocation, want %v", got, strangerTime)
		}
	})
}

// TestStreamOfOthers: a stream with the addresses of another uses none of its allocation.
func TestStreamOfOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, control := still(t)
		var ends [2]net.Conn
		for i := range ends {
			ours, theirs := net.Pipe()
			ends[i] = theirs
			go p.ServeStream(t.Context(), ours, TCP, netip.AddrPort{}, netip.AddrPort{})
		}
		a := hold(t, p, control, ends[0])
		if _, err := ends[1].Write(channelData(0x4000, []byte("abcd"))); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if s := a.owner.(*owner).counters.Snapshot(); s.Drops[tally.NoChannel] != 0 {
			t.Errorf("a frame of another stream was taken for the allocation's: %+v", s)
		}
		_ = ends[1].Close()
		if <-control.gone; a.closed.Load() {
			t.Error("the other stream's end closed the allocation")
		}
		_ = ends[0].Close()
		if <-control.gone; !a.closed.Load() {
			t.Error("its own stream's end did not close the allocation")
		}
	})
}

// TestSlowReader: a client that takes a piece in the time of one write keeps its connection, however much waits.
func TestSlowReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, control := still(t)
		ours, theirs := net.Pipe()
		go p.ServeStream(t.Context(), ours, TCP, netip.AddrPort{}, netip.AddrPort{})
		a := hold(t, p, control, theirs)
		s := a.client.way.(*stream)
		frame := channelData(0x4000, payload(1, 1196))
		n := 0
		for s.push(frame, a) {
			n += len(frame)
		}
		b := make([]byte, 2<<10)
		for got := 0; got < n; {
			time.Sleep(writeTime / 10)
			m, err := theirs.Read(b)
			if err != nil {
				t.Fatalf("after %d of %d bytes: %v", got, n, err)
			}
			got += m
		}
		_ = theirs.Close()
		<-control.gone
	})
}

// TestCloseForgets: what waits for a stream goes with its allocation, but for the write that has begun; answers stay, and nothing of it comes later.
func TestCloseForgets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, control := still(t)
		ours, theirs := net.Pipe()
		go p.ServeStream(t.Context(), ours, TCP, netip.AddrPort{}, netip.AddrPort{})
		a := hold(t, p, control, theirs)
		s, frame, answer := a.client.way.(*stream), channelData(0x4000, payload(1, 1196)), message(wire.TypeBindingSuccess, nil)
		s.push(frame, a)
		synctest.Wait() // it is being written
		for range 100 {
			s.push(frame, a)
		}
		s.push(answer, nil)
		a.Close()
		if s.push(frame, a) {
			t.Error("a frame of a closed allocation was taken")
		}
		want := append(frame, answer...)
		got := make([]byte, len(want))
		if _, err := io.ReadFull(theirs, got); err != nil || !bytes.Equal(got, want) {
			t.Errorf("got %d bytes, %v: not the frame and the answer", len(got), err)
		}
		synctest.Wait()
		if s.size != 0 || len(s.waiting) != 0 {
			t.Errorf("%d bytes wait in %d pieces", s.size, len(s.waiting))
		}
		_ = theirs.Close()
		<-control.gone
	})
}

// TestClientThatReadsNothing: a write that takes too long ends the stream.
func TestClientThatReadsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, control := still(t)
		ours, theirs := net.Pipe()
		go p.ServeStream(t.Context(), ours, TLS, netip.AddrPort{}, netip.AddrPort{})
		if _, err := theirs.Write(message(wire.TypeBindingRequest, nil)); err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		(<-control.requests).Answer([]byte("answer"))
		<-control.gone
		if got := time.Since(start); got > writeTime {
			t.Errorf("ended after %v, want %v", got, writeTime)
		}
	})
}

func TestStreamEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, control := still(t)
		ours, theirs := net.Pipe()
		ctx, cancel := context.WithCancel(t.Context())
		go p.ServeStream(ctx, ours, TLS, netip.AddrPort{}, netip.AddrPort{})
		cancel()
		<-control.gone
		if _, err := theirs.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
			t.Errorf("the client reads %v", err)
		}
	})
}

// FuzzFrames: however a stream is split, the same frames come out of it, and the same error at the same place.
func FuzzFrames(f *testing.F) {
	good := append(channelData(0x4001, []byte("abcd")), message(wire.TypeBindingRequest, nil)...)
	f.Add(good, []byte{1})
	f.Add(good, []byte{3, 1, 4})
	f.Add(append(good, 0, 1, 0xFF, 0xEC), []byte{7})
	f.Add(append(good, channelData(0x4002, payload(1, 1000))...), []byte{0, 255, 2})
	f.Fuzz(func(t *testing.T, stream, splits []byte) {
		var whole [][]byte
		end, wholeErr := frames(stream, func(frame []byte) error {
			whole = append(whole, bytes.Clone(frame))
			return nil
		})
		if end > len(stream) || wholeErr == nil && len(stream)-end >= wire.MaxFrame {
			t.Fatalf("%d of %d bytes used", end, len(stream))
		}
		var parts [][]byte
		var partErr error
		in := &input{conn: &splitConn{rest: stream, splits: splits}, buf: make([]byte, keptInput)}
		used := 0
		for partErr == nil {
			b, err := in.more()
			if err != nil {
				break
			}
			n, err := frames(b, func(frame []byte) error {
				parts = append(parts, bytes.Clone(frame))
				return nil
			})
			used, partErr = used+n, err
			in.keep(b[n:])
		}
		if used != end || !errors.Is(partErr, wholeErr) || !equal(whole, parts) {
			t.Fatalf("split: %d frames in %d bytes, %v; whole: %d frames in %d bytes, %v", len(parts), used, partErr, len(whole), end, wholeErr)
		}
	})
}

func equal(a, b [][]byte) bool {
	return bytes.Equal(bytes.Join(a, nil), bytes.Join(b, nil)) && len(a) == len(b)
}

// splitConn is a connection whose reads are as long as splits say.
type splitConn struct {
	net.Conn
	rest, splits []byte
	i            int
}

func (c *splitConn) Read(b []byte) (int, error) {
	if len(c.rest) == 0 {
		return 0, io.EOF
	}
	n := len(c.rest)
	if len(c.splits) > 0 {
		n = 1 + int(c.splits[c.i%len(c.splits)])
		c.i++
	}
	n = copy(b, c.rest[:min(n, len(c.rest))])
	c.rest = c.rest[n:]
	return n, nil
}
