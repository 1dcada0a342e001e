package turn

import (
	"errors"
	"net"
	"sync"
	"testing"
	"time"

	"signalbox/turn/turntest"
	"signalbox/turn/wire"
)

// TestRevocation: when End returns, nothing of the session is relayed any more, however much its clients send.
func TestRevocation(t *testing.T) {
	w := start(t, settings())
	w.open("ses_1")
	a, relayedA := w.allocated("udp", "ses_1", 'a')
	b, relayedB := w.allocated("tcp", "ses_1", 'b')
	if err := a.Bind(0x4000, relayedB); err != nil {
		t.Fatal(err)
	}
	if err := b.Permit(relayedA); err != nil {
		t.Fatal(err)
	}
	counters := w.path.At(relayedA).Owner().Counters()
	stop := make(chan struct{})
	var flood sync.WaitGroup
	flood.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				_ = a.SendChannel(0x4000, make([]byte, 1000)) // a full socket loses it
			}
		}
	})
	received := make(chan error, 1)
	go func() {
		for {
			if _, err := b.Receive(); err != nil {
				received <- err
				return
			}
		}
	}()
	waitFor(t, "traffic", func() bool { return counters.Snapshot().PacketsUp > 1000 })
	if _, found := w.End("ses_1", "test"); !found {
		t.Fatal("there is no session")
	}
	w.answers("udp") // what was sent before is counted
	at := counters.Snapshot()
	for range 1000 {
		if err := a.SendChannel(0x4000, make([]byte, 1000)); err != nil && !errors.Is(err, net.ErrClosed) {
			t.Fatal(err)
		}
	}
	w.answers("udp") // behind all of that
	if now := counters.Snapshot(); now.PacketsUp != at.PacketsUp || now.PacketsDown != at.PacketsDown {
		t.Errorf("%d packets up and %d down after the end", now.PacketsUp-at.PacketsUp, now.PacketsDown-at.PacketsDown)
	}
	close(stop)
	flood.Wait()
	_ = b.Close()
	<-received
	if w.path.At(relayedA) != nil || w.path.At(relayedB) != nil {
		t.Error("a relay socket is still there")
	}
}

// answers sends a Binding request until it is answered: it is lost where the flood has filled the socket.
func (w *world) answers(network string) {
	w.t.Helper()
	c, id := w.dial(network), turntest.NewID()
	request := c.Build(wire.TypeBindingRequest, id)
	answered := make(chan struct{})
	var again sync.WaitGroup
	again.Go(func() {
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				_, _ = c.Write(request)
			case <-answered:
				return
			}
		}
	})
	err := c.Exchange(request, id)
	close(answered)
	again.Wait()
	if err != nil {
		w.t.Fatal(err)
	}
}
