package viewer

import (
	"errors"
	"slices"
	"testing"
	"time"

	"signalbox/internal/channel"
	"signalbox/internal/peer"
	"signalbox/internal/signalling"
)

func TestRemedies(t *testing.T) {
	for _, tt := range []struct {
		name                    string
		state                   peer.State
		connected, stale, heard bool
		idle                    time.Duration
		want                    remedy
	}{
		{"on its way", peer.Connecting, false, false, true, time.Minute, wait},
		{"never came", peer.Failed, false, false, true, 0, none},
		{"there for the first time", peer.Connected, false, false, true, 0, use},
		{"a first search under its channels", peer.Disconnected, true, false, true, restartEach, restart},
		{"one at a time", peer.Connecting, true, false, true, restartEach - 1, wait},
		{"nobody to say it to", peer.Disconnected, true, false, false, time.Hour, wait},
		{"lost for long", peer.Disconnected, true, true, true, 0, another},
		{"lost for long, and the server, too", peer.Disconnected, true, true, false, time.Hour, wait},
		{"back, and may be silent", peer.Connected, true, true, true, 0, another},
		{"back before the server is", peer.Connected, true, true, false, 0, use},
		{"ended by the endpoint", peer.Closed, true, false, true, 0, another},
		{"given up by ICE", peer.Failed, true, true, false, 0, another},
	} {
		if got := remedyFor(tt.state, tt.connected, tt.stale, tt.heard, tt.idle); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
}

// The pauses grow to a bound, and begin anew with a party that is back.
func TestClimbsAreRare(t *testing.T) {
	var c climbs
	now := time.Unix(1_800_000_000, 0)
	var pauses []time.Duration
	for range 7 {
		c.later(now)
		pauses = append(pauses, c.at.Sub(now))
	}
	if want := []time.Duration{30 * time.Second, time.Minute, 2 * time.Minute, 4 * time.Minute, 8 * time.Minute, lastClimb, lastClimb}; !slices.Equal(pauses, want) {
		t.Errorf("pauses %v, want %v", pauses, want)
	}
}

// within has Run do something, and waits for that.
func (v *Viewer) within(t *testing.T, f func()) {
	t.Helper()
	done := make(chan struct{})
	must(t, v.do(t.Context(), func() {
		defer close(done)
		f()
	}))
	<-done
}

// climbNow has the next search be due.
func (v *Viewer) climbNow() {
	v.way.climbs.at = time.Now()
	v.tick(time.Now())
}

// hears ends the test's deafness: from now on a way is found, however long that takes here.
func (w *world) hears(v *Viewer) {
	w.t.Helper()
	v.within(w.t, func() { v.cfg.Patience = time.Minute })
	w.mu.Lock()
	defer w.mu.Unlock()
	w.deaf = false
}

// What went over the relay for want of a better way goes on there while one is looked for, in vain or not; what was found takes terminals over.
func TestClimbs(t *testing.T) {
	w := newWorld(t, signalling.TransportAuto)
	w.deaf = true
	v, _ := w.run(func(c *Config) { c.Patience = 500 * time.Millisecond })
	w.offer()
	relayed, files := w.open(v, channel.Terminal), w.open(v, channel.Files)
	w.echoes(relayed, "ls")
	v.within(t, v.climbNow)
	w.echoes(relayed, "meanwhile")
	await(t, "the search in vain does not end", func() (over bool) {
		v.within(t, func() { over = v.way.peer == nil && v.way.relayed && v.way.climbs.pause > firstClimb })
		return over
	})
	w.echoes(relayed, "after it")
	w.hears(v)
	v.within(t, v.climbNow)
	if m, err := relayed.Receive(t.Context()); err == nil {
		t.Errorf("the terminal over the relay gives %q, want its end", m.Data)
	}
	w.echoes(w.open(v, channel.Terminal), "pwd")
	w.echoes(files, "list")
	await(t, "no direct path", func() bool { return v.Path().Rung == signalling.RungDirect })
	if _, asked, offers := w.counts(); !slices.Equal(offers, []int{1, 2, 3}) || !slices.Equal(asked, []string{channel.Terminal, channel.Files}) {
		t.Errorf("the relay was asked for %v, connections %v were offered", asked, offers)
	}
}

// A terminal that went over the relay while the endpoint was away is moved as soon as there is a better way, though nobody waits for a channel.
func TestClimbsWhenTheEndpointIsBack(t *testing.T) {
	w := newWorld(t, signalling.TransportAuto)
	w.deaf = true
	v, _ := w.run(func(c *Config) { c.Patience = 500 * time.Millisecond })
	w.offer()
	relayed := w.open(v, channel.Terminal)
	w.echoes(relayed, "ls")
	w.hears(v)
	for _, state := range []string{"reconnecting", "active"} {
		w.fromEndpoint(signalling.State{About: signalling.About{ID: session}, State: state, Transport: signalling.TransportAuto})
	}
	if m, err := relayed.Receive(t.Context()); err == nil {
		t.Errorf("the terminal over the relay gives %q, want its end", m.Data)
	}
	w.echoes(w.open(v, channel.Terminal), "pwd")
	if _, asked, _ := w.counts(); len(asked) != 1 {
		t.Errorf("the relay was asked for %v, want once", asked)
	}
}

// While a terminal goes over the relay the server is asked for signs of life; when it was lost the terminal is attached to anew, and files are not touched.
func TestRelayIsOpenedAnew(t *testing.T) {
	w := newWorld(t, signalling.TransportRelayOnly)
	v, _ := w.run()
	w.offer()
	files := w.open(v, channel.Files)
	tick := func() {
		v.vouched = time.Now().Add(-vouchEach)
		v.tick(time.Now())
	}
	v.within(t, tick)
	if n := w.checks.Load(); n != 0 {
		t.Errorf("the server was asked for %d signs of life for nobody", n)
	}
	terminal := w.open(v, channel.Terminal)
	v.within(t, tick)
	await(t, "the server was not asked for a sign of life", func() bool { return w.checks.Load() > 0 })
	w.cut(false)
	if m, err := terminal.Receive(t.Context()); err == nil {
		t.Errorf("the terminal gives %q, want its end", m.Data)
	}
	w.echoes(w.open(v, channel.Terminal), "ls")
	w.echoes(files, "list")
}

// A program that takes a session over goes on counting where the one before was.
func TestTakesOver(t *testing.T) {
	w := newWorld(t, signalling.TransportAuto)
	first, _ := w.run()
	w.offer()
	w.echoes(w.open(first, channel.Terminal), "ls")
	w.mu.Lock()
	w.line.over <- &RefusedError{Why: "replaced"}
	w.peer = 1
	w.mu.Unlock()
	second, _ := w.run()
	w.echoes(w.open(second, channel.Terminal), "pwd")
	if _, asked, offers := w.counts(); !slices.Equal(offers, []int{1, 2}) || len(asked) != 0 {
		t.Errorf("the relay was asked for %v, connections %v were offered; want 1 and 2", asked, offers)
	}
}

// Whoever loses the way to the endpoint, or finds none, may have lost the server as well: it is asked for a sign of life, once.
func TestLostWayIsDoubted(t *testing.T) {
	t.Run("lost", func(t *testing.T) {
		w := newWorld(t, signalling.TransportAuto)
		v, _ := w.run()
		w.offer()
		w.echoes(w.open(v, channel.Terminal), "ls")
		v.within(t, func() {
			v.way.peer.Close()
			v.tick(time.Now())
		})
		w.echoes(w.open(v, channel.Terminal), "pwd")
		await(t, "the server was not asked for one sign of life", func() bool { return w.checks.Load() == 1 })
	})
	t.Run("none", func(t *testing.T) {
		w := newWorld(t, signalling.TransportTURNOnly)
		v, _ := w.run(func(c *Config) { c.Patience = 500 * time.Millisecond })
		w.offer()
		if _, err := v.Open(t.Context(), channel.Terminal); !errors.Is(err, ErrNoWay) {
			t.Errorf("Open() = %v, want %v", err, ErrNoWay)
		}
		await(t, "the server was not asked for a sign of life", func() bool { return w.checks.Load() == 1 })
	})
}
