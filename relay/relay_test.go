package relay

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"
	"go.uber.org/zap"

	"signalbox/internal/channel"
	"signalbox/internal/channel/wsconn"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is a relay behind real TLS.
type world struct {
	testing.TB
	*Server
	http   *httptest.Server
	client *http.Client

	mu      sync.Mutex
	refused []Refusal
}

func newWorld(t testing.TB, change func(*Config)) *world {
	t.Helper()
	w := &world{TB: t}
	cfg := Default()
	if change != nil {
		change(&cfg)
	}
	var err error
	if w.Server, err = New(Default(), w.note, zap.NewNop(), prometheus.NewRegistry()); err != nil {
		t.Fatal(err)
	}
	w.cfg = cfg // tests wait for less than anybody may configure
	w.http = httptest.NewTLSServer(w.Server)
	w.client = w.http.Client()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- w.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		w.http.Close()
	})
	return w
}

func (w *world) note(r Refusal) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.refused = append(w.refused, r)
}

func (w *world) dial(ticket string) (channel.Conn, error) {
	return wsconn.Dial(w.Context(), "wss"+strings.TrimPrefix(w.http.URL, "https")+Path+ticket, w.client)
}

// join opens a session without a bound, and both sides of a channel of it.
func (w *world) join(session string) (first, second channel.Conn) {
	w.Helper()
	w.Open(session, 0, nil)
	return w.sides(session)
}

// sides opens both sides of a channel of a session that is open.
func (w *world) sides(session string) (first, second channel.Conn) {
	w.Helper()
	a, b, err := w.Pair(session)
	if err != nil {
		w.Fatal(err)
	}
	var conns [2]channel.Conn
	for i, ticket := range []string{a, b} {
		if conns[i], err = w.dial(ticket); err != nil {
			w.Fatal(err)
		}
		w.Cleanup(func() { _ = conns[i].Close() })
	}
	return conns[0], conns[1]
}

func (w *world) send(c channel.Conn, m channel.Message) {
	w.Helper()
	if err := c.Send(w.Context(), m); err != nil {
		w.Fatal(err)
	}
}

// ended waits for the end of a channel and returns how it looks.
func (w *world) ended(c channel.Conn) error {
	w.Helper()
	ctx, cancel := context.WithTimeout(w.Context(), 20*time.Second)
	defer cancel()
	for {
		if _, err := c.Receive(ctx); err != nil {
			return err
		}
	}
}

func TestMessagesPass(t *testing.T) {
	w := newWorld(t, nil)
	first, second := w.join("ses_1")
	large := bytes.Repeat([]byte("x"), channel.MaxMessage)
	for _, way := range []struct{ from, to channel.Conn }{{first, second}, {second, first}} {
		all := []channel.Message{{Text: true, Data: []byte(`{"open":{}}`)}, {Data: nil}, {Data: large}, {Data: []byte{0, 1}}}
		go func() {
			for _, m := range all {
				w.send(way.from, m)
			}
		}()
		for i, want := range all {
			if got, err := way.to.Receive(t.Context()); err != nil || got.Text != want.Text || !bytes.Equal(got.Data, want.Data) {
				t.Fatalf("message %d = %v with %d bytes, %v; want %v with %d", i, got.Text, len(got.Data), err, want.Text, len(want.Data))
			}
		}
	}
	want := Counters{Up: int64(len(large)) + 13, Down: int64(len(large)) + 13}
	if got := w.Counters("ses_1"); got != want {
		t.Errorf("counters = %+v, want %+v", got, want)
	}
	if err := first.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
	if err := w.ended(second); !errors.Is(err, io.EOF) {
		t.Errorf("the other side reads %v, want its orderly end", err)
	}
	if got := w.Server.Close("ses_1"); got != want {
		t.Errorf("counters at the end = %+v, want %+v", got, want)
	}
}

// TestTickets: each opens one side once, while its session lasts.
func TestTickets(t *testing.T) {
	w := newWorld(t, nil)
	w.Open("ses_1", 0, nil)
	a, b, err := w.Pair("ses_1")
	if err != nil {
		t.Fatal(err)
	}
	if len(a) < 26 || a == b { // 128 bits
		t.Errorf("tickets %q and %q", a, b)
	}
	refused := func(ticket, why string) {
		t.Helper()
		if c, err := w.dial(ticket); err == nil || !strings.Contains(err.Error(), "404") {
			t.Errorf("%s: %v, want 404", why, err)
			_ = c
		}
	}
	refused("", "none")
	refused("x", "unknown")
	refused(strings.ToLower(a), "another spelling")
	resp, err := w.client.Get(w.http.URL + Path + a) // somebody looks at the link: it holds still
	if err != nil || resp.StatusCode != http.StatusUpgradeRequired {
		t.Fatalf("without an upgrade: %v, %v", resp, err)
	}
	_ = resp.Body.Close()
	first, err := w.dial(a)
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	refused(a, "used")
	w.Server.Close("ses_1")
	refused(b, "of a session that has ended")
	if err := w.ended(first); err == nil || !strings.Contains(err.Error(), string(ReasonSessionEnded)) {
		t.Errorf("the side that waited reads %v", err)
	}
	if _, _, err := w.Pair("ses_1"); !errors.Is(err, ErrUnknown) {
		t.Errorf("Pair of an ended session = %v", err)
	}
	w.Open("ses_2", 0, nil)
	a, b, err = w.Pair("ses_2")
	if err != nil {
		t.Fatal(err)
	}
	if first, err = w.dial(a); err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	for _, p := range w.all() {
		p.expiry.Reset(0) // the time is over
	}
	if err := w.ended(first); err == nil || !strings.Contains(err.Error(), string(ReasonNobodyCame)) {
		t.Errorf("the side that waited too long reads %v", err)
	}
	refused(b, "over")
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.refused) != 6 {
		t.Errorf("told of %v, want each of the 6", w.refused)
	}
}

func TestForeignOrigin(t *testing.T) {
	w := newWorld(t, nil)
	w.Open("ses_1", 0, nil)
	a, _, err := w.Pair("ses_1")
	if err != nil {
		t.Fatal(err)
	}
	_, answer, err := websocket.Dial(t.Context(), w.http.URL+Path+a, &websocket.DialOptions{HTTPClient: w.client, HTTPHeader: http.Header{"Origin": {"https://evil.example"}}})
	if err == nil || answer.StatusCode != http.StatusForbidden {
		t.Errorf("a page of another host: %v", err)
	}
}

func TestBounds(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.MaxPairs, c.PairsOfOne = 3, 2 })
	for _, step := range []struct {
		session string
		want    error
	}{{"a", nil}, {"a", nil}, {"a", ErrTooMany}, {"b", nil}, {"b", ErrTooMany}, {"c", ErrUnknown}} {
		if step.session != "c" {
			w.Open(step.session, 0, nil)
		}
		if _, _, err := w.Pair(step.session); !errors.Is(err, step.want) {
			t.Errorf("Pair(%s) = %v, want %v", step.session, err, step.want)
		}
	}
	w.Server.Close("a")
	if _, _, err := w.Pair("b"); err != nil {
		t.Errorf("after the end of others: %v", err)
	}
	w.Server.Close("b")
	if len(w.tickets) != 0 || w.pairs != 0 {
		t.Errorf("%d tickets and %d pairs are left", len(w.tickets), w.pairs)
	}
}

// TestQuota: what a session may not move does not arrive, and its owner is told once.
func TestQuota(t *testing.T) {
	w := newWorld(t, nil)
	told := make(chan struct{}, 8)
	w.Open("ses_1", 1000, func() { told <- struct{}{} })
	first, second := w.sides("ses_1")
	pass := func(n int) {
		t.Helper()
		w.send(first, channel.Message{Data: make([]byte, n)})
		if m, err := second.Receive(t.Context()); err != nil || len(m.Data) != n {
			t.Fatalf("%d bytes, %v", len(m.Data), err)
		}
	}
	pass(600)
	w.Open("ses_1", 2000, nil) // its bound was changed
	pass(1000)
	w.send(second, channel.Message{Data: make([]byte, 401)})
	for _, c := range []channel.Conn{first, second} {
		if err := w.ended(c); err == nil || !strings.Contains(err.Error(), string(ReasonQuota)) {
			t.Errorf("a side reads %v, want %s", err, ReasonQuota)
		}
	}
	<-told
	if len(told) != 0 {
		t.Error("told more than once")
	}
}

func TestTooLarge(t *testing.T) {
	w := newWorld(t, nil)
	first, second := w.join("ses_1")
	_ = first.Send(t.Context(), channel.Message{Data: make([]byte, channel.MaxMessage+1)})
	if err := w.ended(second); err == nil || !strings.Contains(err.Error(), string(ReasonTooLarge)) {
		t.Errorf("the other side reads %v, want %s", err, ReasonTooLarge)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.refused) != 1 || w.refused[0].Reason != ReasonTooLarge || w.refused[0].Session != "ses_1" || !w.refused[0].First || !w.refused[0].Source.IsValid() {
		t.Errorf("told of %+v, want the message of the first side", w.refused)
	}
}

// TestStalledReader: a side that takes nothing makes the other one wait and costs no memory; in the end the channel goes.
func TestStalledReader(t *testing.T) {
	w := newWorld(t, nil)
	first, second := w.join("ses_1")
	before := heap()
	sent, stopped := 0, make(chan error, 1)
	progress := make(chan int, 1<<16)
	go func() {
		for {
			if err := first.Send(context.Background(), channel.Message{Data: make([]byte, channel.MaxMessage)}); err != nil {
				stopped <- err
				return
			}
			progress <- channel.MaxMessage
		}
	}()
	for quiet := false; !quiet; { // until the kernel's buffers are full
		select {
		case n := <-progress:
			sent += n
		case <-time.After(time.Second):
			quiet = true
		}
	}
	if sent > 64<<20 {
		t.Errorf("%d MiB went to a side that reads nothing", sent>>20)
	}
	if grown := heap() - before; grown > 2<<20 {
		t.Errorf("the heap has grown by %d KiB", grown>>10)
	}
	for _, p := range w.all() {
		p.look(time.Now().Add(w.cfg.StallTimeout / 2))
	}
	select {
	case err := <-stopped:
		t.Fatalf("ended early: %v", err)
	default:
	}
	for _, p := range w.all() {
		p.look(time.Now().Add(w.cfg.StallTimeout + time.Second))
	}
	<-stopped
	if err := w.ended(second); err == nil {
		t.Error("the side that read nothing sees no end")
	}
}

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// TestLostSide: a side that answers no ping, and one whose connection breaks, end the channel for the other.
func TestLostSide(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.PingInterval = 100 * time.Millisecond })
	first, second := w.join("ses_1")
	go func() { _, _ = second.Receive(t.Context()) }() // answers pings; the other one does not read, and so does not
	waitFor(t, func() bool { return len(w.all()) == 0 })
	if err := w.ended(first); err == nil || !strings.Contains(err.Error(), string(ReasonLost)) {
		t.Errorf("the silent side reads %v in the end", err)
	}
	third, fourth := w.join("ses_2")
	w.client.CloseIdleConnections()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, _ = third.Receive(ctx) // breaks its connection
	if err := w.ended(fourth); err == nil || !strings.Contains(err.Error(), string(ReasonLost)) {
		t.Errorf("the side that is left reads %v, want %s", err, ReasonLost)
	}
}

// waitFor gives up after a while that is long enough for any machine.
func waitFor(t *testing.T, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(20 * time.Second)
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatal("it never became so")
		}
	}
}

// TestStop ends channels, and what waits for one.
func TestStop(t *testing.T) {
	s, err := New(Default(), nil, zap.NewNop(), prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewTLSServer(s)
	defer srv.Close()
	s.Open("ses_1", 0, nil)
	a, _, err := s.Pair("ses_1")
	if err != nil {
		t.Fatal(err)
	}
	c, err := wsconn.Dial(t.Context(), "wss"+strings.TrimPrefix(srv.URL, "https")+Path+a, srv.Client())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	cancel()
	if _, err := c.Receive(t.Context()); err == nil || !strings.Contains(err.Error(), string(ReasonStopped)) {
		t.Errorf("a side reads %v, want %s", err, ReasonStopped)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if _, _, err := s.Pair("ses_1"); !errors.Is(err, ErrStopping) {
		t.Errorf("Pair = %v, want ErrStopping", err)
	}
}

// TestRequestEnds: whoever serves HTTP can stop it with channels open, before Run is told to stop.
func TestRequestEnds(t *testing.T) {
	s, err := New(Default(), nil, zap.NewNop(), prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	serving, stop := context.WithCancel(t.Context())
	srv := httptest.NewUnstartedServer(s)
	srv.Config.BaseContext = func(net.Listener) context.Context { return serving }
	srv.StartTLS()
	defer srv.Close()
	s.Open("ses_1", 0, func() {})
	a, b, err := s.Pair("ses_1")
	if err != nil {
		t.Fatal(err)
	}
	var sides []channel.Conn
	for _, ticket := range []string{a, b} {
		c, err := wsconn.Dial(t.Context(), "wss"+strings.TrimPrefix(srv.URL, "https")+Path+ticket, srv.Client())
		if err != nil {
			t.Fatal(err)
		}
		sides = append(sides, c)
	}
	stop()
	for _, c := range sides {
		if _, err := c.Receive(t.Context()); err == nil || !strings.Contains(err.Error(), string(ReasonStopped)) {
			t.Errorf("a side reads %v, want %s", err, ReasonStopped)
		}
	}
	s.running.Wait()
}

func TestConfig(t *testing.T) {
	if err := Default().Validate(); err != nil {
		t.Error(err)
	}
	err := Config{}.Validate()
	for _, key := range []string{"max_pairs", "pairs_per_session", "stall_timeout", "ping_interval"} {
		if err == nil || !strings.Contains(err.Error(), key+":") {
			t.Errorf("%v names no mistake of %s", err, key)
		}
	}
}

// BenchmarkRelay moves messages through TLS on both sides, the two clients in the same process.
func BenchmarkRelay(b *testing.B) {
	for _, size := range []int{200, 16 << 10, channel.MaxMessage} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			w := newWorld(b, nil)
			first, second := w.join("ses_1")
			data := make([]byte, size)
			b.SetBytes(int64(size))
			b.ReportAllocs()
			b.ResetTimer()
			go func() {
				for range b.N {
					if first.Send(context.Background(), channel.Message{Data: data}) != nil {
						return
					}
				}
			}()
			for range b.N {
				if _, err := second.Receive(context.Background()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
