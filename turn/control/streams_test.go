package control

import (
	"context"
	"net"
	"os"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// scripted is a listener that answers Accept by a script of errors and nils, which are connections; then it waits to be closed.
type scripted struct {
	script []error
	closed chan struct{}
	close  func()
}

func newScripted(script ...error) *scripted {
	l := &scripted{script: script, closed: make(chan struct{})}
	l.close = sync.OnceFunc(func() { close(l.closed) })
	return l
}

func (l *scripted) Accept() (net.Conn, error) {
	if len(l.script) == 0 {
		<-l.closed
		return nil, &net.OpError{Op: "accept", Err: net.ErrClosed}
	}
	err := l.script[0]
	l.script = l.script[1:]
	if err != nil {
		return nil, &net.OpError{Op: "accept", Err: err}
	}
	c, other := net.Pipe()
	_ = other.Close() // a client that is gone at once
	return c, nil
}

func (l *scripted) Close() error {
	l.close()
	return nil
}

func (l *scripted) Addr() net.Addr { return &net.UnixAddr{} }

// TestAcceptGoesOn: no error but the listener's end keeps streams and servers from being served, and there is a pause behind each.
func TestAcceptGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		emfile := os.NewSyscallError("accept4", syscall.EMFILE)
		l := newScripted(emfile, emfile, emfile, nil, syscall.ECONNABORTED, syscall.ENOBUFS, nil)
		ctx, cancel := context.WithCancel(t.Context())
		served := make(chan time.Duration, 2)
		began := time.Now()
		ended := make(chan error, 1)
		go func() {
			ended <- acceptAll(ctx, l, func(_ context.Context, c net.Conn) {
				served <- time.Since(began)
				_ = c.Close()
			})
		}()
		for i, most := range []time.Duration{(5 + 10 + 20) * time.Millisecond, (5 + 10 + 20 + 5 + 10) * time.Millisecond} { // they double, begin anew behind a success, and lose up to half
			if came := <-served; came > most || came < most/2 {
				t.Errorf("connection %d is served after %v of pauses, want %v to %v", i+1, came, most/2, most)
			}
		}
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("acceptAll() = %v behind its context's end", err)
		}
	})
}
