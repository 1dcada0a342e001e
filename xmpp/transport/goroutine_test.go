package transport

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"signalbox/internal/link"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var limits = Limits{QueueBytes: 1 << 10, ReadBytes: 8 << 10, WriteTimeout: 5 * time.Second, Linger: time.Second}

// lines is a handler that takes whole lines, does what they say, and remembers them.
type lines struct {
	conn    Conn
	got     []string
	secured int
	closed  chan error
}

func (l *lines) Data(p []byte) (n int, next Next) {
	for {
		line, _, ok := bytes.Cut(p[n:], []byte("\n"))
		if !ok {
			return n, Read
		}
		n += len(line) + 1
		l.got = append(l.got, string(line))
		switch string(line) {
		case "settle":
			return n, Settle
		case "secure":
			l.conn.Control([]byte("proceed\n"))
			return n, Secure
		case "finish":
			l.conn.Finish([]byte("bye\n"))
			return n, Stop
		case "abort":
			l.conn.Abort()
			return n, Stop
		}
	}
}

func (l *lines) Secured(link.TLS) { l.secured++ }
func (l *lines) Closed(err error) { l.closed <- err }

// serve runs a driver over a pipe and returns the client's end.
func serve(t *testing.T, upgrade link.StartTLS) (net.Conn, *lines) {
	t.Helper()
	server, client := net.Pipe()
	g := NewGoroutine(limits, upgrade)
	l := &lines{closed: make(chan error, 1)}
	go g.Serve(t.Context(), server, func(c Conn) Handler {
		l.conn = c
		return l
	})
	t.Cleanup(func() {
		_ = client.Close()
		g.Wait()
	})
	return client, l
}

func TestDriverFeedsLeftoversAfterSettle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, l := serve(t, nil)
		if _, err := io.WriteString(client, "one\nsettle\ntwo\nthr"); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(client, "ee\n"); err != nil {
			t.Fatal(err)
		}
		_ = client.Close()
		if err := <-l.closed; !errors.Is(err, io.EOF) {
			t.Errorf("closed with %v, want EOF", err)
		}
		if got := strings.Join(l.got, " "); got != "one settle two three" {
			t.Errorf("got %q", got)
		}
	})
}

func TestDriverFinishWritesAllThenLingers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, l := serve(t, nil)
		go io.WriteString(client, "settle\nfinish\n")
		b := make([]byte, 64)
		n, err := client.Read(b)
		if err != nil || string(b[:n]) != "bye\n" {
			t.Fatalf("read %q, %v", b[:n], err)
		}
		start := time.Now()
		if err := <-l.closed; err != nil { // the client stays, so the linger time ends it
			t.Errorf("closed with %v, want nil", err)
		}
		if waited := time.Since(start); waited > limits.Linger+time.Millisecond {
			t.Errorf("lingered %v, want %v", waited, limits.Linger)
		}
		if err := l.conn.Send([]byte("late"), nil, nil); !errors.Is(err, ErrClosed) {
			t.Errorf("Send after Finish = %v, want ErrClosed", err)
		}
	})
}

func TestDriverEndsSlowReaders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, l := serve(t, nil)
		if _, err := io.WriteString(client, "settle\n"); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		start := time.Now()
		if err := l.conn.Send(make([]byte, 600), nil, func(time.Time) { t.Error("written, though nobody reads") }); err != nil {
			t.Fatal(err)
		}
		if err := l.conn.Send(make([]byte, 600), nil, nil); !errors.Is(err, ErrFull) {
			t.Errorf("Send beyond the bound = %v, want ErrFull", err)
		}
		if err := <-l.closed; !errors.Is(err, ErrSlow) {
			t.Errorf("closed with %v, want ErrSlow", err)
		}
		if waited := time.Since(start); waited != limits.WriteTimeout {
			t.Errorf("closed after %v, want %v", waited, limits.WriteTimeout)
		}
	})
}

func TestDriverEndsThoseWhoAskAndNeverRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, l := serve(t, nil)
		if _, err := io.WriteString(client, "settle\n"); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		start := time.Now()
		for range 5 {
			l.conn.Control(make([]byte, 700))
		}
		if err := <-l.closed; !errors.Is(err, ErrSlow) || time.Since(start) > time.Second {
			t.Errorf("closed with %v after %v, want ErrSlow at once", err, time.Since(start))
		}
	})
}

func TestDriverJoinsSmallWrites(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, l := serve(t, nil)
		if _, err := io.WriteString(client, "settle\n"); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		var written []string
		note := func(s string) func(time.Time) { return func(time.Time) { written = append(written, s) } }
		l.conn.Control([]byte("first ")) // the writer blocks on it, the others queue up meanwhile
		synctest.Wait()
		for _, s := range []string{"a", "b", "c"} {
			if err := l.conn.Send([]byte(s), []byte("+"), note(s)); err != nil {
				t.Fatal(err)
			}
		}
		b := make([]byte, 64)
		if n, _ := client.Read(b); string(b[:n]) != "first " {
			t.Errorf("read %q", b[:n])
		}
		if n, _ := client.Read(b); string(b[:n]) != "a+b+c+" {
			t.Errorf("read %q, want one write of a+b+c+", b[:n])
		}
		synctest.Wait()
		if got := strings.Join(written, ""); got != "abc" {
			t.Errorf("written %q, want abc in order", got)
		}
	})
}

func TestDriverUpgrades(t *testing.T) {
	for _, tc := range []struct {
		name, send string
		upgrade    link.StartTLS
		want       error
	}{
		{"not offered", "secure\n", nil, ErrTLS},
		{"handshake fails", "secure\n", func(context.Context, net.Conn) (net.Conn, link.TLS, error) { return nil, link.TLS{}, errors.New("no") }, ErrTLS},
		{"plain text behind the request", "secure\nevil\n", func(_ context.Context, c net.Conn) (net.Conn, link.TLS, error) { return c, link.TLS{}, nil }, ErrTLS},
		{"white space behind the request", "secure\n\n \t\r\n", func(_ context.Context, c net.Conn) (net.Conn, link.TLS, error) { return c, link.TLS{Version: 1}, nil }, nil},
		{"works", "secure\n", func(_ context.Context, c net.Conn) (net.Conn, link.TLS, error) { return c, link.TLS{Version: 1}, nil }, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client, l := serve(t, tc.upgrade)
				if _, err := io.WriteString(client, tc.send); err != nil {
					t.Fatal(err)
				}
				b := make([]byte, 64)
				if n, _ := client.Read(b); string(b[:n]) != "proceed\n" {
					t.Fatalf("read %q", b[:n])
				}
				if tc.want == nil {
					if _, err := io.WriteString(client, "abort\n"); err != nil {
						t.Fatal(err)
					}
				}
				if err := <-l.closed; !errors.Is(err, tc.want) {
					t.Errorf("closed with %v, want %v", err, tc.want)
				}
				if (l.secured == 1) != (tc.want == nil) {
					t.Errorf("Secured was called %d times", l.secured)
				}
			})
		})
	}
}

func TestDriverBoundsWhatIsHeld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, l := serve(t, nil)
		go io.WriteString(client, strings.Repeat("x", 2*limits.ReadBytes))
		if err := <-l.closed; err == nil || errors.Is(err, io.EOF) {
			t.Errorf("closed with %v, want an error about bytes held", err)
		}
	})
}

func TestInputGivesBuffersBack(t *testing.T) {
	pool := new(buffers)
	in := input{pool: pool}
	fill := func(n int) {
		for n > 0 {
			space := in.space(1 << 20)
			k := min(n, len(space))
			in.n += k
			n -= k
		}
	}
	fill(smallBytes)
	if in.big != nil {
		t.Error("a big buffer for what fits into the small one")
	}
	fill(100_000)
	if in.big == nil || len(*in.big) < 100_000+smallBytes {
		t.Error("no big buffer for 100 kB")
	}
	copy(in.held()[in.n-3:], "abc")
	in.consume(in.n - 3)
	if in.big != nil || string(in.held()) != "abc" {
		t.Errorf("after consuming: big %v, held %q", in.big != nil, in.held())
	}
	if len(in.space(3)) != 0 {
		t.Error("space beyond the limit")
	}
}

func TestWheel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := new(Wheel)
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { w.Run(ctx); close(done) }()
		start := time.Now()
		fired := map[string][]time.Duration{}
		timer := func(name string, again time.Duration) *Timer {
			return &Timer{Do: func(time.Time) time.Duration {
				fired[name] = append(fired[name], time.Since(start))
				return again
			}}
		}
		once, repeated, long, stopped, moved := timer("once", 0), timer("repeated", 2*time.Second), timer("long", 0), timer("stopped", 0), timer("moved", 0)
		w.Set(once, 1500*time.Millisecond)
		w.Set(repeated, time.Second)
		w.Set(long, (wheelSlots+88)*time.Second)
		w.Set(stopped, time.Second)
		w.Stop(stopped)
		w.Set(stopped, time.Second)
		w.Set(moved, time.Second)
		w.Set(moved, 4*time.Second)
		time.Sleep(6 * time.Second)
		w.Stop(repeated)
		time.Sleep(700 * time.Second)
		stop()
		<-done
		for name, want := range map[string][]time.Duration{
			"once": {2 * time.Second}, "repeated": {time.Second, 3 * time.Second, 5 * time.Second}, "long": {600 * time.Second}, "stopped": nil, "moved": {4 * time.Second},
		} {
			if got := fired[name]; !equal(got, want) {
				t.Errorf("%s fired at %v, want %v", name, got, want)
			}
		}
	})
}

// TestWheelCrowd: what is due at the same tick is called a few at a time within the tick, and can be stopped and moved until then; later ticks come as always.
func TestWheelCrowd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const crowd = 20000
		w := new(Wheel)
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { w.Run(ctx); close(done) }()
		start := time.Now()
		var mu sync.Mutex
		at, called := map[time.Duration]int{}, make([]int, crowd) // guarded by mu
		timers := make([]Timer, crowd)
		for i := range timers {
			timers[i].Do = func(time.Time) time.Duration {
				mu.Lock()
				defer mu.Unlock()
				called[i]++
				at[time.Since(start)]++
				return 0
			}
			w.Set(&timers[i], time.Second)
		}
		var later time.Duration
		w.Set(&Timer{Do: func(time.Time) time.Duration { later = time.Since(start); return 0 }}, 3*time.Second)
		time.Sleep(time.Second + wheelSpread/2)
		synctest.Wait() // what is called at this moment has been called, and can be stopped no more
		mu.Lock()
		stopped, moved := -1, -1
		for i, n := range called {
			switch {
			case n > 0:
			case stopped < 0:
				stopped = i
				w.Stop(&timers[i])
			case moved < 0:
				moved = i
				w.Set(&timers[i], 5*time.Second)
			}
		}
		mu.Unlock()
		time.Sleep(9 * time.Second)
		stop()
		<-done
		if stopped < 0 || moved < 0 {
			t.Fatal("all were called in the first half of the tick")
		}
		for i, n := range called {
			if want := min(1, max(i, stopped)-min(i, stopped)); n != want {
				t.Errorf("timer %d was called %d times, want %d", i, n, want)
			}
		}
		for d, n := range at {
			if n > 2*wheelTogether || d >= 2*time.Second && n != 1 { // two groups where the clock of the test is coarser than the pause
				t.Errorf("%d calls after %v", n, d)
			}
		}
		if later != 3*time.Second {
			t.Errorf("a timer of three seconds is called after %v", later)
		}
	})
}

func equal(a, b []time.Duration) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

// TestDriverSlowButSteadyReaderIsNotSlow: the write timeout is for one record, not for all that waits.
func TestDriverSlowButSteadyReaderIsNotSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, l := serve(t, nil)
		if _, err := io.WriteString(client, "settle\n"); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		total := 6 * recordBytes
		if err := l.conn.Send(make([]byte, total), nil, nil); err != nil {
			t.Fatal(err)
		}
		b := make([]byte, recordBytes)
		for read := 0; read < total; {
			time.Sleep(limits.WriteTimeout / 2)
			n, err := client.Read(b)
			if err != nil {
				t.Fatalf("after %d of %d bytes: %v", read, total, err)
			}
			read += n
		}
	})
}

// TestDriverEndsDuringTheHandshake: nothing is written in plain text any more, and nothing is left open.
func TestDriverEndsDuringTheHandshake(t *testing.T) {
	for name, end := range map[string]func(Conn){
		"finish": func(c Conn) { c.Control([]byte("plain")); c.Finish([]byte("bye\n")) },
		"abort":  func(c Conn) { c.Abort() },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				begun, go1 := make(chan struct{}), make(chan struct{})
				client, l := serve(t, func(_ context.Context, c net.Conn) (net.Conn, link.TLS, error) {
					close(begun)
					<-go1
					return c, link.TLS{Version: 1}, nil // the handshake succeeds all the same
				})
				if _, err := io.WriteString(client, "secure\n"); err != nil {
					t.Fatal(err)
				}
				b := make([]byte, 64)
				if n, _ := client.Read(b); string(b[:n]) != "proceed\n" {
					t.Fatalf("read %q", b[:n])
				}
				<-begun
				end(l.conn)
				close(go1)
				if n, err := client.Read(b); err == nil {
					t.Errorf("the client got %q in the middle of the handshake", b[:n])
				}
				<-l.closed
				if l.secured != 0 {
					t.Error("secured after the end")
				}
			})
		})
	}
}
