package tests

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"signalbox/tests/harness"
)

// program is a built signalbox-agent with a configuration, which can be started again and again.
type program struct {
	t    *testing.T
	path string
	args []string
	cmd  *exec.Cmd // nil: it does not run
}

// buildAgent builds signalbox-agent.
func buildAgent(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "signalbox-agent")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", path, "signalbox/cmd/signalbox-agent").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return path
}

// newProgram writes a configuration for the endpoint pc-1 that handles so many pushes at a time, and starts nothing.
func newProgram(t *testing.T, path string, s *harness.Server, h handlers, address string, concurrency int) *program {
	t.Helper()
	h.write(t, "secret", "s3cret-1\n")
	h.write(t, "agent.yaml", fmt.Sprintf(`
id: pc-1
domain: %s
secret_file: %s/secret
addresses: ["%s"]
ca_file: %s
state_dir: %[2]s/state
concurrency: %[5]d
log: {level: error}
handlers:
  demo.count: {command: [/bin/sh, %[2]s/count]}
  demo.block: {command: [/bin/sh, %[2]s/block]}
  demo.again: {command: [/bin/sh, %[2]s/block], repeatable: true}
`, harness.Domain, h.dir, address, s.CAFile, concurrency))
	p := &program{t: t, path: path, args: []string{"run", "--config", filepath.Join(h.dir, "agent.yaml")}}
	t.Cleanup(func() {
		_ = os.Remove(filepath.Join(h.dir, "block")) // ends handlers that outlived their agent
		if p.cmd != nil {
			p.kill()
		}
	})
	return p
}

func (p *program) start() {
	p.t.Helper()
	p.cmd = exec.Command(p.path, p.args...)
	p.cmd.Stderr = os.Stderr
	if err := p.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
}

// kill ends the process as a crash would.
func (p *program) kill() {
	p.t.Helper()
	if err := p.cmd.Process.Kill(); err != nil {
		p.t.Errorf("kill: %v", err)
	}
	_ = p.cmd.Wait() // says that it was killed
	p.cmd = nil
}

// stop ends the process as its service manager would.
func (p *program) stop() {
	p.t.Helper()
	if err := p.cmd.Process.Signal(os.Interrupt); err != nil {
		p.t.Fatal(err)
	}
	if err := p.cmd.Wait(); err != nil {
		p.t.Errorf("signalbox-agent ended with %v", err)
	}
	p.cmd = nil
}

func submitHandled(t *testing.T, s *harness.Server, typ string) string {
	t.Helper()
	return s.Submit(t, `{"to":"pc-1","type":"`+typ+`","ack":"handled"}`)
}

// TestAgentIsKilled kills the agent's process in the middle of its work, and wants each push to end as the contract says.
func TestAgentIsKilled(t *testing.T) {
	t.Parallel()
	path := buildAgent(t)
	t.Run("while a handler runs", func(t *testing.T) { killedInHandler(t, path) })
	t.Run("when all is done but told nobody", func(t *testing.T) { killedBeforeAnswer(t, path) })
	t.Run("again and again", func(t *testing.T) { killedOften(t, path) })
}

func killedInHandler(t *testing.T, path string) {
	t.Parallel()
	s, h := harness.Start(t), newHandlers(t)
	register(t, s, "pc-1")
	p := newProgram(t, path, s, h, s.Addr("tls"), 1)
	p.start()
	done := submitHandled(t, s, "demo.count")
	s.AwaitPush(t, done, "handled")
	running, behind := submitHandled(t, s, "demo.block"), submitHandled(t, s, "demo.count")
	h.awaitFile(t, "started")
	s.AwaitPush(t, running, "delivered")
	s.AwaitPush(t, behind, "delivered")
	p.kill()

	p.start()
	failed := s.AwaitPush(t, running, "failed")
	if got := failed.History[len(failed.History)-1].Reason; got != "interrupted" || !sameJSON(t, failed.Result, `{"reason":"interrupted"}`) {
		t.Errorf("reason %q, result %s, want interrupted", got, failed.Result)
	}
	s.AwaitPush(t, behind, "handled")

	repeatable := submitHandled(t, s, "demo.again")
	h.awaitFile(t, "started")
	s.AwaitPush(t, repeatable, "delivered")
	p.kill()
	p.start()
	h.awaitFile(t, "started")
	h.write(t, "go", "")
	s.AwaitPush(t, repeatable, "handled")
	p.stop()
	if presence := s.AwaitPresence(t, "pc-1", "offline"); !strings.Contains(presence, `"reason":"closed_by_peer"`) {
		t.Errorf("presence = %s, want reason closed_by_peer", presence)
	}
	effects := h.effects(t)
	for id, want := range map[string]int{done: 1, running: 1, behind: 1, repeatable: 2} {
		if effects[id] != want {
			t.Errorf("push %s took effect %d times, want %d", id, effects[id], want)
		}
	}
}

func killedBeforeAnswer(t *testing.T, path string) {
	t.Parallel()
	s, h := harness.Start(t), newHandlers(t)
	register(t, s, "pc-1")
	wire := startRelay(t, s.Addr("tls"))
	p := newProgram(t, path, s, h, wire.addr(), 1)
	p.start()
	s.AwaitPush(t, submitHandled(t, s, "demo.count"), "handled")
	wire.hold()
	ids := []string{submitHandled(t, s, "demo.count"), submitHandled(t, s, "demo.count")}
	last := submitHandled(t, s, "demo.block")
	h.awaitFile(t, "started") // one at a time: those before are done, and journaled as done
	p.kill()
	wire.cut()

	p.start()
	for _, id := range ids {
		if got := s.AwaitPush(t, id, "handled").States(); got[2] != "accepted" {
			t.Errorf("history = %v, want that the session was lost", got)
		}
	}
	s.AwaitPush(t, last, "failed")
	for id, n := range h.effects(t) {
		if n != 1 {
			t.Errorf("push %s took effect %d times", id, n)
		}
	}
}

func killedOften(t *testing.T, path string) {
	t.Parallel()
	const pushes = 60
	s, h := harness.Start(t), newHandlers(t)
	register(t, s, "pc-1")
	p := newProgram(t, path, s, h, s.Addr("tls"), 4)
	ids := make([]string, pushes)
	for i := range ids {
		ids[i] = submitHandled(t, s, "demo.count")
	}
	for _, progress := range []int{1, 10, 20, 30, 40} {
		p.start()
		h.awaitEffects(t, progress)
		p.kill()
		s.AwaitPresence(t, "pc-1", "offline") // one that takes over session after session would look like a clone
	}
	p.start()
	interrupted := 0
	for _, id := range ids {
		var got harness.Push
		harness.Await(t, func() bool {
			got = s.Push(t, id)
			return got.State == "handled" || got.State == "failed"
		}, func() string { return fmt.Sprintf("push %s is %s", id, got.State) })
		if got.State == "failed" {
			interrupted++
			if !sameJSON(t, got.Result, `{"reason":"interrupted"}`) {
				t.Errorf("push %s failed: %s", id, got.Result)
			}
		}
		n := h.effects(t)[id]
		if n > 1 || n == 0 && got.State == "handled" {
			t.Errorf("push %s is %s and took effect %d times", id, got.State, n)
		}
	}
	if interrupted > 5*4 {
		t.Errorf("%d pushes were interrupted, at most those that ran at the five crashes can be", interrupted)
	}
	var waiting struct {
		Queued int `json:"queued_pushes"`
	}
	if err := json.Unmarshal([]byte(s.AwaitPresence(t, "pc-1", "online")), &waiting); err != nil || waiting.Queued != 0 {
		t.Errorf("%d pushes wait, %v; want none", waiting.Queued, err)
	}
}
