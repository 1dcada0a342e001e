package tests

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest"

	"signalbox/internal/agent"
	"signalbox/internal/config"
	"signalbox/tests/harness"
)

// handlers are programs for an agent, with the directory that they work in.
type handlers struct{ dir string }

// newHandlers writes the programs: count notes its push in the file effects and answers the payload; fail fails; block notes its push, makes the file started,
// and goes on when there is a file go.
func newHandlers(t *testing.T) handlers {
	t.Helper()
	h := handlers{t.TempDir()}
	note := "echo \"$SIGNALBOX_PUSH_ID\" >> " + h.dir + "/effects\n"
	h.write(t, "count", note+"cat\n")
	h.write(t, "fail", "echo broken >&2\nexit 3\n")
	h.write(t, "block", note+": > "+h.dir+"/started\nwhile [ -e "+h.dir+"/block ] && [ ! -e "+h.dir+"/go ]; do sleep 0.05; done\n")
	return h
}

func (h handlers) write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(h.dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func (h handlers) command(name string) []string {
	return []string{"/bin/sh", filepath.Join(h.dir, name)}
}

// effects counts how often each push took effect.
func (h handlers) effects(t *testing.T) map[string]int {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(h.dir, "effects"))
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	counts := map[string]int{}
	for id := range strings.Lines(string(text)) {
		counts[strings.TrimSpace(id)]++
	}
	return counts
}

// awaitEffects waits until this many pushes took effect.
func (h handlers) awaitEffects(t *testing.T, want int) {
	t.Helper()
	harness.Await(t, func() bool { return len(h.effects(t)) >= want },
		func() string { return fmt.Sprintf("effects %v, want those of %d pushes", h.effects(t), want) })
}

// awaitFile waits for a file that a program makes, and removes it.
func (h handlers) awaitFile(t *testing.T, name string) {
	t.Helper()
	harness.Await(t, func() bool { return os.Remove(filepath.Join(h.dir, name)) == nil }, func() string { return "there is no file " + name })
}

// agentConfig is that of an agent for an endpoint with the secret s3cret-1.
func (h handlers) agentConfig(s *harness.Server, id, address string) agent.Config {
	cfg := agent.Default()
	cfg.ID, cfg.Domain, cfg.Secret = id, harness.Domain, "s3cret-1"
	cfg.Addresses, cfg.CAFile = []string{address}, s.CAFile
	cfg.StateDir = filepath.Join(h.dir, "state-"+id)
	cfg.Handlers = map[string]agent.Handler{}
	for _, name := range []string{"count", "fail", "block"} {
		cfg.Handlers["demo."+name] = agent.Handler{Command: h.command(name), Timeout: agent.DefaultTimeout}
	}
	return cfg
}

// runAgent runs an agent in this process until the test ends or the returned function is called.
func runAgent(t *testing.T, cfg agent.Config) (stop func()) {
	t.Helper()
	a, err := agent.New(cfg, "test", zaptest.NewLogger(t, zaptest.Level(zap.ErrorLevel)))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	stopped := false
	stop = func() {
		cancel()
		if !stopped {
			stopped = true
			if err := <-ended; err != nil {
				t.Errorf("agent ended with %v", err)
			}
		}
	}
	t.Cleanup(stop)
	return stop
}

// TestAgentHandlesPushes: every kind of handler, on both ports for endpoints.
func TestAgentHandlesPushes(t *testing.T) {
	t.Parallel()
	s, h := harness.Start(t), newHandlers(t)
	for _, listener := range []string{"tls", "xmpp"} {
		register(t, s, "pc-"+listener)
		runAgent(t, h.agentConfig(s, "pc-"+listener, s.Addr(listener)))
		if p := s.AwaitPresence(t, "pc-"+listener, "online"); !strings.Contains(p, `"via":"tls"`) {
			t.Errorf("presence = %s, want via tls", p)
		}
	}
	for _, tc := range []struct{ name, push, state, reason, result string }{
		{"built in", `"type":"agent.ping","payload":{"n":1}`, "handled", "", `{"pong":{"n":1}}`},
		{"program", `"type":"demo.count","payload":{"text":"ünïcode <&>"}`, "handled", "", `{"text":"ünïcode <&>"}`},
		{"failing program", `"type":"demo.fail"`, "failed", "exit_status", `{"reason":"exit_status","exit_code":3,"stderr":"broken\n"}`},
		{"no handler", `"type":"demo.unknown"`, "failed", "no_handler", `{"reason":"no_handler"}`},
		{"now or never", `"type":"agent.ping","payload":{"n":2},"ttl":0`, "handled", "", `{"pong":{"n":2}}`},
	} {
		for _, to := range []string{"pc-tls", "pc-xmpp"} {
			t.Run(tc.name+" "+to, func(t *testing.T) {
				id := s.Submit(t, `{"to":"`+to+`","ack":"handled",`+tc.push+`}`)
				p := s.AwaitPush(t, id, tc.state)
				if !sameJSON(t, p.Result, tc.result) {
					t.Errorf("result = %s, want %s", p.Result, tc.result)
				}
				if got := p.History[len(p.History)-1].Reason; got != tc.reason {
					t.Errorf("reason = %q, want %q", got, tc.reason)
				}
			})
		}
	}
}

func sameJSON(t *testing.T, got json.RawMessage, want string) bool {
	t.Helper()
	var a, b any
	if err := json.Unmarshal(got, &a); err != nil {
		t.Fatalf("%v: %s", err, got)
	}
	if err := json.Unmarshal([]byte(want), &b); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint(a) == fmt.Sprint(b)
}

// TestRedeliveredPushTakesEffectOnce: receipts and results are lost with the connection, and no session outlives that, so the pushes come again.
func TestRedeliveredPushTakesEffectOnce(t *testing.T) {
	t.Parallel()
	s, h := harness.Start(t, func(c *config.Config) { c.XMPP.ResumeTimeout = 0 }), newHandlers(t)
	register(t, s, "pc-1")
	wire := startRelay(t, s.Addr("tls"))
	runAgent(t, h.agentConfig(s, "pc-1", wire.addr()))
	s.AwaitPresence(t, "pc-1", "online")
	known := s.Submit(t, `{"to":"pc-1","type":"demo.count","ack":"handled"}`)
	s.AwaitPush(t, known, "handled")

	wire.hold()
	running := s.Submit(t, `{"to":"pc-1","type":"demo.block","ack":"handled"}`)
	h.awaitFile(t, "started")
	ids := make([]string, 5)
	for i := range ids {
		ids[i] = s.Submit(t, `{"to":"pc-1","type":"demo.count","ack":"handled"}`)
	}
	h.awaitEffects(t, 2+len(ids))
	wire.cut()
	for _, id := range ids { // the agent may say so before they are sent again
		if got := s.AwaitPush(t, id, "handled").States(); !slices.Equal(got[:3], []string{"accepted", "sent", "accepted"}) {
			t.Errorf("history = %v, want that the session was lost", got)
		}
	}
	if got := s.AwaitPush(t, running, "delivered").States(); !slices.Equal(got[:3], []string{"accepted", "sent", "accepted"}) { // its receipt was lost, too
		t.Errorf("history of the push that is being handled = %v, want that it was sent again", got)
	}
	h.write(t, "go", "")
	s.AwaitPush(t, running, "handled")
	for id, n := range h.effects(t) {
		if n != 1 {
			t.Errorf("push %s took effect %d times", id, n)
		}
	}
}

// TestAgentComesBack: the server is restarted, and pushes are posted before the agent is back.
func TestAgentComesBack(t *testing.T) {
	t.Parallel()
	s, h := harness.Start(t), newHandlers(t)
	register(t, s, "pc-1")
	runAgent(t, h.agentConfig(s, "pc-1", s.Addr("tls")))
	s.AwaitPresence(t, "pc-1", "online")
	s.AwaitPush(t, s.Submit(t, `{"to":"pc-1","type":"demo.count","ack":"handled"}`), "handled")

	s.KeepPorts()
	s.Stop()
	s.Run()
	var ids []string
	for range 5 {
		ids = append(ids, s.Submit(t, `{"to":"pc-1","type":"demo.count","ack":"handled"}`))
	}
	for _, id := range ids {
		s.AwaitPush(t, id, "handled")
	}
	if got := h.effects(t); len(got) != 6 {
		t.Errorf("effects = %v, want six", got)
	}
}

// TestCertificateIsRenewedUnderAgent: its session stays, and whoever comes later sees the new certificate.
func TestCertificateIsRenewedUnderAgent(t *testing.T) {
	t.Parallel()
	s, h := harness.Start(t), newHandlers(t)
	register(t, s, "pc-1")
	register(t, s, "pc-2")
	runAgent(t, h.agentConfig(s, "pc-1", s.Addr("tls")))
	s.AwaitPresence(t, "pc-1", "online")
	since := onlineSince(t, s, "pc-1")
	serial := func() string {
		st := s.Connect(t, "witness")
		defer st.Close()
		return st.TLS().PeerCertificates[0].SerialNumber.String()
	}
	before := serial()

	file := filepath.Join(s.Config.Certs.Dir, harness.Domain+".pem")
	if err := os.WriteFile(file+".new", s.Next, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(file+".new", file); err != nil {
		t.Fatal(err)
	}
	harness.Await(t, func() bool { return serial() != before }, func() string { return "the new certificate is not seen" })
	s.AwaitPush(t, s.Submit(t, `{"to":"pc-1","type":"demo.count","ack":"handled"}`), "handled")
	if got := onlineSince(t, s, "pc-1"); !got.Equal(since) {
		t.Errorf("the session is of %v, want the one of %v", got, since)
	}
	runAgent(t, h.agentConfig(s, "pc-2", s.Addr("tls")))
	s.AwaitPresence(t, "pc-2", "online")
}

func onlineSince(t *testing.T, s *harness.Server, id string) time.Time {
	t.Helper()
	var p struct {
		State string
		Since time.Time
	}
	text := s.AwaitPresence(t, id, "online")
	if err := json.Unmarshal([]byte(text), &p); err != nil {
		t.Fatal(err)
	}
	return p.Since
}
