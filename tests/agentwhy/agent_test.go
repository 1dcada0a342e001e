package agentwhy

import (
	"bufio"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest"

	"signalbox/internal/agent"
	"signalbox/internal/agent/doctor"
	"signalbox/internal/agent/status"
	"signalbox/tests/harness"
)

const secret = "s3cret-1"

// register creates the endpoint pc-1.
func register(t *testing.T, s *harness.Server) {
	t.Helper()
	s.Call(t, http.MethodPost, "/v1/endpoints", fmt.Sprintf(`{"id":"pc-1","secret":%q}`, secret), http.StatusCreated)
}

// configuration is that of an agent for pc-1 on the direct port.
func configuration(t *testing.T, s *harness.Server) agent.Config {
	t.Helper()
	cfg := agent.Default()
	cfg.ID, cfg.Domain, cfg.Secret = "pc-1", harness.Domain, secret
	cfg.Addresses, cfg.CAFile, cfg.Proxy = []string{s.Addr("tls")}, s.CAFile, "direct"
	cfg.StateDir = filepath.Join(t.TempDir(), "state")
	return cfg
}

// run runs an agent until the test ends.
func run(t *testing.T, cfg agent.Config) {
	t.Helper()
	a, err := agent.New(cfg, "test", zaptest.NewLogger(t, zaptest.Level(zap.FatalLevel)))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("agent ended with %v", err)
		}
	})
}

// await waits until the agent's status is as wanted.
func await(t *testing.T, cfg agent.Config, what string, ok func(status.Status) bool) status.Status {
	t.Helper()
	var s status.Status
	var err error
	harness.Await(t, func() bool {
		s, err = agent.ReadStatus(cfg.StateDir)
		return err == nil && ok(s)
	}, func() string { return fmt.Sprintf("status %+v, %v, want %s", s, err, what) })
	return s
}

func online(s status.Status) bool { return s.Running && s.State == status.Online }

func failedWith(code string) func(status.Status) bool {
	return func(s status.Status) bool { return s.LastFailure != nil && s.LastFailure.Code == code }
}

// find returns the check with this code.
func find(t *testing.T, checks []doctor.Check, code string) doctor.Check {
	t.Helper()
	for _, c := range checks {
		if c.Code == code {
			return c
		}
	}
	t.Fatalf("no check with code %q in %+v", code, checks)
	return doctor.Check{}
}

// proxy is an HTTP proxy with a password. It returns its address and counts the tunnels that it opened.
func proxy(t *testing.T, user, password string) (address string, tunnels *atomic.Int32) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	tunnels = new(atomic.Int32)
	want := "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
	var running sync.WaitGroup
	running.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			running.Go(func() {
				defer conn.Close()
				r, err := http.ReadRequest(bufio.NewReader(conn))
				if err != nil {
					return
				}
				if r.Header.Get("Proxy-Authorization") != want {
					_, _ = io.WriteString(conn, "HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm=\"x\"\r\n\r\n")
					return
				}
				onward, err := net.Dial("tcp", r.Host)
				if err != nil {
					_, _ = io.WriteString(conn, "HTTP/1.1 502 Bad Gateway\r\n\r\n")
					return
				}
				defer onward.Close()
				tunnels.Add(1)
				_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\n\r\n")
				running.Go(func() { _, _ = io.Copy(onward, conn); onward.Close() })
				_, _ = io.Copy(conn, onward)
			})
		}
	})
	t.Cleanup(func() { l.Close(); running.Wait() })
	return l.Addr().String(), tunnels
}

// cuttable passes connections on to address until cut is called, which ends them all.
func cuttable(t *testing.T, address string) (at string, cut func()) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var open []net.Conn
	var running sync.WaitGroup
	cut = func() {
		mu.Lock()
		defer mu.Unlock()
		for _, conn := range open {
			conn.Close()
		}
		open = nil
	}
	running.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			onward, err := net.Dial("tcp", address)
			if err != nil {
				conn.Close()
				continue
			}
			mu.Lock()
			open = append(open, conn, onward)
			mu.Unlock()
			running.Go(func() { _, _ = io.Copy(onward, conn); onward.Close() })
			running.Go(func() { _, _ = io.Copy(conn, onward); conn.Close() })
		}
	})
	t.Cleanup(func() { l.Close(); cut(); running.Wait() })
	return l.Addr().String(), cut
}
