package agentwhy

import (
	"crypto/tls"
	"net/http"
	"strings"
	"testing"

	"signalbox/internal/agent"
	"signalbox/internal/agent/doctor"
	"signalbox/internal/agent/ladder"
	"signalbox/internal/agent/status"
	"signalbox/internal/config"
	"signalbox/tests/harness"
)

// TestServerRefuses: whatever the real server has against an agent, the agent's status and its doctor say the same.
func TestServerRefuses(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		server  func(*config.Config)
		prepare func(t *testing.T, s *harness.Server, cfg *agent.Config)
		want    ladder.Reason
		reached ladder.Step
	}{
		{"unknown endpoint", nil, func(t *testing.T, s *harness.Server, cfg *agent.Config) { cfg.ID = "nobody" }, ladder.NotAuthorized, ladder.Stream},
		{"wrong secret", nil, func(t *testing.T, s *harness.Server, cfg *agent.Config) { cfg.Secret = "wrong" }, ladder.NotAuthorized, ladder.Stream},
		{"wrong secret on 5222", nil, func(t *testing.T, s *harness.Server, cfg *agent.Config) {
			cfg.Secret, cfg.Addresses = "wrong", []string{s.Addr("xmpp")}
		}, ladder.NotAuthorized, ladder.Stream},
		{"disabled", nil, func(t *testing.T, s *harness.Server, cfg *agent.Config) {
			s.Call(t, http.MethodPatch, "/v1/endpoints/pc-1", `{"enabled":false}`, http.StatusOK)
		}, ladder.Disabled, ladder.Stream},
		{"wrong domain", nil, func(t *testing.T, s *harness.Server, cfg *agent.Config) { cfg.Domain = "localhost" }, ladder.HostUnknown, ladder.TLS},
		{"domain without a certificate", nil, func(t *testing.T, s *harness.Server, cfg *agent.Config) { cfg.Domain = "other.example" }, ladder.NoCertificate, ladder.TCP},
		{"authority that is not trusted", nil, func(t *testing.T, s *harness.Server, cfg *agent.Config) { cfg.CAFile = "" }, ladder.UnknownCA, ladder.TCP},
		{"HTTP port of the server", nil, func(t *testing.T, s *harness.Server, cfg *agent.Config) { cfg.Addresses = []string{s.Addr("api")} }, ladder.NotTLS, ladder.TCP},
		{"too many connections of a source", func(c *config.Config) { c.Listen.MaxPerSource = 1 }, func(t *testing.T, s *harness.Server, cfg *agent.Config) {
			occupy(t, s)
		}, ladder.TLSClosed, ladder.TCP},
		{"wrong password of the proxy", nil, func(t *testing.T, s *harness.Server, cfg *agent.Config) {
			at, _ := proxy(t, "user", "right")
			cfg.Proxy, cfg.ProxyFallback = "http://user:wrong@"+at, false
		}, ladder.ProxyWrongLogin, ladder.TCP},
		{"server behind the proxy is down", nil, func(t *testing.T, s *harness.Server, cfg *agent.Config) {
			at, _ := proxy(t, "user", "right")
			cfg.Proxy, cfg.ProxyFallback, cfg.Addresses = "http://user:right@"+at, false, []string{"127.0.0.1:1"}
		}, ladder.ProxyNoWay, ladder.TCP},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var changes []func(*config.Config)
			if tt.server != nil {
				changes = append(changes, tt.server)
			}
			s := harness.Start(t, changes...)
			register(t, s)
			cfg := configuration(t, s)
			tt.prepare(t, s, &cfg)
			found := find(t, doctor.Examine(t.Context(), doctor.Installation{Config: cfg}), tt.want.Code)
			if found.OK || found.Step != string(tt.want.Step) || found.Action != tt.want.Action || !strings.HasPrefix(found.Detail, strings.TrimSuffix(tt.want.Text, ".")) {
				t.Errorf("doctor says %+v, want %+v", found, tt.want)
			}
			run(t, cfg)
			st := await(t, cfg, tt.want.Code, failedWith(tt.want.Code))
			if f := st.LastFailure; f.Reason != tt.want || st.State == status.Online {
				t.Errorf("status %+v, want %+v", f, tt.want)
			}
			if last := st.Attempts[len(st.Attempts)-1]; last.Reached != tt.reached || last.Code != tt.want.Code {
				t.Errorf("attempt %+v, want it to reach %s and end with %s", last, tt.reached, tt.want.Code)
			}
		})
	}
}

// occupy holds a connection to the server until the test ends.
func occupy(t *testing.T, s *harness.Server) {
	t.Helper()
	conn, err := tls.Dial("tcp", s.Addr("tls"), s.TLS())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
}
