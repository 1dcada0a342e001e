package viewer

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"signalbox/internal/channel"
	"signalbox/internal/signalling"
)

// Channels wait for the endpoint's consent, and go directly, files over the relay; without either no connection is made.
func TestChannels(t *testing.T) {
	w := newWorld(t, signalling.TransportAuto)
	v, _ := w.run()
	early := make(chan error, 1)
	go func() {
		c, err := v.Open(t.Context(), channel.Files)
		if err == nil {
			err = c.Close()
		}
		early <- err
	}()
	await(t, "no call", func() bool { calls, _, _ := w.counts(); return calls == 1 })
	w.offer()
	must(t, <-early)
	if _, asked, offers := w.counts(); len(offers) != 0 || len(asked) != 1 {
		t.Errorf("for files the relay was asked for %v, connections %v were offered; want the relay alone", asked, offers)
	}
	terminal := w.open(v, channel.Terminal)
	w.echoes(terminal, "ls")
	w.echoes(w.open(v, channel.Terminal), "pwd")
	files := w.open(v, channel.Files)
	w.echoes(files, "list")
	await(t, "no path with what was moved", func() bool { p := v.Path(); return p.Rung == signalling.RungDirect && p.Up == 9 && p.Down == 9 })
	if _, asked, offers := w.counts(); !slices.Equal(offers, []int{1}) || !slices.Equal(asked, []string{channel.Files, channel.Files}) {
		t.Errorf("the relay was asked for %v, connections %v were offered", asked, offers)
	}
}

// A restart whose offer is lost is said again, and does no harm where it arrives more than once: the connection and its channels go on.
func TestRestartIsSaidAgain(t *testing.T) {
	w := newWorld(t, signalling.TransportAuto)
	v, _ := w.run()
	w.offer()
	terminal := w.open(v, channel.Terminal)
	for _, lossy := range []bool{true, false, false} {
		w.mu.Lock()
		w.lossy = lossy
		w.mu.Unlock()
		said := make(chan struct{})
		must(t, v.do(t.Context(), func() {
			v.offer(true)
			close(said)
		}))
		<-said
	}
	w.echoes(terminal, "ls")
	if _, asked, offers := w.counts(); !slices.Equal(offers, []int{1, 1, 1, 1}) || len(asked) != 0 {
		t.Errorf("the relay was asked for %v, connections %v were offered; want one, four times", asked, offers)
	}
}

// Where nothing else leads to the endpoint, channels go over the relay, if the session allows that.
func TestFallback(t *testing.T) {
	for _, tc := range []struct {
		name, transport string
		offers          int
		want            error
	}{
		{"auto", signalling.TransportAuto, 1, nil},
		{"websocket_only", signalling.TransportRelayOnly, 0, nil},
		{"turn_only", signalling.TransportTURNOnly, 1, ErrNoWay},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, tc.transport)
			w.deaf = true
			v, _ := w.run(func(c *Config) { c.Patience = 500 * time.Millisecond })
			w.offer()
			c, err := v.Open(t.Context(), channel.Terminal)
			if !errors.Is(err, tc.want) {
				t.Fatalf("Open = %v, want %v", err, tc.want)
			}
			if _, _, offers := w.counts(); len(offers) != tc.offers {
				t.Errorf("connections %v were offered, want %d", offers, tc.offers)
			}
			if err != nil {
				return
			}
			w.echoes(c, "ls")
			await(t, "no path", func() bool { return v.Path().Rung == signalling.RungRelay })
			must(t, c.Close())
		})
	}
}

// A viewer that loses the server keeps its channels and comes back; what was asked for meanwhile comes then.
func TestComesBack(t *testing.T) {
	w := newWorld(t, signalling.TransportAuto)
	v, _ := w.run()
	w.offer()
	terminal := w.open(v, channel.Terminal)
	w.cut(true)
	w.echoes(terminal, "still there")
	later := make(chan channel.Conn, 1)
	go func() {
		c, err := v.Open(t.Context(), channel.Files)
		if err != nil {
			t.Error(err)
		}
		later <- c
	}()
	await(t, "no second call", func() bool { calls, _, _ := w.counts(); return calls > 1 })
	w.mu.Lock()
	w.away = false
	w.mu.Unlock()
	files := <-later
	w.echoes(files, "list")
	must(t, files.Close())
	w.echoes(terminal, "and still")
	if _, _, offers := w.counts(); !slices.Equal(offers, []int{1}) {
		t.Errorf("connections %v were offered, want the first alone", offers)
	}
}

// An endpoint that accepts anew, since its agent has started again, gets another connection.
func TestEndpointStartsAnew(t *testing.T) {
	w := newWorld(t, signalling.TransportAuto)
	v, _ := w.run()
	w.offer()
	before := w.open(v, channel.Terminal)
	w.fromEndpoint(signalling.Accept{About: signalling.About{ID: session}})
	if m, err := before.Receive(t.Context()); err == nil {
		t.Errorf("the old channel gives %q", m.Data)
	}
	w.echoes(w.open(v, channel.Terminal), "ls")
	if _, _, offers := w.counts(); !slices.Equal(offers, []int{1, 2}) {
		t.Errorf("connections %v were offered, want 1 and 2", offers)
	}
}

// Run returns why it is over.
func TestEnds(t *testing.T) {
	about := signalling.About{ID: session}
	for _, tc := range []struct {
		name string
		do   func(*world, *Viewer)
		want error
	}{
		{"by the technician", func(w *world, v *Viewer) { must(w.t, v.End(w.t.Context())) }, nil},
		{"by the server", func(w *world, _ *Viewer) { w.fromEndpoint(signalling.End{About: about, Reason: "idle_limit"}) }, &EndedError{Reason: "idle_limit"}},
		{"denied", func(w *world, _ *Viewer) { w.fromEndpoint(signalling.Deny{About: about, Reason: "busy"}) }, &EndedError{Reason: "busy"}},
		{"state", func(w *world, _ *Viewer) {
			w.fromEndpoint(signalling.State{About: about, State: "ended", Reason: "no_path"})
		}, &EndedError{Reason: "no_path"}},
		{"replaced", func(w *world, _ *Viewer) { w.line.over <- &RefusedError{Why: "replaced"} }, &RefusedError{Why: "replaced"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t, signalling.TransportAuto)
			v, ended := w.run()
			if s, err := v.Attached(t.Context()); err != nil || s.State != "requested" {
				t.Fatalf("Attached = %+v, %v", s, err)
			}
			tc.do(w, v)
			if err := <-ended; errorText(err) != errorText(tc.want) {
				t.Errorf("Run = %v, want %v", err, tc.want)
			}
			if _, err := v.Open(context.Background(), channel.Terminal); !errors.Is(err, errOver) {
				t.Errorf("Open after the end = %v", err)
			}
		})
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// A token that is refused is not tried again; neither is a server that was never reached.
func TestFirstCallFails(t *testing.T) {
	w := newWorld(t, signalling.TransportAuto)
	_, ended := w.run(func(c *Config) { c.Token = "stolen" })
	var refused *RefusedError
	if err := <-ended; !errors.As(err, &refused) {
		t.Errorf("Run = %v, want a refusal", err)
	}
	w.away = true
	_, ended = w.run()
	if err := <-ended; err == nil || errors.As(err, &refused) {
		t.Errorf("Run = %v, want the error of the call", err)
	}
	if calls, _, _ := w.counts(); calls != 2 {
		t.Errorf("%d calls, want one of each", calls)
	}
}

// Who gives up waiting for a channel leaves nothing behind.
func TestGivesUp(t *testing.T) {
	w := newWorld(t, signalling.TransportAuto)
	v, _ := w.run()
	ctx, cancel := context.WithCancel(t.Context())
	given := make(chan error, 1)
	go func() {
		_, err := v.Open(ctx, channel.Files)
		given <- err
	}()
	cancel()
	if err := <-given; !errors.Is(err, context.Canceled) {
		t.Errorf("Open = %v", err)
	}
	w.offer()
	w.echoes(w.open(v, channel.Files), "list")
	if _, asked, _ := w.counts(); len(asked) != 1 {
		t.Errorf("the relay was asked for %v, want once", asked)
	}
}
