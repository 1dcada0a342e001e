package agent

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"signalbox/internal/agent/journal"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

// run is an agent that runs for a test.
type run struct {
	*network
	t      *testing.T
	agent  *Agent
	logs   *observer.ObservedLogs
	cancel context.CancelFunc
	ended  chan error
}

// logged counts the lines with a reason.
func (r *run) logged(reason string) (n int) {
	for _, entry := range r.logs.All() {
		if entry.ContextMap()["reason"] == reason {
			n++
		}
	}
	return n
}

// stopAnyhow ends the agent while p is its session, whatever is on the way from it.
func (r *run) stopAnyhow(p *peer) {
	r.t.Helper()
	r.cancel()
	p.conn.Close()
	if err := <-r.ended; err != nil {
		r.t.Errorf("Run = %v, want nil", err)
	}
}

func startAgent(t *testing.T, cfg Config, opts ...Option) *run {
	t.Helper()
	r := newRun(t, cfg, opts...)
	r.start()
	return r
}

// newRun makes an agent that does not run yet.
func newRun(t *testing.T, cfg Config, opts ...Option) *run {
	t.Helper()
	core, logs := observer.New(zap.InfoLevel)
	a, err := New(cfg, "v1.2.3", zap.New(core), opts...)
	must(t, err)
	r := &run{network: newNetwork(), t: t, agent: a, logs: logs, ended: make(chan error, 1)}
	a.ways.Dial = r.dial
	return r
}

func (r *run) start() {
	ctx, cancel := context.WithCancel(r.t.Context())
	r.cancel = cancel
	go func() { r.ended <- r.agent.Run(ctx) }()
	r.t.Cleanup(func() { cancel() })
}

// next waits for the agent's next connection.
func (r *run) next() *peer {
	r.t.Helper()
	select {
	case conn := <-r.accept:
		return newPeer(r.t, conn)
	case <-time.After(peerTimeout):
		r.t.Fatalf("no connection; log: %v", r.logs.All())
		return nil
	}
}

// stop ends the agent while p is its session.
func (r *run) stop(p *peer) {
	r.t.Helper()
	r.cancel()
	if p != nil {
		p.finish()
	}
	if err := <-r.ended; err != nil {
		r.t.Errorf("Run = %v, want nil", err)
	}
}

// phases reads the journal of an agent that has ended.
func (r *run) phases() map[string]journal.Phase {
	r.t.Helper()
	j, err := journal.Open(r.agent.cfg.StateDir, testKeep, time.Now(), zap.NewNop())
	must(r.t, err)
	defer j.Close()
	return look(r.t, j).Phases
}

func TestAgentFirstPush(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := startAgent(t, testConfig(t))
		p := r.next().secure(nil)
		p.start()
		p.send(pushXML("psh_1", "agent.ping", jsonXML(`{"n":"&lt;"}`)))
		p.expect(receiptXML("psh_1"))
		p.expect(resultXML("psh_1", "ok", jsonXML(`{"pong":{"n":"&lt;"}}`)) + ackRequest)
		p.send(ackRequest)
		p.expect(fmt.Sprintf(ackFormat, 1))
		p.send(fmt.Sprintf(ackFormat, 3)) // presence, receipt, result
		r.stop(p)
		if got := r.phases()["psh_1"]; got != journal.Covered {
			t.Errorf("phase = %v, want covered", got)
		}
	})
}
