package control

import (
	"bytes"
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
)

// inBubble runs a test in virtual time with a client and the TURN process that it reaches.
func inBubble(t *testing.T, test func(t *testing.T, c *Client, w *pipeWay, f *fakeTURN)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		f := newFakeTURN()
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		w := &pipeWay{ctx: ctx, server: newFakeServer(f)}
		c := newClient(t, w)
		stop := run(t, c)
		defer stop()
		synctest.Wait()
		test(t, c, w, f)
	})
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestOpenCountEnd(t *testing.T) {
	inBubble(t, func(t *testing.T, c *Client, w *pipeWay, f *fakeTURN) {
		f.counters = Counters{Allocations: 2, BytesUp: 100}
		must(t, c.Open(t.Context(), session("a")))
		must(t, c.Open(t.Context(), session("b")))
		changed := session("a")
		changed.Technician = "t"
		must(t, c.Open(t.Context(), changed))
		if diff := cmp.Diff([]string{"a", "b"}, f.open()); diff != "" || f.sessions["a"].Technician != "t" || f.sessions["a"].Owner != "node" {
			t.Errorf("sessions %+v", f.sessions)
		}
		got, err := c.Counters(t.Context(), "a")
		if err != nil || got.BytesUp != 100 {
			t.Errorf("Counters() = %+v, %v", got, err)
		}
		got, err = c.End(t.Context(), "a", "revoked")
		if err != nil || got.Allocations != 2 || strings.Join(f.ended, ",") != "a revoked" {
			t.Errorf("End() = %+v, %v; ended %q", got, err, f.ended)
		}
		if _, err := c.End(t.Context(), "a", "again"); !errors.Is(err, ErrUnknownSession) {
			t.Errorf("End() of what has ended = %v", err)
		}
		if _, err := c.Counters(t.Context(), "a"); !errors.Is(err, ErrUnknownSession) {
			t.Errorf("Counters() of what has ended = %v", err)
		}
	})
}

func TestSessionsThatCannotBe(t *testing.T) {
	inBubble(t, func(t *testing.T, c *Client, w *pipeWay, f *fakeTURN) {
		for _, s := range []Session{
			{}, {ID: "a"}, {ID: "a:b", Expires: time.Now()}, {ID: strings.Repeat("x", MaxID+1), Expires: time.Now()},
			{ID: "a", Expires: time.Now(), Rate: -1}, {ID: "a", Expires: time.Now(), Technician: strings.Repeat("x", MaxID+1)},
		} {
			if err := c.Open(t.Context(), s); err == nil {
				t.Errorf("Open(%+v) succeeds", s)
			}
		}
		if len(f.open()) > 0 || c.open() > 0 {
			t.Errorf("%v are open there, %d here", f.open(), c.open())
		}
	})
}

func TestRefusedSessionIsNotKept(t *testing.T) {
	inBubble(t, func(t *testing.T, c *Client, w *pipeWay, f *fakeTURN) {
		must(t, c.Open(t.Context(), session("a")))
		f.mu.Lock()
		f.refuse = errors.New("no room")
		f.mu.Unlock()
		changed := session("a")
		changed.Technician = "t"
		for _, s := range []Session{session("b"), changed} {
			if err := c.Open(t.Context(), s); err == nil || !strings.Contains(err.Error(), "no room") {
				t.Errorf("Open() = %v, want what the TURN process said", err)
			}
		}
		if c.open() != 1 || c.sessions["a"].session.Technician != "" {
			t.Errorf("%d sessions are kept, a of technician %q, want a as it was", c.open(), c.sessions["a"].session.Technician)
		}
	})
}

// TestNothingIsLostWithTheTURNProcess: it ends and another one comes; what was opened is there, what ended meanwhile is not, and counters go on.
func TestNothingIsLostWithTheTURNProcess(t *testing.T) {
	inBubble(t, func(t *testing.T, c *Client, w *pipeWay, f *fakeTURN) {
		f.counters = Counters{BytesUp: 100, Open: 2}
		for _, id := range []string{"a", "b", "c"} {
			must(t, c.Open(t.Context(), session(id)))
		}
		if _, err := c.Counters(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
		w.become(nil)
		synctest.Wait()
		if c.Away() == nil {
			t.Fatal("the TURN process counts as there")
		}
		got, err := c.End(t.Context(), "b", "revoked")
		if err != nil || got.BytesUp != 0 {
			t.Errorf("End() while it is away = %+v, %v", got, err)
		}
		if got, err = c.Counters(t.Context(), "a"); err != nil || got.BytesUp != 100 || got.Open != 0 {
			t.Errorf("Counters() while it is away = %+v, %v, want the last known, nothing open", got, err)
		}
		opened := make(chan error, 1)
		go func() { opened <- c.Open(t.Context(), session("d")) }()
		synctest.Wait()
		select {
		case err := <-opened:
			t.Fatalf("Open() = %v while the TURN process is away", err)
		default:
		}

		next := newFakeTURN()
		next.counters = Counters{BytesUp: 10, Open: 1}
		began := time.Now()
		w.become(newFakeServer(next))
		must(t, <-opened)
		if took := time.Since(began); took > longPause {
			t.Errorf("back after %v", took)
		}
		if diff := cmp.Diff([]string{"a", "c", "d"}, next.open()); diff != "" {
			t.Errorf("sessions of the next TURN process (-want +got):\n%s", diff)
		}
		if got, err = c.Counters(t.Context(), "a"); err != nil || got.BytesUp != 110 || got.Open != 1 {
			t.Errorf("Counters() = %+v, %v, want the sum of both", got, err)
		}
	})
}

// TestCutOfTheConnectionAlone: the TURN process lives on, so what it counted is not counted twice, and what ended meanwhile ends there.
func TestCutOfTheConnectionAlone(t *testing.T) {
	inBubble(t, func(t *testing.T, c *Client, w *pipeWay, f *fakeTURN) {
		f.counters = Counters{BytesUp: 100}
		same := w.server
		must(t, c.Open(t.Context(), session("a")))
		must(t, c.Open(t.Context(), session("b")))
		if _, err := c.Counters(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
		w.become(nil)
		synctest.Wait()
		if _, err := c.End(t.Context(), "b", "revoked"); err != nil {
			t.Fatal(err)
		}
		w.become(same)
		time.Sleep(longPause)
		synctest.Wait()
		if diff := cmp.Diff([]string{"a"}, f.open()); diff != "" {
			t.Errorf("sessions (-want +got):\n%s", diff)
		}
		if got, err := c.Counters(t.Context(), "a"); err != nil || got.BytesUp != 100 {
			t.Errorf("Counters() = %+v, %v, want 100 bytes once", got, err)
		}
	})
}

// TestEndOnAnotherHost: while the connection is cut that relays on, so the end waits for it, and says so if it does not come back; then the session is ended all the same.
func TestEndOnAnotherHost(t *testing.T) {
	inBubble(t, func(t *testing.T, c *Client, w *pipeWay, f *fakeTURN) {
		c.target = "192.0.2.1:5349"
		same := w.server
		must(t, c.Open(t.Context(), session("a")))
		must(t, c.Open(t.Context(), session("b")))
		w.become(nil)
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		if _, err := c.End(ctx, "a", "revoked"); !errors.Is(err, ErrAway) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("End() = %v, want ErrAway", err)
		}
		ended := make(chan error, 1)
		go func() {
			_, err := c.End(t.Context(), "b", "revoked")
			ended <- err
		}()
		synctest.Wait()
		if len(ended) > 0 {
			t.Error("End() does not wait for the connection")
		}
		w.become(same)
		must(t, <-ended)
		if open := f.open(); len(open) > 0 {
			t.Errorf("sessions %q go on", open)
		}
		if err := c.Away(); err != nil {
			t.Error(err)
		}
	})
}

func TestOpenWaitsNoLongerThanItsContext(t *testing.T) {
	inBubble(t, func(t *testing.T, c *Client, w *pipeWay, f *fakeTURN) {
		w.become(nil)
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		began := time.Now()
		if err := c.Open(ctx, session("a")); !errors.Is(err, ErrAway) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Open() = %v, want ErrAway", err)
		}
		if took := time.Since(began); took != 3*time.Second || c.open() != 0 {
			t.Errorf("after %v, %d sessions are kept", took, c.open())
		}
	})
}

// deafTURN hangs when it is asked to count.
type deafTURN struct {
	*fakeTURN
	hear chan struct{} // ends that when closed
}

func (d deafTURN) Counters(string) (Counters, bool) {
	<-d.hear
	return Counters{}, false
}

// TestHangingTURNProcessIsLeft: one that lives and does not answer is given up, and the next one gets everything.
func TestHangingTURNProcessIsLeft(t *testing.T) {
	inBubble(t, func(t *testing.T, c *Client, w *pipeWay, f *fakeTURN) {
		deaf := deafTURN{f, make(chan struct{})}
		defer close(deaf.hear)
		w.become(NewServer(deaf, prometheus.NewRegistry(), nil, zap.NewNop()))
		must(t, c.Open(t.Context(), session("a")))
		next := newFakeTURN()
		w.mu.Lock()
		w.server = newFakeServer(next)
		w.mu.Unlock()
		began := time.Now()
		if got, err := c.Counters(t.Context(), "a"); err != nil || got.Open != 0 {
			t.Errorf("Counters() = %+v, %v, want the last known", got, err)
		}
		if took := time.Since(began); took < pingTimeout || took > pingEvery+pingTimeout {
			t.Errorf("given up after %v", took)
		}
		time.Sleep(longPause)
		synctest.Wait()
		if diff := cmp.Diff([]string{"a"}, next.open()); diff != "" {
			t.Errorf("sessions of the next TURN process (-want +got):\n%s", diff)
		}
	})
}

func TestSecretsReachTheTURNProcess(t *testing.T) {
	inBubble(t, func(t *testing.T, c *Client, w *pipeWay, f *fakeTURN) {
		first := c.keys.secrets()
		if told := f.told(); !bytes.Equal(told.Current, first.Current) || told.Previous != nil {
			t.Fatalf("%x was told, want ours", told)
		}
		time.Sleep(Rotation + pingEvery)
		synctest.Wait()
		if last := f.told(); !bytes.Equal(last.Previous, first.Current) || !bytes.Equal(last.Current, c.keys.secrets().Current) {
			t.Error("the new secret, and the one before, were not told")
		}
	})
}

func TestCredentials(t *testing.T) {
	inBubble(t, func(t *testing.T, c *Client, w *pipeWay, f *fakeTURN) {
		short := session("a")
		short.Expires = time.Now().Add(time.Minute)
		must(t, c.Open(t.Context(), short))
		long := session("b")
		long.Expires = time.Now().Add(24 * time.Hour)
		must(t, c.Open(t.Context(), long))
		for id, want := range map[string]time.Duration{"a": time.Minute, "b": c.cfg.CredentialTTL} {
			username, password, expires := c.Credentials(id, SideA)
			until, gotID, side, ok := ParseUsername(username)
			if !ok || gotID != id || side != SideA || !until.Equal(expires) || time.Until(expires) > want || time.Until(expires) < want-time.Second {
				t.Errorf("Credentials(%q) = %q until %v", id, username, expires)
			}
			if password != Password(f.told().Current, username) {
				t.Error("the TURN process would refuse the password")
			}
		}
	})
}

func TestMetricsOfTheTURNProcess(t *testing.T) {
	inBubble(t, func(t *testing.T, c *Client, w *pipeWay, f *fakeTURN) {
		look := func() string {
			families, err := c.Gather()
			must(t, err)
			var all []string
			for _, f := range families {
				all = append(all, f.GetName())
			}
			return strings.Join(all, " ")
		}
		const want = "signalbox_turn_allocations"
		if got := look(); got != want {
			t.Errorf("metrics %q, want %q", got, want)
		}
		w.become(nil)
		synctest.Wait()
		if got := look(); got != want {
			t.Errorf("metrics %q while it is away, want the last known", got)
		}
	})
}

func TestCallsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := net.Pipe()
		p := newCaller(ours)
		ended := make(chan error, 1)
		go func() { ended <- p.run() }()
		results := make(chan error, maxCalls+3)
		call := func(do string) {
			_, err := p.call(context.Background(), message{Do: do})
			results <- err
		}
		for range maxCalls + 1 {
			go call(doCounters)
		}
		synctest.Wait()
		if err := <-results; !errors.Is(err, ErrBusy) {
			t.Errorf("call() = %v, want ErrBusy", err)
		}
		go call(doEnd)
		go call(doPing)
		synctest.Wait()
		if len(results) > 0 {
			t.Errorf("an end or a ping among many calls: %v, want that it waits", <-results)
		}
		_ = theirs.Close()
		<-ended
		for range maxCalls + 2 {
			if err := <-results; !errors.Is(err, errGone) {
				t.Fatalf("call() = %v, want errGone", err)
			}
		}
	})
}

func TestURLs(t *testing.T) {
	c := newClient(t, nil)
	c.listen = []Socket{{SocketUDP, "[::]:3478"}, {SocketUDP, "192.0.2.1:3478"}, {SocketUDP, "192.0.2.1:443"}, {SocketTCP, "[::]:3478"}, {SocketUDP, "127.0.0.1:40000"}, {SocketTCP, "[::1]:40001"}, {SocketStreams, "/run/x"}}
	c.Announce("xmpp.example.com", []string{"[::]:443", "127.0.0.1:8443"})
	want := []string{
		"turn:xmpp.example.com:3478?transport=udp", "turn:xmpp.example.com:443?transport=udp", "turn:127.0.0.1:40000?transport=udp",
		"turn:xmpp.example.com:3478?transport=tcp", "turn:[::1]:40001?transport=tcp",
		"turns:xmpp.example.com:443?transport=tcp", "turns:xmpp.example.com:8443?transport=tcp",
	}
	if diff := cmp.Diff(want, c.URLs()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestCountersAreBounded(t *testing.T) {
	a := Counters{RefusedPeers: map[string]uint64{}, Drops: map[string]uint64{"rate": 1}}
	for i := range MaxRefusedPeers {
		a.RefusedPeers[strings.Repeat("a", i+1)] = 1
	}
	b := Counters{RefusedPeers: map[string]uint64{"x": 2, "a": 3, OtherPeers: 4}, Drops: map[string]uint64{"rate": 2, "size": 1}, Open: 5}
	got := a.Plus(b)
	if len(got.RefusedPeers) != MaxRefusedPeers+1 || got.RefusedPeers[OtherPeers] != 6 || got.RefusedPeers["a"] != 4 {
		t.Errorf("refused peers %v", got.RefusedPeers)
	}
	if got.Drops["rate"] != 3 || got.Drops["size"] != 1 || got.Open != 5 {
		t.Errorf("sum %+v", got)
	}
}
