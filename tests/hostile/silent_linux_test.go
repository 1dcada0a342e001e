package hostile

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"testing"
	"time"
)

// TestSilent: a crowd that connects and says nothing, at every stage of a login.
func TestSilent(t *testing.T) {
	n := crowdSize(t)
	for _, tc := range []struct {
		name    string
		members int
		most    int64
		visit   func(s *stand) func(context.Context, int, func()) error
	}{
		{"after TCP", n, int64(n) * 24 << 10, silentTCP},
		{"after TLS without ALPN", n / 10, int64(n/10) * 80 << 10, silentTLS}, // they are back with another handshake every two seconds
		{"after TLS", n / 2, int64(n/2) * 80 << 10, silentStream},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := newStand(t, settings{})
			s.run(attack{members: tc.members, most: tc.most + peakNoise, visit: tc.visit(s)})
		})
	}
}

// peakNoise is what a peak may have by accident: garbage that is not collected yet.
const peakNoise = 24 << 20

func silentTCP(s *stand) func(context.Context, int, func()) error {
	return func(ctx context.Context, _ int, standing func()) error {
		w, err := s.connect(ctx, hostileSource, "tls")
		if err != nil {
			return err
		}
		standing()
		return w.wantClosed()
	}
}

// silentTLS names no protocol, so the server waits for the first byte inside TLS.
func silentTLS(s *stand) func(context.Context, int, func()) error {
	cfg := s.tls.Clone()
	cfg.NextProtos = nil
	return func(ctx context.Context, _ int, standing func()) error {
		w, err := s.connect(ctx, hostileSource, "tls")
		if err != nil {
			return err
		}
		if err := w.secure(ctx, cfg); err != nil {
			return err
		}
		standing()
		return w.wantClosed()
	}
}

func silentStream(s *stand) func(context.Context, int, func()) error {
	return func(ctx context.Context, _ int, standing func()) error {
		w, err := s.connectTLS(ctx, hostileSource)
		if err != nil {
			return err
		}
		standing()
		return w.wantOutcome("connection-timeout")
	}
}

// TestSlow: a crowd that says a byte per second.
func TestSlow(t *testing.T) {
	n := crowdSize(t)
	for _, tc := range []struct {
		name    string
		members int
		visit   func(*testing.T, *stand) func(context.Context, int, func()) error
	}{
		{"hello", n / 2, slowHello},
		{"stream header", n / 4, slowHeader},
		{"stream header in plain text", n / 2, slowPlainHeader},
		{"login", n / 4, slowLogin},
		{"stanza", n / 10, slowStanza},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := newStand(t, settings{})
			s.run(attack{members: tc.members, most: int64(tc.members)*80<<10 + peakNoise, visit: tc.visit(t, s)})
		})
	}
}

// dribble says text a byte per second until the stream is over, which whoever reads sees.
func dribble(ctx context.Context, w *wire, text string, standing func(), outcome func() error) error {
	ctx, over := context.WithCancel(ctx)
	said := make(chan struct{})
	go func() {
		defer close(said)
		ticks := time.NewTicker(time.Second)
		defer ticks.Stop()
		for i := range len(text) {
			if _, err := io.WriteString(w.Conn, text[i:i+1]); err != nil {
				return
			}
			standing()
			select {
			case <-ticks.C:
			case <-ctx.Done():
				return
			}
		}
	}()
	err := outcome()
	over()
	<-said
	return err
}

func slowHello(t *testing.T, s *stand) func(context.Context, int, func()) error {
	hello := clientHello(t, s.tls)
	return func(ctx context.Context, _ int, standing func()) error {
		w, err := s.connect(ctx, hostileSource, "tls")
		if err != nil {
			return err
		}
		return dribble(ctx, w, hello, standing, w.wantClosed)
	}
}

// clientHello returns the first flight of a TLS client.
func clientHello(t *testing.T, cfg *tls.Config) string {
	t.Helper()
	client, server := net.Pipe()
	defer server.Close()
	go func() { _ = tls.Client(client, cfg).Handshake() }() // ends with the pipe
	b := make([]byte, 16<<10)
	must(t, server.SetReadDeadline(time.Now().Add(patience)))
	n, err := server.Read(b)
	must(t, err)
	return string(b[:n])
}

func slowHeader(_ *testing.T, s *stand) func(context.Context, int, func()) error {
	return func(ctx context.Context, _ int, standing func()) error {
		w, err := s.connectTLS(ctx, hostileSource)
		if err != nil {
			return err
		}
		return dribble(ctx, w, header, standing, func() error { return w.wantOutcome("connection-timeout") })
	}
}

func slowPlainHeader(_ *testing.T, s *stand) func(context.Context, int, func()) error {
	return func(ctx context.Context, _ int, standing func()) error {
		w, err := s.connect(ctx, hostileSource, "xmpp")
		if err != nil {
			return err
		}
		return dribble(ctx, w, header, standing, func() error { return w.wantOutcome("connection-timeout") })
	}
}

func slowLogin(_ *testing.T, s *stand) func(context.Context, int, func()) error {
	return func(ctx context.Context, _ int, standing func()) error {
		w, err := s.connectTLS(ctx, hostileSource)
		if err == nil {
			err = w.ask(header, "</stream:features>")
		}
		if err != nil {
			return err
		}
		return dribble(ctx, w, scramText, standing, func() error { return w.wantOutcome("connection-timeout") })
	}
}

// slowStanza logs in first: these are endpoints with good credentials.
func slowStanza(t *testing.T, s *stand) func(context.Context, int, func()) error {
	ids := s.register("slow", crowdSize(t)/10)
	return func(ctx context.Context, member int, standing func()) error {
		w, err := s.enter(ctx, hostileSource, ids[member])
		if err != nil {
			return err
		}
		return dribble(ctx, w, "<message><body>never to be finished</body></message>", standing, func() error { return w.wantOutcome("policy-violation") })
	}
}
