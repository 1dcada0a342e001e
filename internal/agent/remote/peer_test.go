package remote

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"

	"signalbox/internal/channel"
	"signalbox/internal/peer"
	"signalbox/internal/signalling"
)

// technician is the other end of a session over WebRTC.
type technician struct {
	*peer.Peer
	w      *world
	number int
	hang   func() // stops listening
	paths  chan signalling.Path
	rest   chan signalling.Message // what is about no connection
}

// newTechnician makes a connection that is not begun.
func newTechnician(t *testing.T, w *world, number int, caller peer.Config) *technician {
	t.Helper()
	v := &technician{w: w, number: number, paths: make(chan signalling.Path, 1000), rest: make(chan signalling.Message, 1000)}
	caller.Loopback = true
	caller.OnCandidate = func(c peer.Candidate) {
		_ = w.Take(signalling.Candidate{About: signalling.About{ID: "ses_1"}, Candidate: c.Text, Mid: c.Mid, Line: c.Line, Peer: number})
	}
	var err error
	v.Peer, err = peer.New(caller)
	must(t, err)
	t.Cleanup(v.Close)
	return v
}

// call offers, and listens to the endpoint until the test ends.
func (v *technician) call(t *testing.T) {
	t.Helper()
	offer, err := v.Offer(false)
	must(t, err)
	must(t, v.w.Take(signalling.SDP{About: signalling.About{ID: "ses_1"}, Kind: "offer", SDP: offer, Peer: v.number}))
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		v.listen(ctx)
	}()
	v.hang = func() {
		cancel()
		<-done
	}
	t.Cleanup(v.hang)
}

func (v *technician) listen(ctx context.Context) {
	for {
		select {
		case m := <-v.w.said:
			switch m := m.(type) {
			case signalling.SDP:
				if err := v.Accept(m.SDP); err != nil {
					v.w.t.Errorf("answer: %v", err)
				}
			case signalling.Candidate:
				if err := v.Candidate(peer.Candidate{Text: m.Candidate, Mid: m.Mid, Line: m.Line}); err != nil {
					v.w.t.Errorf("candidate: %v", err)
				}
			case signalling.Path:
				v.paths <- m
			default:
				v.rest <- m
			}
		case <-ctx.Done():
			return
		}
	}
}

// limit is how long anything may take.
func limit(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func local() Config {
	cfg := DefaultConfig()
	cfg.Loopback = true
	return cfg
}

// exchange sends a text and returns what comes back.
func exchange(t *testing.T, c channel.Conn, text string) (string, error) {
	t.Helper()
	if err := c.Send(limit(t), channel.Message{Text: true, Data: []byte(text)}); err != nil {
		return "", err
	}
	m, err := c.Receive(limit(t))
	return string(m.Data), err
}

// TestSessionOverWebRTC: a terminal over the direct way, the way as it is told, a second connection in place of the first, and the end.
func TestSessionOverWebRTC(t *testing.T) {
	e := &echo{name: channel.Terminal}
	w := newWorld(t, local(), nil, e)
	w.begin(grant())
	first := newTechnician(t, w, 1, peer.Config{})
	c, err := first.Open(peer.Label{Name: "terminal"})
	must(t, err)
	first.call(t)
	if got, err := exchange(t, c, "hello"); err != nil || got != "hello" {
		t.Fatalf("exchange() = %q, %v", got, err)
	}
	for p := range first.paths {
		if p.Rung != "" {
			if p.Rung != signalling.RungDirect || p.ID != "ses_1" || len(p.Failed) != 0 {
				t.Errorf("path = %+v", p)
			}
			break
		}
	}
	must(t, w.Take(signalling.ICE{About: signalling.About{ID: "ses_1"}}))
	first.hang()
	first.Close()
	second := newTechnician(t, w, 2, peer.Config{})
	c, err = second.Open(peer.Label{Name: "terminal", Number: 3})
	must(t, err)
	second.call(t)
	if got, err := exchange(t, c, "again"); err != nil || got != "again" {
		t.Fatalf("over the second connection: %q, %v", got, err)
	}
	if n := e.count(); n != 1 {
		t.Errorf("the capability was opened %d times, want once for both connections", n)
	}
	w.End("ses_1", "")
	if _, err := c.Receive(limit(t)); err == nil {
		t.Error("the channel outlives the session")
	}
	w.runs.Wait()
	if e.closed != 1 {
		t.Errorf("the capability was closed %d times", e.closed)
	}
}

// TestRenewal: a connection that has encrypted as much as it may ends, is not restarted, and the next one takes its place.
func TestRenewal(t *testing.T) {
	w := newWorld(t, local(), nil)
	w.begin(grant())
	first := newTechnician(t, w, 1, peer.Config{})
	c, err := first.Open(peer.Label{Name: "terminal"})
	must(t, err)
	first.call(t)
	if got, err := exchange(t, c, "hello"); err != nil || got != "hello" {
		t.Fatalf("exchange() = %q, %v", got, err)
	}
	w.Manager.mu.Lock()
	s := w.sessions["ses_1"]
	w.Manager.mu.Unlock()
	s.do(func() { s.renew(1) })
	if _, err := c.Receive(limit(t)); err == nil {
		t.Error("the channel outlives its connection")
	}
	again, err := first.Offer(true)
	must(t, err)
	must(t, w.Take(signalling.SDP{About: signalling.About{ID: "ses_1"}, Kind: "offer", SDP: again, Peer: 1}))
	first.hang()
	second := newTechnician(t, w, 2, peer.Config{})
	c, err = second.Open(peer.Label{Name: "terminal"})
	must(t, err)
	second.call(t)
	if got, err := exchange(t, c, "again"); err != nil || got != "again" {
		t.Fatalf("over the second connection: %q, %v", got, err)
	}
}

// TestChannelsOfWebRTCAreChecked: by the endpoint itself, whatever the server thinks of them.
func TestChannelsOfWebRTCAreChecked(t *testing.T) {
	w := newWorld(t, local(), nil)
	w.begin(grant())
	v := newTechnician(t, w, 1, peer.Config{})
	for label, want := range map[peer.Label]string{{Name: "processes"}: "not_permitted", {Name: "files"}: "over the relay alone", {Name: "control"}: "not_permitted"} {
		c, err := v.Open(label)
		must(t, err)
		if v.number == 1 {
			v.call(t)
			v.number = 0 // once
		}
		m, err := c.Receive(limit(t))
		if err != nil || !strings.Contains(string(m.Data), want) {
			t.Errorf("%s: Receive() = %q, %v, want %q", label, m.Data, err, want)
		}
		if _, err := c.Receive(limit(t)); !errors.Is(err, io.EOF) {
			t.Errorf("%s: then %v, want io.EOF", label, err)
		}
	}
}

// TestDescriptionsAreIgnored: before the consent, in a session for the relay alone, and of a connection that was replaced.
func TestDescriptionsAreIgnored(t *testing.T) {
	slow := &user{after: time.Hour}
	w := newWorld(t, local(), slow)
	w.offer(grant(func(g *signalling.Grant) { g.Consent.Mode = signalling.ModeAskDeny }))
	v, err := peer.New(peer.Config{})
	must(t, err)
	defer v.Close()
	_, err = v.Open(peer.Label{Name: "terminal"})
	must(t, err)
	offer, err := v.Offer(false)
	must(t, err)
	ask := func(number int, text string) {
		must(t, w.Take(signalling.SDP{About: signalling.About{ID: "ses_1"}, Kind: "offer", SDP: text, Peer: number}))
	}
	ask(1, offer)
	if m, ok := w.hear().(signalling.Consent); !ok || m.State != signalling.ConsentAsking {
		t.Errorf("the endpoint says %#v", m)
	}
	w.End("ses_1", "")
	if m := w.hear(); m.Name() != "end" {
		t.Errorf("the endpoint says %#v, want the end alone", m)
	}
	w.runs.Wait()

	w.begin(grant(func(g *signalling.Grant) { g.ID = "ses_2"; g.Transport = signalling.TransportRelayOnly }))
	must(t, w.Take(signalling.SDP{About: signalling.About{ID: "ses_2"}, Kind: "offer", SDP: offer, Peer: 1}))
	w.End("ses_2", "")
	if m := w.hear(); m.Name() != "end" {
		t.Errorf("the endpoint says %#v, want the end alone", m)
	}
	w.runs.Wait()

	w.begin(grant(func(g *signalling.Grant) { g.ID = "ses_3" }))
	for i, text := range []string{"v=0\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\n", strings.Replace(offer, "ice-ufrag", "ice-lost", 1)} {
		must(t, w.Take(signalling.SDP{About: signalling.About{ID: "ses_3"}, Kind: "offer", SDP: text, Peer: i + 1}))
	}
	w.End("ses_3", "")
	if m := w.hear(); m.Name() != "end" {
		t.Errorf("the endpoint says %#v, want the end alone", m)
	}
}

// TestConnectionsAreRated: a technician whose way comes and goes all day finds the next connection, and one who makes them by the hundred does not.
func TestConnectionsAreRated(t *testing.T) {
	s, now := &session{}, time.Now()
	for range 1000 {
		if now = now.Add(peersWithin / maxPeers); !s.another(now) {
			t.Fatal("a connection every few seconds is refused")
		}
	}
	made := 0
	for range 1000 {
		if s.another(now) {
			made++
		}
	}
	if made >= maxPeers {
		t.Errorf("%d connections were made at once", made)
	}
}

// TestRelayIsOpenedAnew: while something goes over the relay signs of life are asked for, and after a login the technician has to open it anew, but for files.
func TestRelayIsOpenedAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, DefaultConfig(), nil)
		doubts := 0
		w.o.Doubt = func() { doubts++ }
		w.begin(grant())
		files := w.open(channel.Files)
		time.Sleep(time.Minute)
		if synctest.Wait(); doubts != 0 {
			t.Errorf("%d doubts for files", doubts)
		}
		terminal := w.open(channel.Terminal)
		time.Sleep(time.Minute)
		if synctest.Wait(); doubts < 5 || doubts > 7 {
			t.Errorf("%d doubts in a minute, want one in %v", doubts, doubtEach)
		}
		w.Offline()
		w.online()
		if _, err := terminal.Receive(t.Context()); !errors.Is(err, io.EOF) {
			t.Errorf("the terminal goes on: %v", err)
		}
		if got, err := exchange(t, files, "list"); err != nil || got != "list" {
			t.Errorf("files: %q, %v", got, err)
		}
	})
}

// TestDoubt: a technician who is not reached any more may mean that this side's network is lost, which others can find out.
func TestDoubt(t *testing.T) {
	doubts := 0
	m := New(local(), Options{Doubt: func() { doubts++ }}, zap.NewNop())
	defer m.cancel()
	s := newSession(m, grant(), nil, nil)
	defer s.cancel()
	for st, want := range map[peer.State]int{peer.Connected: 0, peer.Connecting: 0, peer.Failed: 0, peer.Closed: 0, peer.Disconnected: 1} {
		doubts = 0
		if s.changed(1, st); doubts != want {
			t.Errorf("%s: %d doubts, want %d", st, doubts, want)
		}
	}
}
