package rig

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"signalbox/internal/client"
	"signalbox/internal/push"
)

// Agent is one endpoint with the real program. Its handler appends the push's id to a file, which is its effect.
type Agent struct {
	ID     string
	Linger time.Duration // how long the handler stays after it took effect; set it before Start

	site    *Site
	effects string
	ready   string
}

// NewAgent registers the endpoint.
func (s *Site) NewAgent(ctx context.Context, api *client.Client, id string) (*Agent, error) {
	e, err := api.CreateEndpoint(ctx, client.NewEndpoint{ID: id})
	if err != nil {
		return nil, err
	}
	a := &Agent{ID: id, site: s, effects: filepath.Join(s.Dir, "effects"), ready: filepath.Join(s.Dir, "agent.ready")}
	return a, os.WriteFile(a.secret(), []byte(e.Secret), 0o600)
}

func (a *Agent) secret() string { return filepath.Join(a.site.Dir, "agent.secret") }

const agentText = `id: %s
domain: %s
addresses: [%q]
ca_file: %q
secret_file: %q
state_dir: %q
handlers:
  %s*: {command: [/bin/sh, -c, 'echo "$SIGNALBOX_PUSH_ID" >>%s; sleep %g']}
log: {level: warn, format: console}
`

// Start starts the agent's program with its journal in a directory.
func (a *Agent) Start(state string) (*Process, error) {
	if err := os.Remove(a.ready); err != nil && !os.IsNotExist(err) {
		return nil, err
	}
	text := fmt.Sprintf(agentText, a.ID, Domain, a.site.TLS, a.site.CA, a.secret(), state, orderFamily, a.effects, a.Linger.Seconds())
	config := filepath.Join(a.site.Dir, "agent.yaml")
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		return nil, err
	}
	return Start("agent", filepath.Join(a.site.Dir, agentLog), nil, a.site.programs.Agent, "run", "--config", config, "--ready-file", a.ready)
}

// AwaitOnline waits until the agent has a session.
func (a *Agent) AwaitOnline(ctx context.Context, p *Process) error {
	return Await(ctx, p, "the agent to be online", func() (bool, error) {
		_, err := os.Stat(a.ready)
		return err == nil, nil
	})
}

// AwaitIdle waits until every push to the agent has its result.
func (a *Agent) AwaitIdle(ctx context.Context, p *Process, api *client.Client) error {
	return Await(ctx, p, "the agent's results", func() (bool, error) {
		for _, s := range []push.State{push.Accepted, push.Sent, push.Delivered} {
			page, err := api.Pushes(ctx, client.PushFilter{Endpoint: a.ID, State: string(s), Limit: 1})
			if err != nil || len(page.Items) > 0 {
				return false, err
			}
		}
		return true, nil
	})
}

// Effects returns how often the handler took effect, by push.
func (a *Agent) Effects() (map[string]int, error) {
	text, err := os.ReadFile(a.effects)
	counts := map[string]int{}
	for id := range strings.FieldsSeq(string(text)) {
		counts[id]++
	}
	return counts, err
}

// Tally is what became of an agent's pushes.
type Tally struct{ Handled, Interrupted, InterruptedWithEffect int }

// Check returns what is wrong with a push of an agent: it is handled and took effect once, or was interrupted and took effect at most once.
func (s *Tally) Check(p client.Push, effects int) error {
	reason := p.History[len(p.History)-1].Reason
	switch {
	case effects > 1:
		return fmt.Errorf("push %s took effect %d times: %v", p.ID, effects, p.History)
	case p.State == string(push.Handled) && effects == 1:
		s.Handled++
	case p.State == string(push.Failed) && reason == push.ReasonInterrupted:
		s.Interrupted++
		s.InterruptedWithEffect += effects
	default:
		return fmt.Errorf("push %s is %s (%s) and took effect %d times: %v", p.ID, p.State, reason, effects, p.History)
	}
	return nil
}
