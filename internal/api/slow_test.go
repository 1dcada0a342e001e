package api

import (
	"context"
	"crypto/sha256"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"signalbox/internal/access"
)

// pipes is a listener of connections that exist in this process alone, so that virtual time can pass.
type pipes struct {
	accepted chan net.Conn
	closed   chan struct{}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.accepted:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error { close(p.closed); return nil }

func (*pipes) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8080} }

func (p *pipes) dial() net.Conn {
	client, server := net.Pipe()
	p.accepted <- server
	return client
}

// oneToken is a store that knows every secret as an admin's.
type oneToken struct{ access.Store }

func (oneToken) TokenByHash(context.Context, [sha256.Size]byte) (access.Token, error) {
	return access.Token{ID: "tok_1", Scopes: []access.Scope{access.ScopeAdmin}}, nil
}

// TestSlowCallersAreCut sends a beginning and then nothing, in virtual time.
func TestSlowCallersAreCut(t *testing.T) {
	secret := "sbx_" + strings.Repeat("A", 43)
	for _, tt := range []struct {
		name, send string
		after      time.Duration
		want       string
	}{
		{"nothing", "", readHeaderTimeout, ""},
		{"half a header", "GET /livez HTTP/1.1\r\nHost: x\r\n", readHeaderTimeout, ""},
		{
			"half a body", "POST /v1/tokens HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + secret +
				"\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{", readTimeout, `"code":"request_timeout"`,
		},
		{"idle", "GET /livez HTTP/1.1\r\nHost: x\r\n\r\n", idleTimeout, `{"ok":true}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, err := New(Default(), Deps{Tokens: access.New(oneToken{}, time.Now), Metrics: http.NotFoundHandler()}, zap.NewNop(), prometheus.NewRegistry())
				if err != nil {
					t.Fatal(err)
				}
				ctx, cancel := context.WithCancel(t.Context())
				l := &pipes{accepted: make(chan net.Conn), closed: make(chan struct{})}
				served := make(chan error)
				go func() { served <- s.Serve(ctx, l) }()
				c := l.dial()
				defer c.Close()
				start := time.Now()
				go func() { _, _ = io.WriteString(c, tt.send) }() // the server may stop reading at any byte
				got, err := io.ReadAll(c)
				if took := time.Since(start); took != tt.after || !strings.Contains(string(got), tt.want) || (tt.want == "" && strings.Contains(string(got), "200 OK")) {
					t.Errorf("closed after %v with %q, %v; want after %v", took, got, err, tt.after)
				}
				cancel()
				if err := <-served; err != nil {
					t.Errorf("Serve = %v", err)
				}
			})
		})
	}
}

// TestCutRequestsAreAwaited: the server does not end before requests that it cut off have ended, unless they take too long for that, too.
func TestCutRequestsAreAwaited(t *testing.T) {
	for _, tt := range []struct {
		name           string
		goesOn, server time.Duration // what the request takes once its context has ended, and the server once it was told to stop
		errors         int
	}{
		{"notices", time.Second, shutdownTimeout + time.Second, 0},
		{"does not notice", time.Hour, shutdownTimeout + cutTimeout, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				core, logs := observer.New(zap.ErrorLevel)
				s, err := New(Default(), Deps{Metrics: http.NotFoundHandler()}, zap.New(core), prometheus.NewRegistry())
				if err != nil {
					t.Fatal(err)
				}
				begun, ended := make(chan struct{}), make(chan struct{})
				s.mux.HandleFunc("GET /held", func(_ http.ResponseWriter, r *http.Request) {
					defer close(ended)
					close(begun)
					<-r.Context().Done()
					time.Sleep(tt.goesOn)
				})
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				l := &pipes{accepted: make(chan net.Conn), closed: make(chan struct{})}
				served := make(chan error)
				go func() { served <- s.Serve(ctx, l) }()
				c := l.dial()
				defer c.Close()
				if _, err := io.WriteString(c, "GET /held HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
					t.Fatal(err)
				}
				<-begun
				start := time.Now()
				cancel()
				err = <-served
				if took := time.Since(start); err != nil || took != tt.server || logs.Len() != tt.errors {
					t.Errorf("Serve = %v after %v with %d errors in the log, want nil after %v with %d", err, took, logs.Len(), tt.server, tt.errors)
				}
				<-ended
			})
		})
	}
}
