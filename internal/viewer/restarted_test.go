package viewer

import (
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"signalbox/internal/channel"
	"signalbox/internal/signalling"
)

// restarts has the server say that the TURN server was restarted, over which the endpoint was reached if rung says so.
func (v *Viewer) restarts(t *testing.T, rung string) {
	t.Helper()
	v.within(t, func() {
		v.way.rung = rung
		v.take(v.line, signalling.Restarted{About: v.about()})
	})
}

// A connection over TURN begins ICE anew at once when the TURN server was restarted, and its channels go on; one that goes otherwise is left alone.
func TestTURNIsRestarted(t *testing.T) {
	w := newWorld(t, signalling.TransportAuto)
	var told atomic.Int32
	v, _ := w.run(func(c *Config) { c.OnRestarted = func() { told.Add(1) } })
	w.offer()
	terminal := w.open(v, channel.Terminal)
	w.echoes(terminal, "ls")
	for _, rung := range []string{signalling.RungDirect, signalling.RungRelay, ""} {
		v.restarts(t, rung)
	}
	if _, _, offers := w.counts(); told.Load() != 0 || !slices.Equal(offers, []int{1}) {
		t.Errorf("told %d times, connections %v were offered, though nothing was lost", told.Load(), offers)
	}
	v.restarts(t, signalling.RungTURNTLS)
	await(t, "the offer of the restart is not answered", func() (answered bool) {
		v.within(t, func() { answered = v.way.pending == "" })
		return answered
	})
	w.echoes(terminal, "pwd")
	if _, asked, offers := w.counts(); told.Load() != 1 || !slices.Equal(offers, []int{1, 1}) || len(asked) != 0 {
		t.Errorf("told %d times, connections %v were offered, the relay was asked for %v; want once, and ICE anew", told.Load(), offers, asked)
	}
}

// A connection that has not come up while the TURN server was away is replaced as soon as that is back.
func TestTURNIsRestartedLate(t *testing.T) {
	w := newWorld(t, signalling.TransportAuto)
	w.deaf = true
	v, _ := w.run(func(c *Config) { c.Patience = time.Minute })
	w.offer()
	opened := make(chan channel.Conn, 1)
	go func() {
		c, _ := v.Open(t.Context(), channel.Terminal)
		opened <- c
	}()
	await(t, "no connection was offered", func() bool {
		_, _, offers := w.counts()
		return len(offers) == 1
	})
	w.mu.Lock()
	w.deaf = false
	w.mu.Unlock()
	v.restarts(t, signalling.RungTURNUDP)
	terminal := <-opened
	if terminal == nil {
		t.Fatal("no terminal")
	}
	w.echoes(terminal, "ls")
	if _, asked, offers := w.counts(); !slices.Equal(offers, []int{1, 2}) || len(asked) != 0 {
		t.Errorf("connections %v were offered, the relay was asked for %v; want another one", offers, asked)
	}
	must(t, terminal.Close())
}
