package remote

import (
	"errors"
	"fmt"
	"time"

	"signalbox/internal/endpoint"
)

// Errors of sessions.
var (
	ErrUnknown     = errors.New("unknown remote session")
	ErrEnded       = errors.New("the remote session has ended")
	ErrUnavailable = errors.New("remote sessions are not served while the server starts or stops")
	ErrTicket      = errors.New("the token lets nobody in: it is not one of this session, was used before, or is too old")
	ErrMessage     = errors.New("the message has no place here")
	ErrFlood       = errors.New("too many messages wait")
	ErrReplaced    = errors.New("another connection took this one's place")
	ErrNoTURN      = errors.New("the session may go through TURN alone, and there is no TURN server")
)

// OfflineError says that an endpoint cannot be asked because it is not online.
type OfflineError struct {
	Presence endpoint.Presence // the last that is known
}

// Error says since when, and why.
func (e *OfflineError) Error() string {
	if e.Presence.State == endpoint.StateNever || e.Presence.State == "" {
		return "the endpoint was never online"
	}
	return fmt.Sprintf("the endpoint is offline since %s (%s)", e.Presence.Since.UTC().Format(time.RFC3339), e.Presence.Reason)
}

// Whose sessions a LimitError counts.
const (
	LimitTechnician = "technician"
	LimitEndpoint   = "endpoint"
	LimitServer     = "server"
)

// LimitError says that somebody has as many open sessions as allowed.
type LimitError struct {
	Of  string // LimitTechnician ...
	Max int
}

// Error says whose.
func (e *LimitError) Error() string {
	return fmt.Sprintf("the %s has %d sessions, which is as many as allowed", e.Of, e.Max)
}

// EndedError is ErrEnded with the reason.
type EndedError struct {
	Reason string // name of a Reason
	Detail string
}

// Error says why.
func (e *EndedError) Error() string { return ErrEnded.Error() + ": " + e.Reason }

// Is makes it ErrEnded.
func (e *EndedError) Is(target error) bool { return target == ErrEnded }
