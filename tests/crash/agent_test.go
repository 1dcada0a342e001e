package crash

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"signalbox/internal/client"
	"signalbox/internal/push"
	"signalbox/tests/crash/rig"
)

// agent is one endpoint with the real program, whose handler appends the push's id to a file: that is its effect.
type agent struct {
	dir     string
	program string
	effects string
	ready   string
}

// newAgent registers the endpoint and writes the agent's configuration.
func newAgent(t *testing.T, site *rig.Site, api *client.Client) *agent {
	t.Helper()
	e, err := api.CreateEndpoint(t.Context(), client.NewEndpoint{ID: agentID})
	must(t, err)
	a := &agent{dir: site.Dir, program: site.Agent(), effects: filepath.Join(site.Dir, "effects"), ready: filepath.Join(site.Dir, "agent.ready")}
	secret := filepath.Join(a.dir, "agent.secret")
	must(t, os.WriteFile(secret, []byte(e.Secret), 0o600))
	text := fmt.Sprintf(`id: %s
domain: %s
addresses: [%q]
ca_file: %q
secret_file: %q
state_dir: %q
handlers:
  load.*: {command: [/bin/sh, -c, 'echo "$SIGNALBOX_PUSH_ID" >>%s']}
log: {level: warn, format: console}
`, agentID, rig.Domain, site.TLS, site.CA, secret, filepath.Join(a.dir, "agent-state"), a.effects)
	must(t, os.WriteFile(filepath.Join(a.dir, "agent.yaml"), []byte(text), 0o600))
	return a
}

// start starts the agent's program.
func (a *agent) start(t *testing.T) *rig.Process {
	t.Helper()
	if err := os.Remove(a.ready); err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	p, err := rig.Start("agent", filepath.Join(a.dir, "agent.log"), nil, a.program, "run", "--config", filepath.Join(a.dir, "agent.yaml"), "--ready-file", a.ready)
	must(t, err)
	t.Cleanup(p.End)
	return p
}

// awaitOnline waits until the agent has a session.
func (a *agent) awaitOnline(ctx context.Context, p *rig.Process) error {
	return rig.Await(ctx, p, "the agent to be online", func() (bool, error) {
		_, err := os.Stat(a.ready)
		return err == nil, nil
	})
}

// counts returns how often the handler took effect, by push.
func (a *agent) counts(t *testing.T) map[string]int {
	t.Helper()
	text, err := os.ReadFile(a.effects)
	must(t, err)
	counts := map[string]int{}
	for id := range strings.FieldsSeq(string(text)) {
		counts[id]++
	}
	return counts
}

// tally is what became of the agent's pushes.
type tally struct{ handled, interrupted, interruptedWithEffect int }

// check returns what is wrong with a push of the agent: it is handled and took effect once, or was interrupted and took effect at most once.
func (s *tally) check(p client.Push, effects int) error {
	reason := p.History[len(p.History)-1].Reason
	switch {
	case effects > 1:
		return fmt.Errorf("push %s took effect %d times: %v", p.ID, effects, p.History)
	case p.State == string(push.Handled) && effects == 1:
		s.handled++
	case p.State == string(push.Failed) && reason == push.ReasonInterrupted:
		s.interrupted++
		s.interruptedWithEffect += effects
	default:
		return fmt.Errorf("push %s is %s (%s) and took effect %d times: %v", p.ID, p.State, reason, effects, p.History)
	}
	return nil
}
