package browser

import (
	"io"
	"net"
	"sync"
	"testing"
	"time"
)

// front is what stands before the server: it can be cut, with all that goes through it, and heals at once.
type front struct {
	listener net.Listener
	ended    sync.WaitGroup

	mu     sync.Mutex
	server string
	conns  map[net.Conn]struct{}
	left   int64 // bytes until everything is cut; 0: never
	closed bool  // nothing is let through
}

func newFront(t *testing.T) *front {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := &front{listener: l, conns: map[net.Conn]struct{}{}}
	f.ended.Go(f.accept)
	t.Cleanup(func() {
		_ = l.Close()
		f.cut()
		f.ended.Wait()
	})
	return f
}

func (f *front) port() string {
	_, port, _ := net.SplitHostPort(f.listener.Addr().String())
	return port
}

func (f *front) toward(server string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.server = server
}

func (f *front) accept() {
	for {
		c, err := f.listener.Accept()
		if err != nil {
			return
		}
		f.ended.Go(func() { f.join(c) })
	}
}

func (f *front) join(a net.Conn) {
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
	f.mu.Lock()
	f.conns[a], f.conns[b] = struct{}{}, struct{}{}
	f.mu.Unlock()
	defer func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		delete(f.conns, a)
		delete(f.conns, b)
	}()
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

// counted is a connection of which is counted what is written.
type counted struct {
	net.Conn
	front *front
}

// Write implements io.Writer.
func (c counted) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	c.front.passed(int64(n))
	return n, err
}

func (f *front) passed(n int64) {
	f.mu.Lock()
	due := f.left > 0 && f.left <= n
	f.left = max(0, f.left-n)
	f.mu.Unlock()
	if due {
		f.cut()
	}
}

// cutAfter cuts everything once, when so many bytes have passed.
func (f *front) cutAfter(n int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.left = n
}

// fail lets nothing through for a while.
func (f *front) fail(t *testing.T, how time.Duration) {
	t.Helper()
	f.set(true)
	f.cut()
	select {
	case <-time.After(how):
		f.set(false)
	case <-t.Context().Done():
	}
}

func (f *front) set(closed bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = closed
}

// cut breaks all connections.
func (f *front) cut() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for c := range f.conns {
		_ = c.Close()
	}
}
