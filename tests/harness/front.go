package harness

import (
	"io"
	"net"
	"sync"
	"testing"
	"time"
)

// Front is what stands before a server: it can be cut, with all that goes through it. Its methods may be called concurrently.
type Front struct {
	listener net.Listener
	ended    sync.WaitGroup

	mu     sync.Mutex
	server string
	conns  map[net.Conn]struct{}
	left   int64     // bytes until everything is cut; 0: never
	closed bool      // nothing is let through
	began  time.Time // of the newest connection that was
}

// NewFront opens a front on loopback, until the test ends. It leads nowhere before Toward.
func NewFront(t *testing.T) *Front {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := &Front{listener: l, conns: map[net.Conn]struct{}{}}
	f.ended.Go(f.accept)
	t.Cleanup(func() {
		_ = l.Close()
		f.Close() // also who has not entered yet
		f.ended.Wait()
	})
	return f
}

// Port is where it listens on 127.0.0.1.
func (f *Front) Port() string {
	_, port, _ := net.SplitHostPort(f.listener.Addr().String())
	return port
}

// Toward has new connections reach a server, host:port.
func (f *Front) Toward(server string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.server = server
}

func (f *Front) accept() {
	for {
		c, err := f.listener.Accept()
		if err != nil {
			return
		}
		f.ended.Go(func() { f.join(c) })
	}
}

func (f *Front) join(a net.Conn) {
	defer a.Close()
	f.mu.Lock()
	server, closed := f.server, f.closed
	f.mu.Unlock()
	if closed {
		return
	}
	b, err := net.Dial("tcp", server)
	if err != nil {
		return
	}
	defer b.Close()
	if !f.enter(a, b) {
		return
	}
	defer f.leave(a, b)
	var both sync.WaitGroup
	for _, way := range [][2]net.Conn{{a, b}, {b, a}} {
		both.Go(func() {
			_, _ = io.Copy(counted{way[0], f}, way[1]) // an end is an end
			_ = a.Close()
			_ = b.Close()
		})
	}
	both.Wait()
}

// enter has a connection and its other half be cut with all others; false: that has happened meanwhile.
func (f *Front) enter(a, b net.Conn) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return false
	}
	f.conns[a], f.conns[b], f.began = struct{}{}, struct{}{}, time.Now()
	return true
}

func (f *Front) leave(a, b net.Conn) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.conns, a)
	delete(f.conns, b)
}

// counted is a connection of which is counted what is written.
type counted struct {
	net.Conn
	front *Front
}

// Write implements io.Writer.
func (c counted) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	c.front.passed(int64(n))
	return n, err
}

func (f *Front) passed(n int64) {
	f.mu.Lock()
	due := f.left > 0 && f.left <= n
	f.left = max(0, f.left-n)
	f.mu.Unlock()
	if due {
		f.Cut()
	}
}

// CutAfter cuts everything once, when so many bytes have passed.
func (f *Front) CutAfter(n int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.left = n
}

// Fail lets nothing through for a while.
func (f *Front) Fail(t *testing.T, how time.Duration) {
	t.Helper()
	f.Close()
	select {
	case <-time.After(how):
		f.Open()
	case <-t.Context().Done():
	}
}

// Close cuts everything, and lets nothing through until Open.
func (f *Front) Close() {
	f.set(true)
	f.Cut()
}

// Open ends Close.
func (f *Front) Open() { f.set(false) }

func (f *Front) set(closed bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = closed
}

// Began is when the newest connection was let through to the server.
func (f *Front) Began() time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.began
}

// Cut breaks all connections.
func (f *Front) Cut() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for c := range f.conns {
		_ = c.Close()
	}
}
