package agent

import (
	"context"
	"fmt"

	"signalbox/internal/agent/status"
)

// Ready is closed when Run takes pushes; whether the server can be reached has no part in it.
func (a *Agent) Ready() <-chan struct{} { return a.started }

// Alive returns nil when the journal and the dispatcher have answered. Where they do not, it does not return: whoever waits for a sign of life gets none.
func (a *Agent) Alive(context.Context) error {
	select {
	case <-a.started:
		a.pushes()
	default: // they are being opened
	}
	return nil
}

// Status is a line on whether the agent is online, and why not.
func (a *Agent) Status(context.Context) string {
	select {
	case <-a.started:
		return a.tell.line()
	default:
		return "the journal is being read"
	}
}

// line says the state, and what it has to do with.
func (t *teller) line() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch s := t.status; {
	case s.State == status.Online:
		return fmt.Sprintf("%s through %s", s.State, s.Through.Address)
	case s.LastFailure != nil:
		return fmt.Sprintf("%s: %s", s.State, s.LastFailure.Code)
	default:
		return string(s.State)
	}
}
