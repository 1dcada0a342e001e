package viewer

import (
	"context"

	"signalbox/internal/signalling"
)

// Line carries signalling between a technician and the server. Send and Receive are called by one goroutine each; Check and Close may be called at any time, and again.
type Line interface {
	// Send sends a message that a technician may say (signalling.FromTechnician).
	Send(ctx context.Context, m signalling.Message) error
	// Receive waits for a message. A *RefusedError says that there is no use in coming back; after any other the technician may.
	Receive(ctx context.Context) (signalling.Message, error)
	// Check asks the server for a sign of life, and has the line end, as by a loss, if none comes until ctx ends. Receive must be under way.
	Check(ctx context.Context)
	// Close hangs up. The session goes on without the technician, for as long as it waits.
	Close() error
}

// Call opens a Line and takes the technician's side of a session on it. An error is a *RefusedError where the server does not let the technician in; after any other it may be
// tried again.
type Call func(ctx context.Context, a signalling.Attach) (Line, error)

// RefusedError says why the server has sent the technician away for good.
type RefusedError struct {
	Why string // as the server put it: "refused", "replaced", "not-authorized"
}

// Error implements error.
func (e *RefusedError) Error() string { return "the server sends the technician away: " + e.Why }

// EndedError says why a session has ended.
type EndedError struct {
	Reason string // one of remote's catalogue, such as "user_ended"
	Detail string // a sentence, or nothing
}

// Error implements error.
func (e *EndedError) Error() string {
	if e.Detail == "" {
		return "the session has ended: " + e.Reason
	}
	return "the session has ended: " + e.Reason + ": " + e.Detail
}
