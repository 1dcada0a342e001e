package enrol

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest"

	"signalbox/internal/agent"
	"signalbox/internal/agent/enrol"
	"signalbox/internal/agent/status"
	"signalbox/tests/harness"
)

// token makes an enrolment token by the API.
func token(t *testing.T, s *harness.Server, body string) (text, id string) {
	t.Helper()
	_, answer := s.Call(t, http.MethodPost, "/v1/enrolments", body, http.StatusCreated)
	var made struct{ Token, ID string }
	if err := json.Unmarshal([]byte(answer), &made); err != nil || made.Token == "" {
		t.Fatalf("%v: %s", err, answer)
	}
	return made.Token, made.ID
}

// used returns how many endpoints an enrolment has enrolled, and its state.
func used(t *testing.T, s *harness.Server, id string) (int, string) {
	t.Helper()
	_, answer := s.Call(t, http.MethodGet, "/v1/enrolments", "", http.StatusOK)
	var all struct {
		Items []struct {
			ID, State string
			Used      int
		}
	}
	if err := json.Unmarshal([]byte(answer), &all); err != nil {
		t.Fatalf("%v: %s", err, answer)
	}
	for _, e := range all.Items {
		if e.ID == id {
			return e.Used, e.State
		}
	}
	t.Fatalf("no enrolment %s in %s", id, answer)
	return 0, ""
}

// refusals returns why the server's audit trail says that enrolments were refused, each after the enrolment that it names, the newest first, and its text.
func refusals(t *testing.T, s *harness.Server) (all []string, text string) {
	t.Helper()
	_, text = s.Call(t, http.MethodGet, "/v1/audit?action=enrolment.refused&limit=100", "", http.StatusOK)
	var page struct {
		Items []struct {
			Subject string
			Detail  struct{ Reason string }
		}
	}
	if err := json.Unmarshal([]byte(text), &page); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	for _, e := range page.Items {
		all = append(all, e.Subject+" ("+e.Detail.Reason+")")
	}
	return all, text
}

// options are those of a machine that enrols at s, directly.
func options(t *testing.T, s *harness.Server, text string) enrol.Options {
	t.Helper()
	return enrol.Options{
		Server: s.Addr("tls"), Token: text, ConfigDir: filepath.Join(t.TempDir(), "config"), CAFile: s.CAFile, Proxy: "direct", Interception: agent.InterceptionDeny,
	}
}

// enrolled enrols a machine and returns the configuration of its agent.
func enrolled(t *testing.T, o enrol.Options) agent.Config {
	t.Helper()
	done, err := enrol.Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := agent.Load(done.Config, nil)
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

// pc1 enrols pc-1.
func pc1(t *testing.T, s *harness.Server) agent.Config {
	t.Helper()
	text, _ := token(t, s, `{"endpoint":"pc-1"}`)
	return enrolled(t, options(t, s, text))
}

// run runs an agent until the test ends or the returned function is called.
func run(t *testing.T, cfg agent.Config) (stop func()) {
	t.Helper()
	a, err := agent.New(cfg, "test", zaptest.NewLogger(t, zaptest.Level(zap.FatalLevel)))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := a.Run(ctx); err != nil {
			t.Errorf("agent ended with %v", err)
		}
	}()
	stop = func() {
		cancel()
		<-ended
	}
	t.Cleanup(stop)
	return stop
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

// noSecrets fails if a text that people see holds what only the machine and the server may know.
func noSecrets(t *testing.T, text string, cfg agent.Config, tokens ...string) {
	t.Helper()
	key, err := os.ReadFile(cfg.KeyFile)
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range append(tokens, strings.Split(string(key), "\n")[1]) {
		if strings.Contains(text, secret) {
			t.Errorf("a secret is shown: %s", text)
		}
	}
}
