package app

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"

	"signalbox/internal/link"
)

// webBench runs a web in a bubble, with connections in memory.
type webBench struct {
	t    *testing.T
	web  *web
	stop context.CancelFunc
	done chan error
}

func newWebBench(t *testing.T, handler http.HandlerFunc) *webBench {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	b := &webBench{t: t, web: newWeb(zap.NewNop()), stop: stop, done: make(chan error, 1)}
	go func() { b.done <- b.web.Run(ctx, handler) }()
	return b
}

// end stops it and returns how long that took.
func (b *webBench) end() time.Duration {
	b.t.Helper()
	start := time.Now()
	b.stop()
	if err := <-b.done; err != nil {
		b.t.Errorf("Run() = %v", err)
	}
	return time.Since(start)
}

func (b *webBench) dial() net.Conn {
	client, server := net.Pipe()
	b.t.Cleanup(func() { _ = client.Close() })
	b.web.ServeConn(b.t.Context(), server, link.Info{Remote: netip.MustParseAddrPort("192.0.2.1:1")})
	return client
}

func TestWebServes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newWebBench(t, func(w http.ResponseWriter, r *http.Request) {
			info, _ := link.FromContext(r.Context())
			_, _ = io.WriteString(w, info.Remote.String())
		})
		c := b.dial()
		go io.WriteString(c, "GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n")
		all, err := io.ReadAll(c) // one answer, and the connection is closed
		if text := string(all); err != nil || strings.Count(text, "HTTP/1.1 200") != 1 || !strings.HasSuffix(text, "192.0.2.1:1") || !strings.Contains(text, "Connection: close") {
			t.Errorf("answered %q, %v", text, err)
		}
		b.end()
	})
}

// TestWebIsPatientOnlyFor: strangers who do not finish are closed (row 25).
func TestWebIsPatientOnlyFor(t *testing.T) {
	for _, tc := range []struct {
		name, says string
		each       time.Duration // between two bytes of a header that never ends
		want       time.Duration
	}{
		{"silence", "", 0, webHeaderTimeout},
		{"half a header", "GET / HTTP/1.1\r\nHost: a\r\nX: ", 0, webHeaderTimeout},
		{"a header that never ends", "GET / HTTP/1.1\r\nHost: a\r\nX: ", time.Second, webHeaderTimeout},
		{"half a body", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nx", 0, webReadTimeout},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newWebBench(t, func(w http.ResponseWriter, r *http.Request) {
					if _, err := io.Copy(io.Discard, r.Body); err == nil {
						t.Error("the body came to an end")
					}
				})
				c := b.dial()
				start := time.Now()
				said := make(chan struct{})
				go func() {
					defer close(said)
					_, err := io.WriteString(c, tc.says)
					for err == nil && tc.each > 0 {
						time.Sleep(tc.each)
						_, err = io.WriteString(c, "x")
					}
				}()
				_, _ = io.ReadAll(c)
				if took := time.Since(start); took < tc.want || took > tc.want+time.Second {
					t.Errorf("closed after %v, want %v", took, tc.want)
				}
				_ = c.Close()
				<-said
				b.end()
			})
		})
	}
}

func TestWebBoundsHeadersAndBodies(t *testing.T) {
	for _, tc := range []struct{ name, says, want string }{
		{"header", "GET / HTTP/1.1\r\nHost: a\r\nX: " + strings.Repeat("x", 8<<10) + "\r\n\r\n", "431"},
		{"body", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n" + strings.Repeat("x", 100000), "413"},
		{"nothing of the kind", "GET / HTTP/1.1\r\nHost: a\r\nX: " + strings.Repeat("x", 7<<10) + "\r\n\r\n", "200"},
		{"XMPP", "<?xml version='1.0'?><stream:stream to='a'>\r\n\r\n", "400"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newWebBench(t, func(w http.ResponseWriter, r *http.Request) {
					if _, err := io.Copy(io.Discard, r.Body); err != nil {
						http.Error(w, "", http.StatusRequestEntityTooLarge)
					}
				})
				c := b.dial()
				go io.WriteString(c, tc.says)
				resp, err := http.ReadResponse(bufio.NewReader(c), nil)
				if err != nil || !strings.HasPrefix(resp.Status, tc.want) {
					t.Errorf("answered %+v, %v, want %s", resp, err, tc.want)
				}
				_ = c.Close()
				b.end()
			})
		})
	}
}

// TestWebStops: it waits for handlers, also behind an upgrade, whose context ends; it does not wait long for strangers; it takes nobody any more.
func TestWebStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newWebBench(t, func(w http.ResponseWriter, r *http.Request) {
			c, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			<-r.Context().Done()
			time.Sleep(10 * time.Second)
			_ = c.Close()
		})
		half, upgraded := b.dial(), b.dial()
		go io.WriteString(half, "GET / HT")
		go io.WriteString(upgraded, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
		synctest.Wait()
		if took := b.end(); took != 10*time.Second {
			t.Errorf("stopped after %v", took)
		}
		late := b.dial()
		if _, err := late.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("a connection behind the end: %v", err)
		}
	})
}

// ask sends a request on a connection and returns the answer.
func ask(t *testing.T, c net.Conn, r *bufio.Reader, path string) *http.Response {
	t.Helper()
	go io.WriteString(c, "GET "+path+" HTTP/1.1\r\nHost: a\r\n\r\n")
	resp, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		t.Fatal(err)
	}
	return resp
}

// TestWebKeepsConsole: connections on which the console is asked for carry more requests, so many and for so long, and give their place back.
func TestWebKeepsConsole(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newWebBench(t, func(w http.ResponseWriter, r *http.Request) {})
		c := b.dial()
		r := bufio.NewReader(c)
		for i := range webKeptRequests {
			if resp := ask(t, c, r, "/console/x"); resp.Close != (i == webKeptRequests-1) {
				t.Fatalf("request %d: close %v", i, resp.Close)
			}
		}
		if _, err := r.ReadByte(); err != io.EOF {
			t.Errorf("after the last request: %v", err)
		}
		other := b.dial()
		r = bufio.NewReader(other)
		ask(t, other, r, "/console/x")
		if resp := ask(t, other, r, "/upload/x"); !resp.Close {
			t.Error("a connection is kept for another path")
		}
		idle := b.dial()
		r = bufio.NewReader(idle)
		ask(t, idle, r, "/console/x")
		start := time.Now()
		if _, err := r.ReadByte(); err != io.EOF || time.Since(start) != webKeptIdle {
			t.Errorf("a kept connection without requests: %v after %v", err, time.Since(start))
		}
		synctest.Wait()
		if b.web.kept != 0 {
			t.Errorf("%d places are taken by nobody", b.web.kept)
		}
		b.end()
	})
}

// TestWebKeepsSoMany: beyond the bound each connection carries one request; an upgrade takes no place.
func TestWebKeepsSoMany(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newWebBench(t, func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Upgrade") != "" {
				c, _, err := http.NewResponseController(w).Hijack()
				if err != nil {
					t.Error(err)
					return
				}
				_ = c.Close()
			}
		})
		upgraded := b.dial()
		go io.WriteString(upgraded, "GET /console/signal HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\r\n")
		if _, err := io.ReadAll(upgraded); err != nil {
			t.Error(err)
		}
		for i := range webKeptConns + 1 {
			c := b.dial()
			if resp := ask(t, c, bufio.NewReader(c), "/console/x"); resp.Close != (i == webKeptConns) {
				t.Fatalf("connection %d: close %v", i, resp.Close)
			}
		}
		if took := b.end(); took > webShutdown {
			t.Errorf("kept connections hold up the stop for %v", took)
		}
	})
}
