package powercut

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"signalbox/internal/client"
	"signalbox/tests/crash/rig"
)

const (
	agentID    = "agent-0"
	agentShare = 2 // one of so many rounds
)

// agentBacklogs says how many pushes wait for the agent, in turn. With many, the sync of one push saves what another wrote; with one, each must have its own.
var agentBacklogs = [...]int{1, 8}

// TestAgentPowerCut cuts the power of the agent's machine, whose server goes on. What the agent told the server it must know afterwards: a push with a receipt
// still takes effect, and none takes effect twice.
func TestAgentPowerCut(t *testing.T) {
	s := newStand(t)
	site, server := s.serve(t)
	api, err := site.Client()
	must(t, err)
	t.Cleanup(api.Close)
	agent, err := site.NewAgent(t.Context(), api, agentID)
	must(t, err)
	agent.Linger = 200 * time.Millisecond // most cuts shall meet a push that took effect and has no result
	n, orders := max(1, rounds(t)/agentShare), 0
	for round := range n {
		orders = s.cutAgent(t, agent, api, orders, agentBacklogs[round%len(agentBacklogs)])
	}
	all, err := rig.AllPushes(t.Context(), api)
	must(t, err)
	effects, err := agent.Effects()
	must(t, err)
	var sum rig.Tally
	for _, p := range all {
		if err := sum.Check(p, effects[p.ID]); err != nil {
			t.Error(err)
		}
	}
	t.Logf("%d rounds: %d pushes accepted; the agent handled %d, %d were interrupted (%d with effect)", n, len(all), sum.Handled, sum.Interrupted, sum.InterruptedWithEffect)
	if len(all) != orders || sum.Handled == 0 {
		t.Errorf("%d pushes are there, %d were accepted", len(all), orders)
	}
	must(t, server.Stop(rig.Patience))
}

// serve starts a server whose data lies beside the images.
func (s *stand) serve(t *testing.T) (*rig.Site, *rig.Server) {
	t.Helper()
	programs, err := rig.Build(s.dir)
	must(t, err)
	site, err := rig.NewSite(programs, s.dir, filepath.Join(s.dir, "server-data"))
	must(t, err)
	must(t, site.MakeToken())
	server, err := site.Launch()
	must(t, err)
	t.Cleanup(func() {
		server.End()
		if t.Failed() {
			t.Log(site.Tails())
		}
	})
	must(t, server.AwaitReady(t.Context()))
	return site, server
}

// cutAgent posts orders from this number on until the power is cut, and lets the agent that comes back finish them. It returns the next order's number.
func (s *stand) cutAgent(t *testing.T, agent *rig.Agent, api *client.Client, order, backlog int) (next int) {
	t.Helper()
	program, err := agent.Start(s.fresh(t))
	must(t, err)
	t.Cleanup(program.End)
	must(t, agent.AwaitOnline(t.Context(), program))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var posting sync.WaitGroup
	var errPost error
	posting.Go(func() {
		for next = order; errPost == nil && ctx.Err() == nil; {
			var p client.Presence
			if p, errPost = api.Presence(t.Context(), agentID); errPost == nil && p.QueuedPushes < backlog {
				_, errPost = rig.NewOrder(next, agentID).Post(t.Context(), api)
				next++
			}
		}
	})
	must(t, wait(t.Context(), earliestCut+rand.N(latestCut-earliestCut)))
	freeze(t, program)
	must(t, s.takePicture())
	must(t, program.Kill())
	cancel()
	posting.Wait()
	must(t, errPost)
	s.resumeAgent(t, agent, api)
	return next
}

// resumeAgent runs the agent on the picture until it has nothing left to do.
func (s *stand) resumeAgent(t *testing.T, agent *rig.Agent, api *client.Client) {
	t.Helper()
	must(t, s.cut.attach())
	program, err := agent.Start(s.cutData())
	must(t, err)
	t.Cleanup(program.End)
	if err := agent.AwaitIdle(t.Context(), program, api); err != nil {
		t.Error(err)
	}
	must(t, program.Stop(rig.Patience))
	must(t, s.dropPicture())
}

// freeze stops a process where it is: what it did between the picture and its end would be known to the server and not to the picture.
func freeze(t *testing.T, p *rig.Process) {
	t.Helper()
	must(t, syscall.Kill(p.PID(), syscall.SIGSTOP))
	must(t, rig.Await(t.Context(), p, "the process to stand still", func() (bool, error) {
		threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", p.PID()))
		for _, path := range threads {
			text, err := os.ReadFile(path)
			// The state stands behind the name, which is in parentheses.
			if _, rest, ok := strings.Cut(string(text), ") "); err != nil || !ok || rest[0] != 'T' {
				return false, nil
			}
		}
		return len(threads) > 0, err
	}))
}
