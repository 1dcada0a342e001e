package listen

import (
	"crypto/tls"
	"strings"
	"testing"
	"time"
)

// TestAlive: the loops of a server that runs wait for connections; one that has ended under an open port, or does not come back from a connection, is named.
func TestAlive(t *testing.T) {
	w := newWorld(t, testConfig(), XMPP)
	if err := w.server.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := w.server.Alive(); err != nil {
		t.Errorf("Alive before Run = %v, want nil", err)
	}
	w.run()
	writes(t, tls.Client(w.dial("tls"), w.clientTLS("xmpp-client")), "<")
	reads(t, w.next().conn, "<")
	if err := w.server.Alive(); err != nil {
		t.Errorf("Alive = %v, want nil", err)
	}

	p := w.server.ports[0]
	p.mu.Lock()
	l, socket := p.loop, p.socket
	p.mu.Unlock()
	w.until(func() bool { return l.since.Load() == 0 }) // it has left the connection before, which would undo what comes
	l.since.Store(time.Now().Add(-hungAfter - time.Second).UnixNano())
	if err := w.server.Alive(); err == nil || !strings.Contains(err.Error(), "hangs") {
		t.Errorf("Alive of a loop that hangs = %v", err)
	}
	l.waits()

	if err := socket.Close(); err != nil {
		t.Fatal(err)
	}
	w.until(func() bool { return w.server.Alive() != nil })
	if err := w.server.Alive(); !strings.Contains(err.Error(), "the accept loop of "+p.name+" on "+p.addr+" has ended") {
		t.Errorf("Alive of a loop that has ended = %v", err)
	}
	w.server.Stop()
	if err := w.server.Alive(); err != nil {
		t.Errorf("Alive after Stop = %v, want nil: nobody shall accept any more", err)
	}
}
