package enrol

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"signalbox/certs"
	"signalbox/internal/agent"
	"signalbox/internal/agent/doctor"
	"signalbox/internal/agent/enrol"
	"signalbox/internal/agent/status"
	"signalbox/internal/identity"
	"signalbox/tests/harness"
)

// pinned is the configuration of an agent with a secret that knows the server's key.
func pinned(t *testing.T, s *harness.Server) agent.Config {
	t.Helper()
	s.Call(t, http.MethodPost, "/v1/endpoints", `{"id":"pc-1","secret":"s3cret-1"}`, http.StatusCreated)
	key, err := identity.Load(filepath.Join(s.Config.DataDir, "identity.key"))
	if err != nil {
		t.Fatal(err)
	}
	cfg := agent.Default()
	cfg.ID, cfg.Domain, cfg.Secret, cfg.CAFile, cfg.Proxy = "pc-1", harness.Domain, "s3cret-1", s.CAFile, "direct"
	cfg.Addresses, cfg.StateDir, cfg.ServerKey = []string{s.Addr("tls")}, t.TempDir(), key.Public().String()
	return cfg
}

// kinds are the agents that know their server by its key.
var kinds = []struct {
	name   string
	config func(*testing.T, *harness.Server) agent.Config
}{{"by key", pc1}, {"by secret", pinned}}

// A web certificate that was renewed by an authority that the endpoint does not know loses no endpoint: it knows the server by its key.
func TestCertificateOfAnyAuthorityWillDo(t *testing.T) {
	t.Parallel()
	for _, kind := range kinds {
		t.Run(kind.name, func(t *testing.T) {
			t.Parallel()
			s := harness.Start(t)
			cfg := kind.config(t, s)
			run(t, cfg)
			first := await(t, cfg, "online", online)
			s.KeepPorts()
			s.Stop()
			_, bundle, err := certs.MakeCA(certs.CAOptions{Name: "Another CA", Names: []string{harness.Domain}})
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(s.Config.Certs.Dir, harness.Domain+".pem"), bundle, 0o600); err != nil {
				t.Fatal(err)
			}
			s.Run()
			s.AwaitPresence(t, "pc-1", "online")
			await(t, cfg, "online again", func(st status.Status) bool { return online(st) && st.Since.After(first.Since) }) // the doctor reads it
			checks := doctor.Examine(t.Context(), doctor.Installation{Config: cfg})
			for _, c := range checks {
				if !c.OK {
					t.Errorf("the doctor finds %+v", c)
				}
				if c.Warning && c.Step == "tls" && !strings.Contains(c.Detail, "knows the server by its key") {
					t.Errorf("the doctor warns of %+v", c)
				}
			}
		})
	}
}

// Something on the way that ends TLS is seen, even if its authority is trusted here: by default the endpoint stays away, and with the other policy it comes, and the server knows.
func TestInterceptionIsSeen(t *testing.T) {
	t.Parallel()
	for _, kind := range kinds {
		for _, tt := range []struct {
			name, policy string
			trusted      bool   // the authority of the inspection
			code         string // of the failure; empty: it comes online
		}{
			{"denied", agent.InterceptionDeny, false, "intercepted"},
			{"denied where it is trusted", agent.InterceptionDeny, true, "intercepted"},
			{"allowed where it is trusted", agent.InterceptionAllow, true, ""},
			{"never allowed where it is not", agent.InterceptionAllow, false, "tls_intercepted"},
		} {
			t.Run(kind.name+" "+tt.name, func(t *testing.T) {
				t.Parallel()
				s := harness.Start(t)
				cfg := kind.config(t, s)
				m := inspect(t, s, nil)
				cfg.Addresses, cfg.Interception = []string{m.address}, tt.policy
				if tt.trusted {
					cfg.CAFile = m.caFile
				}
				run(t, cfg)
				if tt.code != "" {
					await(t, cfg, "refused with "+tt.code, failedWith(tt.code))
					_, text := s.Call(t, http.MethodGet, "/v1/endpoints/pc-1/presence", "", http.StatusOK)
					if !strings.Contains(text, `"state":"never"`) {
						t.Errorf("presence is %s", text)
					}
					return
				}
				st := await(t, cfg, "online", online)
				if st.Through.Proven || !st.Through.Intercepted {
					t.Errorf("the session is through %+v, want it intercepted", st.Through)
				}
				if p := s.AwaitPresence(t, "pc-1", "online"); !strings.Contains(p, `"intercepted":true`) {
					t.Errorf("presence is %s, want it intercepted", p)
				}
				if _, why := s.Call(t, http.MethodGet, "/v1/endpoints/pc-1/diagnosis", "", http.StatusOK); !strings.Contains(why, `"code":"intercepted"`) {
					t.Errorf("the diagnosis is %s, want it to tell of the interception", why)
				}
			})
		}
	}
}

// Nothing that somebody on the way changes, records or plays makes an endpoint take him for the server.
func TestDowngradesFail(t *testing.T) {
	t.Parallel()
	recorded := regexp.MustCompile(`<challenge xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>([^<]+)</challenge>`)
	earlier := func(t *testing.T, s *harness.Server) []byte { // a challenge of another login
		t.Helper()
		h := identity.Hello{Binding: identity.Unbound, ID: "pc-1", Nonce: identity.Nonce()}
		st := s.Connect(t, "stranger")
		st.Open()
		st.Send("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='" + identity.Mechanism + "'>" + base64.StdEncoding.EncodeToString(h.Encode()) + "</auth>")
		return []byte(st.Next())
	}
	for _, tt := range []struct {
		name   string
		change func(t *testing.T, s *harness.Server) func([]byte) []byte
		code   string
	}{
		{"the mechanism is struck out", func(*testing.T, *harness.Server) func([]byte) []byte {
			return func(b []byte) []byte {
				return bytes.ReplaceAll(b, []byte("<mechanism>SIGNALBOX-KEY</mechanism>"), nil)
			}
		}, "no_mechanism"},
		{"a proof of an earlier login is played", func(t *testing.T, s *harness.Server) func([]byte) []byte {
			old := earlier(t, s)
			return func(b []byte) []byte { return recorded.ReplaceAllLiteral(b, old) }
		}, "intercepted"},
		{"a proof by another key", func(*testing.T, *harness.Server) func([]byte) []byte {
			k := identity.Generate()
			c := identity.Challenge{Nonce: identity.Nonce(), Server: k.Public(), Signature: k.Sign("x", nil)}
			forged := []byte("<challenge xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>" + base64.StdEncoding.EncodeToString(c.Encode()) + "</challenge>")
			return func(b []byte) []byte { return recorded.ReplaceAllLiteral(b, forged) }
		}, "server_key"},
		{"no proof at all", func(*testing.T, *harness.Server) func([]byte) []byte {
			return func(b []byte) []byte {
				return recorded.ReplaceAllLiteral(b, []byte("<challenge xmlns='urn:ietf:params:xml:ns:xmpp-sasl'></challenge>"))
			}
		}, "impostor"},
		{"success without a proof", func(*testing.T, *harness.Server) func([]byte) []byte {
			return func(b []byte) []byte {
				return recorded.ReplaceAllLiteral(b, []byte("<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>"))
			}
		}, "impostor"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := harness.Start(t)
			cfg := pc1(t, s)
			m := inspect(t, s, tt.change(t, s))
			cfg.Addresses, cfg.CAFile, cfg.Interception = []string{m.address}, m.caFile, agent.InterceptionDeny
			run(t, cfg)
			await(t, cfg, "refused with "+tt.code, failedWith(tt.code))
			if strings.Contains(m.said(), "<success") {
				t.Error("the server let the endpoint in")
			}
		})
	}
	t.Run("the proof before a login by secret is struck out", func(t *testing.T) {
		t.Parallel()
		s := harness.Start(t)
		cfg := pinned(t, s)
		m := inspect(t, s, func(b []byte) []byte {
			return bytes.ReplaceAll(b, []byte("<identity xmlns='urn:signalbox:identity:1'/>"), nil)
		})
		cfg.Addresses, cfg.CAFile = []string{m.address}, m.caFile
		run(t, cfg)
		await(t, cfg, "refused", failedWith("intercepted"))
	})
}

// A machine whose key is not the one that was enrolled is refused, and the diagnosis says so.
func TestAnotherKeyIsRefused(t *testing.T) {
	t.Parallel()
	s := harness.Start(t)
	cfg := pc1(t, s)
	cfg.KeyFile = filepath.Join(t.TempDir(), "other.key")
	if _, err := identity.LoadOrCreate(cfg.KeyFile); err != nil {
		t.Fatal(err)
	}
	run(t, cfg)
	await(t, cfg, "refused", failedWith("key_refused"))
	_, why := s.Call(t, http.MethodGet, "/v1/endpoints/pc-1/diagnosis", "", http.StatusOK)
	var d struct{ Code string }
	if err := json.Unmarshal([]byte(why), &d); err != nil || d.Code != "wrong_key" {
		t.Errorf("the diagnosis is %s, %v, want wrong_key", why, err)
	}
}

// Somebody who ends TLS on the way of an enrolment is seen, and what he says is pinned by nobody.
func TestEnrolmentThroughAnInspection(t *testing.T) {
	t.Parallel()
	s := harness.Start(t)
	text, _ := token(t, s, `{"endpoint":"pc-1"}`)
	m := inspect(t, s, nil)
	o := options(t, s, text)
	o.Server, o.CAFile = m.address, m.caFile
	if _, err := enrol.Run(t.Context(), o); err == nil || !strings.Contains(err.Error(), enrol.ErrIntercepted.Error()) {
		t.Errorf("through an inspection: %v, want ErrIntercepted", err)
	}
	if _, err := os.Stat(filepath.Join(o.ConfigDir, enrol.ConfigFile)); err == nil {
		t.Error("a configuration was written")
	}
	// With the other policy it is accepted, and the server's key is the server's.
	o.Interception = agent.InterceptionAllow
	cfg := enrolled(t, o)
	if cfg.Interception != agent.InterceptionAllow {
		t.Errorf("the agent's policy is %s", cfg.Interception)
	}
	stop := run(t, cfg)
	if st := await(t, cfg, "online", online); !st.Through.Intercepted {
		t.Errorf("the session is through %+v, want it intercepted", st.Through)
	}
	stop()
	// Without the inspection on its way the same configuration gives a session that is proven.
	direct := cfg
	direct.Addresses, direct.CAFile, direct.StateDir = []string{s.Addr("tls")}, s.CAFile, t.TempDir()
	run(t, direct)
	if st := await(t, direct, "online", online); !st.Through.Proven {
		t.Errorf("the session is through %+v, want the server proven", st.Through)
	}
	// One who puts another key into the answer is told by the token.
	forged := inspect(t, s, func(b []byte) []byte {
		return regexp.MustCompile(`sbk1:[A-Za-z0-9_-]{43}`).ReplaceAllLiteral(b, []byte(identity.Generate().Public().String()))
	})
	o.ConfigDir, o.StateDir, o.Server, o.CAFile = filepath.Join(t.TempDir(), "config"), "", forged.address, forged.caFile
	again, _ := token(t, s, `{"endpoint":"pc-2"}`)
	o.Token = again
	if _, err := enrol.Run(t.Context(), o); err == nil || !strings.Contains(err.Error(), enrol.ErrOtherServer.Error()) {
		t.Errorf("with another key in the answer: %v, want ErrOtherServer", err)
	}
}
