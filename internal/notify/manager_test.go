package notify

import (
	"context"
	"errors"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap/zaptest"
)

// fakeProgram lives as long as hung is not closed.
type fakeProgram struct {
	ready chan struct{}
	hung  chan struct{}
}

func newFakeProgram() *fakeProgram {
	return &fakeProgram{ready: make(chan struct{}), hung: make(chan struct{})}
}

func (p *fakeProgram) Ready() <-chan struct{} { return p.ready }

func (p *fakeProgram) Status(context.Context) string { return "two\nlines" }

func (p *fakeProgram) Alive(ctx context.Context) error {
	select {
	case <-p.hung:
		<-ctx.Done() // asks in vain for as long as it may
		return errors.New("nobody answers")
	default:
		return nil
	}
}

// told is a service manager that notes what it is told.
type told struct {
	*Manager

	mu     sync.Mutex
	states []string
}

func newTold(t *testing.T, interval time.Duration) *told {
	m := &told{Manager: &Manager{log: zaptest.NewLogger(t), interval: interval}}
	m.send = func(s string) error {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.states = append(m.states, s)
		return nil
	}
	return m
}

// count returns how many of the messages have a line.
func (m *told) count(line string) (n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, s := range m.states {
		if slices.Contains(strings.Split(s, "\n"), line) {
			n++
		}
	}
	return n
}

func (m *told) want(t *testing.T, line string, n int) {
	t.Helper()
	if got := m.count(line); got != n {
		t.Errorf("%q was told %d times, want %d, in %q", line, got, n, m.states)
	}
}

// run starts the life of a program; the end is reached in order by stop and end.
func (m *told) run(t *testing.T, p Program) (stop, end func()) {
	stopping, stop := context.WithCancel(t.Context())
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { // ends with ctx
		defer close(ended)
		m.Run(ctx, stopping, p)
	}()
	return stop, func() { cancel(); <-ended }
}

func TestLife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, p := newTold(t, 10*time.Second), newFakeProgram()
		stop, end := m.run(t, p)
		time.Sleep(25 * time.Second)
		m.want(t, "READY=1", 0)
		m.want(t, "STATUS=two lines", 3)
		m.want(t, "EXTEND_TIMEOUT_USEC=30000000", 3) // it starts
		m.Reload(func() {})
		m.want(t, "RELOADING=1", 0) // which would say, at its end, that it is ready
		close(p.ready)
		time.Sleep(50 * time.Second)
		m.want(t, "READY=1", 1)
		m.want(t, "EXTEND_TIMEOUT_USEC=30000000", 3)
		m.want(t, "WATCHDOG=1", 9)
		m.Reload(func() { m.want(t, "RELOADING=1", 1) })
		m.want(t, "READY=1", 2)
		stop()
		time.Sleep(time.Second)
		m.want(t, "STOPPING=1", 1)
		m.want(t, "EXTEND_TIMEOUT_USEC=30000000", 4) // it stops
		m.Reload(func() {})
		end()
		m.want(t, "RELOADING=1", 1)
		m.want(t, "READY=1", 2)
	})
}

// TestHungProgram: who does not show that it lives gets no sign of life, and what it is told of status goes on.
func TestHungProgram(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, p := newTold(t, 10*time.Second), newFakeProgram()
		close(p.ready)
		_, end := m.run(t, p)
		time.Sleep(25 * time.Second)
		signs, lines := m.count("WATCHDOG=1"), m.count("STATUS=two lines")
		if signs == 0 {
			t.Error("no sign of life of a program that lives")
		}
		close(p.hung)
		time.Sleep(time.Minute)
		m.want(t, "WATCHDOG=1", signs)
		if m.count("STATUS=two lines") == lines {
			t.Error("no status of a program that hangs")
		}
		end()
	})
}

// TestStoppedBeforeReady: a program that becomes ready while it stops is not said to be ready.
func TestStoppedBeforeReady(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, p := newTold(t, 10*time.Second), newFakeProgram()
		stop, end := m.run(t, p)
		stop()
		synctest.Wait()
		close(p.ready)
		time.Sleep(25 * time.Second)
		end()
		m.want(t, "STOPPING=1", 1)
		m.want(t, "READY=1", 0)
	})
}

// TestEnvironment: the socket and the interval are those of the service manager; without one nothing is told and nothing waited for.
func TestEnvironment(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", "")
	m := FromEnvironment(zaptest.NewLogger(t))
	m.Run(t.Context(), t.Context(), newFakeProgram()) // returns
	m.Reload(func() {})

	path := filepath.Join(t.TempDir(), "notify")
	socket, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	t.Setenv("NOTIFY_SOCKET", path)
	t.Setenv("WATCHDOG_USEC", "6000000")
	m = FromEnvironment(zaptest.NewLogger(t))
	if m.interval != 2*time.Second {
		t.Errorf("interval = %v, want a third of 6s", m.interval)
	}
	buf := make([]byte, 100)
	if n, err := socket.Read(buf); err != nil || string(buf[:n]) != "STATUS=starting" {
		t.Errorf("the first message is %q, %v", buf[:n], err)
	}
}

// TestEndsAtOnce: a program that ends as soon as it is told to is said to stop all the same, whichever is seen first.
func TestEndsAtOnce(t *testing.T) {
	for range 50 {
		synctest.Test(t, func(t *testing.T) {
			m, p := newTold(t, 10*time.Second), newFakeProgram()
			stop, end := m.run(t, p)
			synctest.Wait()
			stop()
			end()
			m.want(t, "STOPPING=1", 1)
		})
	}
}
