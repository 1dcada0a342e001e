package control

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"signalbox/internal/link"
)

func counterValue(t *testing.T, c prometheus.Metric) float64 {
	t.Helper()
	var m dto.Metric
	must(t, c.Write(&m))
	return m.GetCounter().GetValue() + m.GetGauge().GetValue()
}

func info() link.Info {
	return link.Info{Remote: netip.MustParseAddrPort("192.0.2.7:5000"), Local: netip.MustParseAddrPort("198.51.100.1:443")}
}

// visit has a site serve one connection and returns the client's end.
func (s *site) visit(t *testing.T) net.Conn {
	t.Helper()
	ours, theirs := net.Pipe()
	ended := make(chan struct{})
	go func() { // ends with the connection, waited for below
		defer close(ended)
		s.ServeConn(context.Background(), theirs, info())
	}()
	t.Cleanup(func() {
		_ = ours.Close()
		<-ended
	})
	must(t, ours.SetDeadline(time.Now().Add(patience)))
	return ours
}

// TestStreamsAreHandedOn: bytes go both ways whole, and the TURN process knows the client's address.
func TestStreamsAreHandedOn(t *testing.T) {
	s := startSite(t)
	c := s.visit(t)
	r := bufio.NewReader(c)
	head, err := r.ReadString('\n')
	must(t, err)
	if !strings.HasSuffix(head, " from 192.0.2.7:5000 at 198.51.100.1:443\n") {
		t.Errorf("the TURN process sees %q", head)
	}
	sent := bytes.Repeat([]byte("0123456789abcdef"), 1<<14)
	go func() { _, _ = c.Write(sent) }() // ends with the connection
	got := make([]byte, len(sent))
	if _, err := io.ReadFull(r, got); err != nil || !bytes.Equal(got, sent) {
		t.Errorf("%d bytes came back changed, or not at all: %v", len(got), err)
	}
	pid, _ := s.ask(t)
	must(t, syscall.Kill(pid, syscall.SIGKILL))
	if _, err := r.ReadByte(); !errors.Is(err, io.EOF) {
		t.Errorf("after the end of the TURN process: %v, want the end", err)
	}
	if n := counterValue(t, s.metrics.streams.WithLabelValues(streamCarried)); n != 1 {
		t.Errorf("%v streams were counted", n)
	}
	// The next one waits for the next process.
	again, err := bufio.NewReader(s.visit(t)).ReadString('\n')
	must(t, err)
	if strings.HasPrefix(again, fmt.Sprint(pid, " ")) {
		t.Errorf("process %d answers after its end", pid)
	}
}

func TestStreamsEndWithTheServer(t *testing.T) {
	s := startSite(t)
	_, _ = s.ask(t)
	ours, theirs := net.Pipe()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); s.ServeConn(ctx, theirs, info()) }()
	_, err := bufio.NewReader(ours).ReadString('\n')
	must(t, err)
	cancel()
	<-ended
	if _, err := ours.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("the client's connection: %v, want its end", err)
	}
}

// TestWaitForATURNProcessIsBounded: in time and in number.
func TestWaitForATURNProcessIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t, &pipeWay{})
		began := time.Now()
		var all sync.WaitGroup
		for range maxWaiting + 10 {
			_, theirs := net.Pipe()
			all.Go(func() { c.ServeConn(context.Background(), theirs, info()) })
		}
		all.Wait()
		if took := time.Since(began); took != maxWait {
			t.Errorf("sent away after %v, want %v", took, maxWait)
		}
		for outcome, want := range map[string]float64{streamAway: maxWaiting, streamBusy: 10} {
			if got := counterValue(t, c.metrics.streams.WithLabelValues(outcome)); got != want {
				t.Errorf("%v are %s, want %v", got, outcome, want)
			}
		}
	})
}

// TestIdleStreamHoldsNoBuffer: bytes come in bursts with long silence between, in any pieces, and come out as they are.
func TestIdleStreamHoldsNoBuffer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in, from := net.Pipe()
		to, out := net.Pipe()
		ended := make(chan struct{})
		go func() { defer close(ended); copyAll(to, from); _ = to.Close() }()
		var want, got bytes.Buffer
		read := make(chan struct{})
		go func() { defer close(read); _, _ = io.Copy(&got, out) }()
		for i, pause := range []time.Duration{0, lull / 2, lull, 2 * lull, 3 * lull, time.Hour, 0, lull + lull/2, writePatient + 3*lull} {
			time.Sleep(pause)
			piece := bytes.Repeat([]byte{byte(i)}, 1<<i)
			want.Write(piece)
			if _, err := in.Write(piece); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(3 * lull)
		synctest.Wait()
		_ = in.Close()
		<-ended
		<-read
		if !bytes.Equal(got.Bytes(), want.Bytes()) {
			t.Errorf("%d bytes of %d came out, or changed", got.Len(), want.Len())
		}
	})
}

// TestFrameAfterALullStaysWhole: what comes in one piece goes on in one, so that it is one TLS record.
func TestFrameAfterALullStaysWhole(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in, from := net.Pipe()
		to, out := net.Pipe()
		ended := make(chan struct{})
		go func() { defer close(ended); copyAll(to, from) }()
		buf := make([]byte, burstBytes)
		for _, size := range []int{1, firstBytes - 1, firstBytes, firstBytes + 1, 1200} {
			if _, err := in.Write(make([]byte, size)); err != nil {
				t.Fatal(err)
			}
			if n, err := out.Read(buf); n != size || err != nil {
				t.Errorf("a piece of %d bytes goes on as one of %d, %v", size, n, err)
			}
			time.Sleep(3 * lull)
		}
		_ = in.Close()
		<-ended
	})
}

// TestIdleStreamsAreSmall: after a burst each stream gives its buffers back; what is left are two goroutines.
func TestIdleStreamsAreSmall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const streams, most = 400, 24 << 10 // less than the two buffers that a busy stream has
		ctx, cancel := context.WithCancel(context.Background())
		var all sync.WaitGroup
		var ends []net.Conn
		before := memory()
		for range streams {
			client, a := net.Pipe()
			b, turn := net.Pipe()
			ends = append(ends, client, turn)
			all.Go(func() { join(ctx, a, b) })
		}
		for i, c := range ends {
			if _, err := c.Write([]byte("x")); err != nil {
				t.Fatal(err)
			}
			if _, err := ends[i^1].Read(make([]byte, 1)); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(3 * lull)
		synctest.Wait()
		if each := (memory() - before) / streams; each > most {
			t.Errorf("%d bytes of memory for an idle stream, want at most %d", each, most)
		} else {
			t.Logf("%d bytes for an idle stream", each)
		}
		cancel()
		all.Wait()
	})
}

// memory returns what is in use when all that is not is gone.
func memory() int64 {
	runtime.GC()
	runtime.GC() // what a pool has kept is gone with the second one
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc + m.StackInuse)
}

// TestClientThatDoesNotReadIsCut: what the TURN process sends to it waits for a bounded time.
func TestClientThatDoesNotReadIsCut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in, from := net.Pipe()
		to, client := net.Pipe()
		defer client.Close()
		ended := make(chan struct{})
		go func() { defer close(ended); copyAll(to, from); _ = from.Close() }()
		began := time.Now()
		go func() {
			for _, err := in.Write([]byte("x")); err == nil; _, err = in.Write([]byte("x")) {
			}
		}()
		<-ended
		if took := time.Since(began); took > writePatient+lull {
			t.Errorf("cut after %v", took)
		}
	})
}

func TestStreamHeaders(t *testing.T) {
	pair := func(local, remote string) (l, r netip.AddrPort) {
		return netip.MustParseAddrPort(local), netip.MustParseAddrPort(remote)
	}
	for _, tt := range []struct{ local, remote string }{
		{"198.51.100.1:443", "192.0.2.7:5000"}, {"[2001:db8::1]:443", "[2001:db8::7]:5000"}, {"198.51.100.1:443", "[2001:db8::7]:5000"}, {"[2001:db8::1]:443", "192.0.2.7:5000"},
	} {
		t.Run(tt.remote, func(t *testing.T) {
			local, remote := pair(tt.local, tt.remote)
			a, b := net.Pipe()
			defer a.Close()
			defer b.Close()
			go func() {
				_ = writeHeader(a, local, remote)
				_, _ = a.Write([]byte("x"))
			}()
			gotLocal, gotRemote, err := readHeader(b)
			if err != nil || gotLocal != local || gotRemote != remote {
				t.Errorf("readHeader() = %v, %v, %v", gotLocal, gotRemote, err)
			}
			next := make([]byte, 2)
			if n, err := b.Read(next); err != nil || string(next[:n]) != "x" {
				t.Errorf("behind the header stands %q, %v", next[:n], err)
			}
		})
	}
}

// FuzzStreamHeader: whatever comes first on a stream is a header with two addresses, or refused.
func FuzzStreamHeader(f *testing.F) {
	var good bytes.Buffer
	a, b := net.Pipe()
	go func() {
		_ = writeHeader(a, netip.MustParseAddrPort("198.51.100.1:443"), netip.MustParseAddrPort("192.0.2.7:5000"))
		_ = a.Close()
	}()
	_, _ = io.Copy(&good, b)
	f.Add(good.Bytes())
	f.Add([]byte("PROXY TCP4 192.0.2.7 198.51.100.1 5000 443\r\n"))
	f.Add(append(good.Bytes()[:14:14], 0xff, 0xff))
	f.Fuzz(func(t *testing.T, text []byte) {
		local, remote, err := parseHeader(bytes.NewReader(text))
		if err == nil && (!local.IsValid() || !remote.IsValid() || remote.Addr().Is4In6()) {
			t.Errorf("parseHeader() = %v, %v", local, remote)
		}
	})
}
