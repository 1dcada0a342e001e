package agentwhy

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"signalbox/internal/agent/doctor"
	"signalbox/internal/agent/status"
	"signalbox/tests/harness"
)

// TestStatusOfASession: an agent that is online says through what, and its doctor, which logs in beside it, leaves it online.
func TestStatusOfASession(t *testing.T) {
	t.Parallel()
	s := harness.Start(t)
	register(t, s)
	at, tunnels := proxy(t, "user", "hunter2")
	cfg := configuration(t, s)
	cfg.Proxy = "http://user@" + at
	cfg.ProxyPasswordFile = filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(cfg.ProxyPasswordFile, []byte("hunter2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	run(t, cfg)
	st := await(t, cfg, "online", online)
	if th := st.Through; th.Via != "http://"+at || th.Address != s.Addr("tls") || th.TLS != "TLS 1.3" || th.Keepalive != "45s" {
		t.Errorf("through %+v", th)
	}
	checks := doctor.Examine(t.Context(), doctor.Installation{Config: cfg})
	for _, c := range checks {
		if !c.OK || c.Warning {
			t.Errorf("doctor beside a healthy agent: %+v", c)
		}
	}
	if last := checks[len(checks)-1]; last.Step != "agent" || !strings.HasPrefix(last.Detail, "online since ") {
		t.Errorf("last check %+v, want the agent online", last)
	}
	if after := await(t, cfg, "online", online); !after.Since.Equal(st.Since) {
		t.Errorf("online since %v, was %v: the doctor threw the agent out", after.Since, st.Since)
	}
	if n := tunnels.Load(); n != 3 { // the agent's, the doctor's, and that for the time
		t.Errorf("%d tunnels, want 3", n)
	}
	text, err := os.ReadFile(filepath.Join(cfg.StateDir, status.Name))
	if err != nil || strings.Contains(string(text), "hunter2") || strings.Contains(string(text), secret) {
		t.Errorf("the status file shows a secret, or %v:\n%s", err, text)
	}
}

// TestProxyIsPassedBy: where the proxy does not lead to the server, the agent goes without it, unless it must not.
func TestProxyIsPassedBy(t *testing.T) {
	t.Parallel()
	s := harness.Start(t)
	register(t, s)
	cfg := configuration(t, s)
	cfg.Proxy = "http://127.0.0.1:1"
	run(t, cfg)
	st := await(t, cfg, "online", online)
	if st.Through.Via != "direct" || st.Attempts[0].Code != "proxy_unreachable" {
		t.Errorf("status %+v, want it online without the proxy, after one attempt with it", st)
	}
	for _, c := range doctor.Examine(t.Context(), doctor.Installation{Config: cfg}) {
		if !c.OK {
			t.Errorf("doctor: %+v, want a warning at most: another way leads to the server", c)
		}
	}
}

// TestEndsOfASession: the real server's reasons for ending a session reach the status.
func TestEndsOfASession(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, code string
		end        func(t *testing.T, s *harness.Server)
	}{
		{"disabled", "revoked", func(t *testing.T, s *harness.Server) {
			s.Call(t, http.MethodPatch, "/v1/endpoints/pc-1", `{"enabled":false}`, http.StatusOK)
		}},
		{"disconnected", "reset", func(t *testing.T, s *harness.Server) {
			s.Call(t, http.MethodPost, "/v1/endpoints/pc-1/disconnect", "", http.StatusOK)
		}},
		{"stopped", "server_stopping", func(t *testing.T, s *harness.Server) {
			stopped := make(chan struct{})
			go func() { // the agent may have failed otherwise before all of it is over; waited for below
				defer close(stopped)
				s.Stop()
			}()
			t.Cleanup(func() { <-stopped }) // before the server's own
		}},
		{"cloned", "conflict", func(t *testing.T, s *harness.Server) { run(t, configuration(t, s)) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := harness.Start(t)
			register(t, s)
			cfg := configuration(t, s)
			run(t, cfg)
			await(t, cfg, "online", online)
			tt.end(t, s)
			var codes []string
			await(t, cfg, tt.code, func(st status.Status) bool {
				if st.LastFailure != nil {
					codes = append(codes, st.LastFailure.Code)
				}
				return failedWith(tt.code)(st)
			})
			if codes[0] != tt.code {
				t.Errorf("failures %v, want %s first", codes, tt.code)
			}
		})
	}
}

// TestStatusIsJSON: programs read the file; the names of its fields are a contract.
func TestStatusIsJSON(t *testing.T) {
	t.Parallel()
	s := harness.Start(t)
	register(t, s)
	cfg := configuration(t, s)
	run(t, cfg)
	await(t, cfg, "online", online)
	text, err := os.ReadFile(filepath.Join(cfg.StateDir, status.Name))
	if err != nil {
		t.Fatal(err)
	}
	var fields map[string]any
	if err := json.Unmarshal(text, &fields); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"pid", "version", "endpoint", "started", "updated", "state", "since", "through", "last_online", "attempts", "pushes", "handlers"} {
		if _, ok := fields[name]; !ok {
			t.Errorf("no field %q in %s", name, text)
		}
	}
}

// TestSessionIsResumed: an agent whose connection is cut goes on with the session on the real server, and nobody hears of it.
func TestSessionIsResumed(t *testing.T) {
	t.Parallel()
	s := harness.Start(t)
	register(t, s)
	at, cut := cuttable(t, s.Addr("tls"))
	cfg := configuration(t, s)
	cfg.Addresses = []string{at}
	run(t, cfg)
	first := await(t, cfg, "online", online)
	s.AwaitPresence(t, "pc-1", "online")
	for round := range 3 {
		cut()
		st := await(t, cfg, "online again", func(st status.Status) bool { return online(st) && st.Since.After(first.Since) })
		if !st.Through.Resumed || st.Through.JID != first.Through.JID || st.LastFailure.Code != "connection_lost" {
			t.Fatalf("round %d: status %+v, %+v, want the session resumed", round, st.Through, st.LastFailure)
		}
		first = st
		id := s.Submit(t, `{"to":"pc-1","type":"agent.ping","payload":{"n":1},"ack":"handled"}`)
		s.AwaitPush(t, id, "handled")
	}
}
