package listen

import (
	"crypto/tls"
	"errors"
	"testing"

	"signalbox/internal/link"
)

func TestStartTLS(t *testing.T) {
	w := newWorld(t, testConfig(), STARTTLS).start()
	raw := w.dial("xmpp")
	writes(t, raw, "<starttls/>")
	h := w.next()
	if h.info.Via != link.ViaSTARTTLS || h.info.TLS.Secure() {
		t.Errorf("info = %+v, want a plain connection via starttls", h.info)
	}
	reads(t, h.conn, "<starttls/>")
	writes(t, h.conn, "<proceed/>")
	reads(t, raw, "<proceed/>")

	c := tls.Client(raw, w.clientTLS())
	handshake := make(chan error, 1)
	go func() { handshake <- c.Handshake() }()
	secured, facts, err := w.server.StartTLS(t.Context(), h.conn)
	if err != nil {
		t.Fatal(err)
	}
	if err := <-handshake; err != nil {
		t.Fatal(err)
	}
	if facts.Version != tls.VersionTLS13 || len(facts.Exporter) != 32 || facts.ServerName != testDomain {
		t.Errorf("facts = %+v", facts)
	}
	if w.server.sources.open[sourceOf(h.info.Remote.Addr())] != 1 {
		t.Error("the connection is not counted")
	}
	writes(t, c, "<stream>")
	reads(t, secured, "<stream>")
	secured.Close()
	closes(t, c)
	if n := w.server.total.Load(); n != 0 {
		t.Errorf("%d connections are counted after the close, want 0", n)
	}
}

// TestStartTLSAhead has plain text between <starttls/> and the handshake, which must not be taken for a part of either.
func TestStartTLSAhead(t *testing.T) {
	w := newWorld(t, testConfig(), STARTTLS).start()
	raw := w.dial("xmpp")
	writes(t, raw, "<s/><iq/>")
	h := w.next()
	reads(t, h.conn, "<s/>")
	if _, _, err := w.server.StartTLS(t.Context(), h.conn); err == nil {
		t.Fatal("StartTLS() took plain text for a hello")
	}
	// Bytes that were looked at already are refused without a look at the rest.
	raw = w.dial("xmpp")
	writes(t, raw, "<starttls/>")
	h = w.next()
	if _, _, err := w.server.StartTLS(t.Context(), h.conn); !errors.Is(err, errAhead) {
		t.Errorf("StartTLS() = %v, want %v", err, errAhead)
	}
}
