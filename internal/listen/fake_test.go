package listen

import (
	"net"
	"sync"
	"testing"
)

// fakeListener is a socket whose accepts the test decides.
type fakeListener struct {
	results chan any // net.Conn or error
	closed  chan struct{}
	once    sync.Once
}

func newFakeListener() *fakeListener {
	return &fakeListener{results: make(chan any), closed: make(chan struct{})}
}

func (l *fakeListener) Accept() (net.Conn, error) {
	select {
	case r := <-l.results:
		if err, ok := r.(error); ok {
			return nil, &net.OpError{Op: "accept", Net: "tcp", Err: err}
		}
		return r.(net.Conn), nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *fakeListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

func (l *fakeListener) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 443} }

// pipes runs the server on a fake listener, so that it can run on virtual time.
func (w *world) pipes(listener string) *fakeListener {
	ln := newFakeListener()
	w.server.ports = append(w.server.ports, newPort(w.server, listener, ln))
	w.run()
	return ln
}

// fakeConn is a pipe with an address.
type fakeConn struct{ net.Conn }

func (fakeConn) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.IPv4(192, 0, 2, 9), Port: 1} }

// dialPipe makes a connection through the listener.
func dialPipe(t testing.TB, ln *fakeListener) net.Conn {
	t.Helper()
	client, server := net.Pipe()
	t.Cleanup(func() { client.Close() })
	ln.results <- fakeConn{server}
	return client
}
