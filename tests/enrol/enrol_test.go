package enrol

import (
	"bytes"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"signalbox/internal/agent"
	"signalbox/internal/agent/enrol"
	"signalbox/internal/config"
	"signalbox/internal/identity"
	"signalbox/tests/harness"
)

// A machine enrols, its agent logs in by the key that it made, and the server shows it with what the enrolment says.
func TestMachineEnrols(t *testing.T) {
	t.Parallel()
	s := harness.Start(t)
	text, id := token(t, s, `{"prefix":"branch-7.","labels":{"site":"paris"},"groups":["lab"],"uses":2}`)
	o := options(t, s, text)
	o.ID = "branch-7.pc-1"
	done, err := enrol.Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := agent.Load(done.Config, nil)
	if err != nil {
		t.Fatal(err)
	}
	if done.Endpoint != "branch-7.pc-1@"+harness.Domain || cfg.Secret != "" || cfg.ServerKey != done.ServerKey || cfg.Addresses[0] != s.Addr("tls") {
		t.Errorf("enrolled as %+v with %+v", done, cfg)
	}
	for _, path := range []string{done.Config, cfg.KeyFile} {
		if info, err := os.Stat(path); err != nil || info.Mode() != 0o600 {
			t.Errorf("mode of %s = %v, %v, want 0600", path, info.Mode(), err)
		}
	}
	config, err := os.ReadFile(done.Config)
	if err != nil {
		t.Fatal(err)
	}
	noSecrets(t, string(config), cfg, text)
	run(t, cfg)
	st := await(t, cfg, "online", online)
	if !st.Through.Proven || st.Through.Intercepted {
		t.Errorf("the session is through %+v, want the server proven", st.Through)
	}
	s.AwaitPresence(t, "branch-7.pc-1", "online")
	_, shown := s.Call(t, http.MethodGet, "/v1/endpoints/branch-7.pc-1", "", http.StatusOK)
	if !strings.Contains(shown, `"site":"paris"`) || !strings.Contains(shown, `"lab"`) || strings.Contains(shown, "intercepted") {
		t.Errorf("the endpoint is shown as %s", shown)
	}
	if n, state := used(t, s, id); n != 1 || state != "open" {
		t.Errorf("the enrolment is used %d times and %s, want once and open", n, state)
	}
	// A second machine without a wish gets an id of its own.
	second := options(t, s, text)
	other, err := enrol.Run(t.Context(), second)
	if err != nil || !strings.HasPrefix(other.Endpoint, "branch-7.") || other.Endpoint == done.Endpoint {
		t.Errorf("the second is enrolled as %+v, %v", other, err)
	}
	if n, state := used(t, s, id); n != 2 || state != "used" {
		t.Errorf("the enrolment is used %d times and %s, want twice and used", n, state)
	}
}

// Wherever an enrolment stops in the middle, it goes on with the same token, and the token is used once.
func TestEnrolmentGoesOn(t *testing.T) {
	t.Parallel()
	s := harness.Start(t)
	text, id := token(t, s, `{"endpoint":"pc-1"}`)
	o := options(t, s, text)
	first, err := enrol.Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	key, err := os.ReadFile(filepath.Join(o.ConfigDir, "state", enrol.KeyFile))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(first.Config); err != nil { // as if it had stopped before the last step
		t.Fatal(err)
	}
	again, err := enrol.Run(t.Context(), o)
	if err != nil || again != first {
		t.Errorf("enrolled again as %+v, %v, want %+v", again, err, first)
	}
	if now, err := os.ReadFile(filepath.Join(o.ConfigDir, "state", enrol.KeyFile)); err != nil || !bytes.Equal(now, key) {
		t.Errorf("the key is another one now, %v", err)
	}
	if n, _ := used(t, s, id); n != 1 {
		t.Errorf("the token is used %d times, want once", n)
	}
	third, err := enrol.Run(t.Context(), o)
	if err != nil || !third.Already || third.Endpoint != first.Endpoint {
		t.Errorf("a machine that is enrolled is enrolled as %+v, %v, want that it is already", third, err)
	}
}

// Who enrols an endpoint that exists takes it over: its session ends, and its old secret is worth nothing.
func TestEnrolmentReplacesTheSecret(t *testing.T) {
	t.Parallel()
	s := harness.Start(t)
	s.Call(t, http.MethodPost, "/v1/endpoints", `{"id":"pc-1","secret":"s3cret-1"}`, http.StatusCreated)
	old := agent.Default()
	old.ID, old.Domain, old.Secret, old.CAFile, old.Proxy = "pc-1", harness.Domain, "s3cret-1", s.CAFile, "direct"
	old.Addresses, old.StateDir = []string{s.Addr("tls")}, t.TempDir()
	stop := run(t, old)
	await(t, old, "online", online)
	cfg := pc1(t, s)
	await(t, old, "refused", failedWith("not_authorized"))
	stop()
	run(t, cfg)
	await(t, cfg, "online", online)
}

func TestEnrolmentRefusals(t *testing.T) {
	t.Parallel()
	s := harness.Start(t)
	s.Call(t, http.MethodPost, "/v1/endpoints", `{"id":"taken","secret":"s3cret-1"}`, http.StatusCreated)
	s.Call(t, http.MethodPost, "/v1/endpoints", `{"id":"off","secret":"s3cret-1","enabled":false}`, http.StatusCreated)
	expired, lateOne := token(t, s, `{"lifetime":1}`)
	revoked, id := token(t, s, `{}`)
	s.Call(t, http.MethodDelete, "/v1/enrolments/"+id, "", http.StatusNoContent)
	usedUp, usedOne := token(t, s, `{"endpoint":"pc-9"}`)
	enrolled(t, options(t, s, usedUp))
	open, openOne := token(t, s, `{"prefix":"p.","uses":100}`)
	anyID, anyOne := token(t, s, `{"uses":100}`)
	fixed, fixedOne := token(t, s, `{"endpoint":"pc-2"}`)
	disabled, disabledOne := token(t, s, `{"endpoint":"off"}`)
	stranger := identity.NewEnrolmentToken(identity.Generate().Public()).String()
	harness.Await(t, func() bool { _, state := used(t, s, lateOne); return state == "expired" }, func() string { return "a token of one second does not expire" })
	var refused []string // as the audit trail has it: the newest first
	for _, tt := range []struct{ name, token, id, enrolment, want string }{
		{"expired", expired, "", lateOne, "(token_expired)"},
		{"revoked", revoked, "", "", "(unknown_token)"},
		{"of another server", stranger, "", "", "(unknown_token)"},
		{"used by another machine", usedUp, "", usedOne, "(token_used)"},
		{"another id than the prefix allows", open, "q.pc-1", openOne, "(other_id)"},
		{"another id than the one", fixed, "pc-3", fixedOne, "(other_id)"},
		{"an endpoint that exists", anyID, "taken", anyOne, "(endpoint_exists)"},
		{"an id that cannot be", anyID, "PC 1", anyOne, "(invalid_id)"},
		{"a disabled endpoint", disabled, "", disabledOne, "(endpoint_disabled)"},
	} {
		o := options(t, s, tt.token)
		o.ID = tt.id
		_, err := enrol.Run(t.Context(), o)
		if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), tt.token) {
			t.Errorf("%s: %v, want %s and no token", tt.name, err, tt.want)
		}
		if _, err := os.Stat(filepath.Join(o.ConfigDir, enrol.ConfigFile)); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: a configuration was written, %v", tt.name, err)
		}
		refused = append([]string{tt.enrolment + " " + tt.want}, refused...)
	}
	var got []string
	var trail string
	harness.Await(t, func() bool {
		got, trail = refusals(t, s)
		return slices.Equal(got, refused)
	}, func() string { return "the audit trail has other refusals (-want +got):\n" + cmp.Diff(refused, got) })
	for _, text := range []string{expired, revoked, stranger, usedUp, open, fixed, anyID, disabled} {
		if strings.Contains(trail, text) {
			t.Errorf("the audit trail has a token: %s", trail)
		}
	}
}

// A token that another server made is not used at the one that answers: its answer is refused, too.
func TestTokenNamesItsServer(t *testing.T) {
	t.Parallel()
	s := harness.Start(t)
	o := options(t, s, "sbe_x")
	if _, err := enrol.Run(t.Context(), o); err == nil || !strings.Contains(err.Error(), "no enrolment token") {
		t.Errorf("a token that is none: %v", err)
	}
	cfg := pc1(t, s)
	foreign := options(t, s, identity.NewEnrolmentToken(identity.Generate().Public()).String())
	foreign.ConfigDir = filepath.Dir(filepath.Dir(cfg.KeyFile))
	if _, err := enrol.Run(t.Context(), foreign); !errors.Is(err, enrol.ErrEnrolled) {
		t.Errorf("a machine that is enrolled elsewhere: %v, want ErrEnrolled", err)
	}
}

// The server keeps its key over restarts, and does not start with another one, which endpoints would take for a stranger's.
func TestServerKeepsItsKey(t *testing.T) {
	t.Parallel()
	s := harness.Start(t)
	cfg := pc1(t, s)
	s.KeepPorts()
	s.Stop()
	s.Run()
	run(t, cfg)
	await(t, cfg, "online", online)
	s.Stop()
	key := filepath.Join(s.Config.DataDir, "identity.key")
	kept, err := os.ReadFile(key)
	if err != nil {
		t.Fatal(err)
	}
	for name, break_ := range map[string]func() error{
		"lost":    func() error { return os.Remove(key) },
		"damaged": func() error { return os.WriteFile(key, kept[:50], 0o600) },
		"another": func() error {
			if err := os.Remove(key); err != nil {
				return err
			}
			_, err := identity.LoadOrCreate(key)
			return err
		},
	} {
		if err := break_(); err != nil {
			t.Fatal(err)
		}
		if err := s.TryRun(); err == nil || !strings.Contains(err.Error(), "restore") || !strings.Contains(err.Error(), key) {
			t.Errorf("%s: the server starts with %v, want an error that says what to do", name, err)
		}
		if err := errors.Join(os.RemoveAll(key), os.WriteFile(key, kept, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Remove(key); err != nil {
		t.Fatal(err)
	}
	s.Config.Enrolment.NewIdentity = true
	s.Run()
	await(t, cfg, "refused, as the server has another key", failedWith("server_key"))
}

// An enrolment may tell endpoints other addresses than those of the listeners.
func TestConfiguredAddresses(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, func(c *config.Config) {
		c.Enrolment.Addresses = []string{"signalbox.example.com:443", "signalbox.example.com:5222"}
	})
	cfg := pc1(t, s)
	if got := strings.Join(cfg.Addresses, " "); got != s.Addr("tls")+" signalbox.example.com:443 signalbox.example.com:5222" {
		t.Errorf("addresses = %s, want the one that worked and those of the server", got)
	}
}

// An answer that is lost on its way costs nothing: the same token and key get it again.
func TestAnswerIsLost(t *testing.T) {
	t.Parallel()
	s := harness.Start(t)
	text, id := token(t, s, `{"endpoint":"pc-1"}`)
	m := inspect(t, s, func([]byte) []byte { return nil })
	o := options(t, s, text)
	o.Server, o.CAFile = m.address, m.caFile
	if _, err := enrol.Run(t.Context(), o); err == nil {
		t.Fatal("an enrolment without an answer succeeds")
	}
	if n, _ := used(t, s, id); n != 1 {
		t.Fatalf("the token is used %d times, want once: the server has done all", n)
	}
	o.Server, o.CAFile = s.Addr("tls"), s.CAFile
	cfg := enrolled(t, o)
	if n, _ := used(t, s, id); n != 1 {
		t.Errorf("the token is used %d times, want once", n)
	}
	run(t, cfg)
	await(t, cfg, "online", online)
}
