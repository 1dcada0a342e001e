package tests

import (
	"net"
	"sync"
	"sync/atomic"
	"testing"
)

// relay passes bytes between endpoints and the server. It can keep back what endpoints say, and cut their connections.
type relay struct {
	target string
	in     net.Listener
	ended  sync.WaitGroup
	from   atomic.Pointer[net.TCPAddr] // where the server sees endpoints; nil: anywhere on loopback

	mu     sync.Mutex
	change *sync.Cond
	held   bool
	closed bool
	conns  map[net.Conn]bool // both sides of each connection
}

// startRelay passes connections to target until the test ends.
func startRelay(t *testing.T, target string) *relay {
	t.Helper()
	in, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &relay{target: target, in: in, conns: map[net.Conn]bool{}}
	r.change = sync.NewCond(&r.mu)
	r.ended.Go(r.accept)
	t.Cleanup(func() {
		_ = in.Close()
		r.mu.Lock()
		r.closed = true
		r.mu.Unlock()
		r.cut()
		r.ended.Wait()
	})
	return r
}

func (r *relay) addr() string { return r.in.Addr().String() }

func (r *relay) accept() {
	for {
		near, err := r.in.Accept()
		if err != nil {
			return
		}
		var d net.Dialer
		if from := r.from.Load(); from != nil {
			d.LocalAddr = from
		}
		far, err := d.Dial("tcp", r.target)
		if err != nil || !r.keep(near, far) {
			_ = near.Close()
			continue
		}
		r.ended.Go(func() { r.pass(near, far, r.wait) })
		r.ended.Go(func() { r.pass(far, near, func() {}) })
	}
}

func (r *relay) keep(near, far net.Conn) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		_ = far.Close()
		return false
	}
	r.conns[near], r.conns[far] = true, true
	return true
}

// pass copies until one of the sides is closed, and waits before each write.
func (r *relay) pass(from, to net.Conn, wait func()) {
	defer r.drop(from, to)
	buf := make([]byte, 16<<10)
	for {
		n, err := from.Read(buf)
		if err != nil {
			return
		}
		wait()
		if _, err := to.Write(buf[:n]); err != nil {
			return
		}
	}
}

func (r *relay) drop(conns ...net.Conn) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range conns {
		delete(r.conns, c)
		_ = c.Close()
	}
}

func (r *relay) wait() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for r.held {
		r.change.Wait()
	}
}

// hold keeps back what endpoints say from now on, until the next cut.
func (r *relay) hold() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.held = true
}

// cut closes every connection; what was kept back is lost.
func (r *relay) cut() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for c := range r.conns {
		_ = c.Close()
	}
	r.held = false
	r.change.Broadcast()
}
