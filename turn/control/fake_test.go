package control

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/netip"
	"os"
	"os/signal"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest"
)

// The programs that this test binary is when it is started with one of these arguments.
const (
	fakeProgram  = "fake-turn"   // a TURN process
	serveProgram = "fake-serve"  // a server with a TURN process
	hangProgram  = "fake-hang"   // a TURN process that does not take its settings
	denyProgram  = "fake-refuse" // a TURN process that ends at once
)

func TestMain(m *testing.M) {
	if len(os.Args) > 1 {
		programs := map[string]func() error{fakeProgram: runFakeTURN, serveProgram: runFakeServe, hangProgram: hang, denyProgram: func() error { return errors.New("no") }}
		if run := programs[os.Args[1]]; run != nil {
			if err := run(); err != nil {
				fmt.Fprintln(os.Stderr, os.Args[1]+":", err)
				os.Exit(1)
			}
			os.Exit(0)
		}
	}
	goleak.VerifyTestMain(m)
}

// fakeTURN is a TURN process without TURN: it remembers what it is told.
type fakeTURN struct {
	mu       sync.Mutex
	secrets  Secrets // that it was told last
	sessions map[string]Session
	ended    []string                    // id and reason
	own      map[string][]netip.AddrPort // listeners of servers, by owner
	counters Counters                    // of every session
	refuse   error                       // every session
}

func newFakeTURN() *fakeTURN {
	return &fakeTURN{sessions: map[string]Session{}, own: map[string][]netip.AddrPort{}}
}

func newFakeServer(f *fakeTURN) *Server {
	reg := prometheus.NewRegistry()
	for name, value := range map[string]float64{"signalbox_turn_allocations": 3, "signalbox_turn_control_up": 7, "go_goroutines": 9} {
		g := prometheus.NewGauge(prometheus.GaugeOpts{Name: name, Help: "A number."})
		g.Set(value)
		reg.MustRegister(g)
	}
	return NewServer(f, reg, nil, zap.NewNop())
}

func (f *fakeTURN) Own(owner string, listeners []netip.AddrPort) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.own[owner] = listeners
}

// listeners returns those of a server.
func (f *fakeTURN) listeners(owner string) []netip.AddrPort {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.own[owner]
}

func (f *fakeTURN) Secrets(s Secrets) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.secrets = s
}

func (f *fakeTURN) told() Secrets {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.secrets
}

func (f *fakeTURN) Open(s Session) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.refuse == nil {
		f.sessions[s.ID] = s
	}
	return f.refuse
}

func (f *fakeTURN) End(id, reason string) (Counters, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	_, found := f.sessions[id]
	delete(f.sessions, id)
	if found {
		f.ended = append(f.ended, id+" "+reason)
	}
	return f.counters, found
}

func (f *fakeTURN) Sync(owner string, ids []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	maps.DeleteFunc(f.sessions, func(id string, s Session) bool { return s.Owner == owner && !slices.Contains(ids, id) })
}

func (f *fakeTURN) Counters(id string) (Counters, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	_, found := f.sessions[id]
	return f.counters, found
}

// open returns the ids of its sessions in order.
func (f *fakeTURN) open() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Sorted(maps.Keys(f.sessions))
}

// runFakeTURN is the TURN process of tests: it answers each datagram and each connection with its process id and the ids of its sessions.
func runFakeTURN() error {
	signal.Ignore(syscall.SIGTERM) // so that a test sees what else ends it
	in, err := Inherit()
	if err != nil {
		return err
	}
	defer in.Close()
	f := newFakeTURN()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	for _, c := range in.UDP {
		go f.answerUDP(c)
	}
	for _, l := range in.TCP {
		go func() { _ = acceptAll(ctx, l, func(_ context.Context, c net.Conn) { f.answerTCP(c) }) }()
	}
	go func() { _ = ServeStreams(ctx, in.Streams, f.answerStream) }()
	return newFakeServer(f).Serve(ctx, in.Control)
}

func (f *fakeTURN) answer(to string) string { return fmt.Sprint(os.Getpid(), " ", f.open(), " ", to) }

func (f *fakeTURN) answerUDP(c *net.UDPConn) {
	buf := make([]byte, 2048)
	for {
		_, from, err := c.ReadFromUDPAddrPort(buf)
		if err != nil {
			return
		}
		_, _ = c.WriteToUDPAddrPort([]byte(f.answer(from.String())), from)
	}
}

func (f *fakeTURN) answerTCP(c net.Conn) {
	defer c.Close()
	_, _ = io.WriteString(c, f.answer(c.RemoteAddr().String())+"\n")
}

// answerStream says whose connection it is and then says all lines again.
func (f *fakeTURN) answerStream(ctx context.Context, c net.Conn, local, remote netip.AddrPort) {
	unwatch := context.AfterFunc(ctx, func() { _ = c.Close() })
	defer unwatch()
	defer c.Close()
	_, _ = fmt.Fprintf(c, "%d %v from %v at %v\n", os.Getpid(), f.open(), remote, local)
	_, _ = io.Copy(c, bufio.NewReader(c))
}

// hang says who it is in a file, and does nothing more.
func hang() error {
	never := make(chan os.Signal, 1)
	signal.Notify(never, syscall.SIGUSR1)
	err := os.WriteFile(os.Args[2], fmt.Append(nil, os.Getpid()), 0o600)
	<-never
	return err
}

// newClient returns a client with the way that a test made.
func newClient(t *testing.T, w way) *Client {
	t.Helper()
	c, err := New(Default(), "node", zaptest.NewLogger(t, zaptest.Level(zap.ErrorLevel)), prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	c.way = w
	return c
}

// run runs a client until the test ends.
func run(t *testing.T, c *Client) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- c.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run() = %v", err)
		}
	})
	t.Cleanup(stop)
	return stop
}

// pipeWay leads to a Server in the same process over pipes.
type pipeWay struct {
	ctx context.Context

	mu      sync.Mutex
	server  *Server // nil: the TURN process cannot be reached
	conn    net.Conn
	serving sync.WaitGroup
}

var errNobody = errors.New("nobody is there")

func (w *pipeWay) connect(context.Context) (net.Conn, func(), error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.server == nil {
		return nil, nil, errNobody
	}
	ours, theirs := net.Pipe()
	server := w.server
	w.conn = theirs
	w.serving.Go(func() { _ = server.Serve(w.ctx, theirs) })
	return ours, func() {}, nil
}

func (w *pipeWay) stream(context.Context) (net.Conn, error) { return nil, errNobody }

func (w *pipeWay) close() error {
	w.serving.Wait()
	return nil
}

// become has the next connections reach another TURN process, and cuts that to the present one; nil: none.
func (w *pipeWay) become(s *Server) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.server = s
	if w.conn != nil {
		_ = w.conn.Close()
		w.conn = nil
	}
}

func session(id string) Session { return Session{ID: id, Expires: time.Now().Add(time.Hour)} }
