package agent

import (
	"testing"
	"testing/synctest"

	"signalbox/internal/agent/ladder"
)

// TestAlive: an agent is ready, lives and says what it is about, whether or not its server can be reached; one that does not run yet is not ready.
func TestAlive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRun(t, testConfig(t))
		r.refuse["server:443"] = true
		select {
		case <-r.agent.Ready():
			t.Error("the agent is ready before it runs")
		default:
		}
		if got := r.agent.Status(t.Context()); got != "the journal is being read" {
			t.Errorf("Status = %q before it runs", got)
		}
		r.start()
		<-r.agent.Ready()
		synctest.Wait()
		if got, want := r.agent.Status(t.Context()), "offline: "+ladder.Unreachable.Code; got != want {
			t.Errorf("Status = %q, want %q", got, want)
		}
		r.mu.Lock()
		clear(r.refuse)
		r.mu.Unlock()
		p := r.next().secure(nil)
		p.start()
		synctest.Wait()
		if got := r.agent.Status(t.Context()); got != "online through server:443" {
			t.Errorf("Status = %q, want that it is online", got)
		}
		if err := r.agent.Alive(t.Context()); err != nil {
			t.Errorf("Alive = %v, want nil", err)
		}
		r.stop(p)
	})
}
