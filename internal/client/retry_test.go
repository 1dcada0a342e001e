package client_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"signalbox/internal/client"
)

// busyFor answers 503 so often, then 200 with an empty object, and counts.
type busyFor struct {
	times int32
	calls atomic.Int32
}

func (b *busyFor) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	if b.calls.Add(1) <= b.times {
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = io.WriteString(w, `{"code":"busy","status":503,"title":"t","detail":"d"}`)
		return
	}
	_, _ = io.WriteString(w, `{}`)
}

func TestWhatIsRepeatedWhenTheServerIsBusy(t *testing.T) {
	for _, tt := range []struct {
		name  string
		do    func(context.Context, *client.Client) error
		calls int32
	}{
		{"get", func(ctx context.Context, c *client.Client) error { _, err := c.Version(ctx); return err }, 3},
		{"delete", func(ctx context.Context, c *client.Client) error { return c.DeleteEndpoint(ctx, "a") }, 3},
		{"push with key", func(ctx context.Context, c *client.Client) error {
			_, err := c.SendPush(ctx, client.NewPush{IdempotencyKey: "k"})
			return err
		}, 3},
		{"push without key", func(ctx context.Context, c *client.Client) error {
			_, err := c.SendPush(ctx, client.NewPush{})
			return err
		}, 1},
		{"create", func(ctx context.Context, c *client.Client) error {
			_, err := c.CreateEndpoint(ctx, client.NewEndpoint{})
			return err
		}, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			server := &busyFor{times: 2}
			err := tt.do(t.Context(), dial(t, server, "", client.Options{}))
			if got := server.calls.Load(); got != tt.calls || (err == nil) != (tt.calls == 3) {
				t.Errorf("%d calls, error %v; want %d calls", got, err, tt.calls)
			}
		})
	}
}

func TestTriesAreBounded(t *testing.T) {
	server := &busyFor{times: 100}
	_, err := dial(t, server, "", client.Options{Tries: 2}).Version(t.Context())
	wantProblem(t, err, 503, "busy", "")
	if got := server.calls.Load(); got != 2 {
		t.Errorf("%d calls, want 2", got)
	}
}

// TestBrokenConnections cuts the connection after the request was read: it may have taken effect.
func TestBrokenConnections(t *testing.T) {
	cuts := map[string]func(http.ResponseWriter){
		"before the answer": func(http.ResponseWriter) {},
		"in a body of known length": func(w http.ResponseWriter) {
			w.Header().Set("Content-Length", "10")
			_, _ = io.WriteString(w, `{`)
			_ = http.NewResponseController(w).Flush()
		},
		"in a body of unknown length": func(w http.ResponseWriter) {
			_, _ = io.WriteString(w, `{`)
			_ = http.NewResponseController(w).Flush()
		},
	}
	for _, tt := range []struct {
		name  string
		do    func(context.Context, *client.Client) error
		again bool
	}{
		{"get", func(ctx context.Context, c *client.Client) error { _, err := c.Version(ctx); return err }, true},
		{"push with key", func(ctx context.Context, c *client.Client) error {
			_, err := c.SendPush(ctx, client.NewPush{IdempotencyKey: "k"})
			return err
		}, true},
		{"push without key", func(ctx context.Context, c *client.Client) error {
			_, err := c.SendPush(ctx, client.NewPush{})
			return err
		}, false},
		{"delete", func(ctx context.Context, c *client.Client) error { return c.DeleteEndpoint(ctx, "a") }, false},
	} {
		for where, cut := range cuts {
			t.Run(tt.name+" "+where, func(t *testing.T) {
				var calls atomic.Int32
				h := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
					if calls.Add(1) == 1 {
						cut(w)
						panic(http.ErrAbortHandler)
					}
					_, _ = io.WriteString(w, `{}`)
				})
				err := tt.do(t.Context(), dial(t, h, "", client.Options{}))
				if (err == nil) != tt.again || (calls.Load() == 2) != tt.again {
					t.Errorf("error %v after %d calls, repeating is safe: %v", err, calls.Load(), tt.again)
				}
			})
		}
	}
}

func TestRefusedConnectionIsTriedAgain(t *testing.T) {
	c, err := client.New("http://127.0.0.1:1", "", client.Options{Tries: 3}) // where nobody listens
	must(t, err)
	start := time.Now()
	_, err = c.CreateEndpoint(t.Context(), client.NewEndpoint{ID: "a"})
	var op *net.OpError
	if !errors.As(err, &op) {
		t.Fatalf("error = %v", err)
	}
	if took := time.Since(start); took < 100*time.Millisecond {
		t.Errorf("three tries took %v: it did not wait between them", took)
	}
}

func TestTheContextEndsTheWait(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	h := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "3600")
		w.WriteHeader(http.StatusServiceUnavailable)
		cancel()
	})
	_, err := dial(t, h, "", client.Options{}).Version(ctx)
	if err == nil {
		t.Error("no error")
	}
}

func TestAnswersOfOthers(t *testing.T) {
	for _, tt := range []struct {
		name    string
		handler http.HandlerFunc
		want    string
	}{
		{"proxy", func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, "<html>bad gateway", http.StatusBadGateway)
		}, "not from Signalbox"},
		{"redirect", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://elsewhere.test/", http.StatusFound)
		}, "302"},
		{"page", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>") }, "not what the API promises"},
		{"broken problem", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/problem+json")
			w.WriteHeader(http.StatusBadRequest)
		}, "not from Signalbox"},
		{"endless", func(w http.ResponseWriter, r *http.Request) {
			chunk := []byte(strings.Repeat("x", 1<<20))
			for r.Context().Err() == nil {
				if _, err := w.Write(chunk); err != nil {
					return
				}
			}
		}, "more than"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := dial(t, tt.handler, "sbx_secret", client.Options{Tries: 1}).Version(t.Context())
			if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "sbx_secret") {
				t.Errorf("error = %v, want one with %q", err, tt.want)
			}
		})
	}
}

func TestTimeout(t *testing.T) {
	release := make(chan struct{})
	h := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release })
	srv := httptest.NewServer(h)
	c, err := client.New(srv.URL, "", client.Options{Timeout: 50 * time.Millisecond, Tries: 1})
	must(t, err)
	_, err = c.Version(t.Context())
	var network net.Error
	if !errors.As(err, &network) || !network.Timeout() {
		t.Errorf("error = %v, want a timeout", err)
	}
	close(release)
	c.Close()
	srv.Close()
}

func TestNewRefuses(t *testing.T) {
	for _, tt := range []struct{ url, token string }{
		{"", ""}, {"127.0.0.1:8080", ""}, {"ftp://host", ""}, {"http://", ""}, {"http://user:pass@host", ""}, {"http://host?token=x", ""}, {"http://host/#x", ""},
		{"http://host\x7f", ""}, {"http://host", "two\r\nlines"}, {"http://host", "a b"},
	} {
		_, err := client.New(tt.url, tt.token, client.Options{})
		if err == nil {
			t.Errorf("New(%q, %q) takes it", tt.url, tt.token)
		} else if strings.Contains(err.Error(), "pass@") {
			t.Errorf("error %q shows the password", err)
		}
	}
}
