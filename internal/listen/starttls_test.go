package listen

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"testing"
	"testing/synctest"
	"time"

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
	if n := w.server.places.taken.Load(); n != 0 {
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

// TestStartTLSEnds has a client that does not go on after <proceed/>, and a caller that ends.
func TestStartTLSEnds(t *testing.T) {
	tests := []struct {
		name  string
		limit time.Duration // of the caller
		after time.Duration
		want  Reason
	}{
		{"client", time.Hour, Default().HandshakeTimeout, HandshakeTimeout},
		{"caller", time.Second, time.Second, Stopping},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, testConfig(), STARTTLS)
				writes(t, dialPipe(t, w.pipes("xmpp")), "<")
				h := w.next()
				reads(t, h.conn, "<")
				ctx, cancel := context.WithTimeout(t.Context(), tt.limit)
				defer cancel()
				start := time.Now()
				if _, _, err := w.server.StartTLS(ctx, h.conn); err == nil {
					t.Error("StartTLS() = nil")
				}
				if took := time.Since(start); took != tt.after {
					t.Errorf("StartTLS() took %v, want %v", took, tt.after)
				}
				w.wantClosed(tt.want)
				w.stop()
			})
		})
	}
}

// TestStartTLSForeign upgrades a connection that this listener did not accept.
func TestStartTLSForeign(t *testing.T) {
	w := newWorld(t, testConfig())
	client, server := net.Pipe()
	defer client.Close()
	defer server.Close()
	c := tls.Client(client, w.clientTLS())
	handshake := make(chan error, 1)
	go func() { handshake <- c.Handshake() }()
	_, facts, err := w.server.StartTLS(t.Context(), server)
	if err != nil || !facts.Secure() {
		t.Fatalf("StartTLS() = %+v, %v", facts, err)
	}
	if err := <-handshake; err != nil {
		t.Error(err)
	}
}
