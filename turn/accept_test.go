package turn

import (
	"net"
	"os"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/zap/zaptest"
)

// scripted is a listener that answers Accept by a script, then that it is closed.
type scripted struct{ script []any }

func (l *scripted) Accept() (net.Conn, error) {
	if len(l.script) == 0 {
		return nil, &net.OpError{Op: "accept", Err: net.ErrClosed}
	}
	next := l.script[0]
	l.script = l.script[1:]
	if err, ok := next.(error); ok {
		return nil, &net.OpError{Op: "accept", Err: err}
	}
	return next.(net.Conn), nil
}

func (l *scripted) Close() error   { return nil }
func (l *scripted) Addr() net.Addr { return &net.TCPAddr{} }

// TestAcceptGoesOn: no error but the listener's end keeps clients from being served.
func TestAcceptGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		places := newPlaces(1, 1)
		m, err := newMetrics(prometheus.NewRegistry(), places)
		if err != nil {
			t.Fatal(err)
		}
		s := &Server{log: zaptest.NewLogger(t), metrics: m, places: places, stopping: make(chan struct{})}
		emfile := os.NewSyscallError("accept4", syscall.EMFILE)
		ln := &scripted{[]any{emfile, emfile, &net.TCPConn{}, syscall.ECONNABORTED, syscall.ENOBUFS, &net.TCPConn{}}}
		served := make(chan net.Conn, 2)
		start := time.Now()
		s.accept(ln, func(c net.Conn) { served <- c })
		s.streams.Wait()
		if len(served) != 2 || len(ln.script) != 0 {
			t.Errorf("%d connections served, %d steps left", len(served), len(ln.script))
		}
		if took := time.Since(start); took != 4*acceptRest {
			t.Errorf("rested %v for 4 errors, want %v", took, 4*acceptRest)
		}
		if n := testutil.ToFloat64(m.acceptErrors); n != 4 {
			t.Errorf("%v errors counted, want 4", n)
		}
	})
}
