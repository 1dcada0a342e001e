package api

import (
	"context"
	"errors"
	"net/http"
	"time"

	"signalbox/internal/access"
)

// Drainer prepares the server for its stop. It may be called concurrently.
type Drainer interface {
	// Drain begins to send endpoints away, over a period; 0: the one of the configuration. While it goes on it takes a new period for those that are left.
	Drain(period time.Duration, reason string) (Drain, error)
	// Draining says how far it is.
	Draining() Drain
	// Undo lets endpoints come again.
	Undo() (Drain, error)
}

// ErrStopping is what a Drainer answers once the server stops: that is not taken back.
var ErrStopping = errors.New("the server stops")

// DrainState is where a drain is in one word.
type DrainState string

// The states of a drain.
const (
	Serving  DrainState = "serving"  // there is none
	Draining DrainState = "draining" // streams are being closed
	Drained  DrainState = "drained"  // no stream is open
	Stopping DrainState = "stopping" // a signal stops the server
)

// Drain is a drain as the API shows it.
type Drain struct {
	_        struct{}   `additionalProperties:"true"`
	State    DrainState `json:"state" enum:"serving,draining,drained,stopping"`
	Reason   string     `json:"reason,omitempty" doc:"Why, as it was given."`
	Since    time.Time  `json:"since,omitzero" doc:"When it began."`
	Until    time.Time  `json:"until,omitzero" doc:"When the last endpoint is told when to come back; no endpoint is asked to come earlier."`
	Sessions int        `json:"sessions" doc:"Streams of endpoints that were open when it began; without a drain those that are."`
	Left     int        `json:"left" doc:"Those that are still open."`
}

// Bounds of a drain.
const (
	maxDrainSeconds = 3600
	maxDrainReason  = 200 // bytes
)

type newDrain struct {
	Period int64  `json:"period,omitempty" minimum:"1" maximum:"3600" doc:"Seconds over which endpoints are sent away; the server's drain.period if not given."`
	Reason string `json:"reason,omitempty" maxLength:"200" doc:"Why, for those who look at readiness and at the events."`
}

type drainOutput struct{ Body Drain }

func (s *Server) registerDrain() {
	register(s, route{
		id: "drain", method: http.MethodPost, path: "/v1/drain", tag: "operation", summary: "Send endpoints away before a stop",
		doc: "The server is not ready from then on, takes no new streams of endpoints, tells each that is there when to come back and closes its stream, spread over the period. " +
			"The API goes on. Repeated, the new period counts for those that are left. Sessions stay resumable; a stop that follows keeps them for the next start.",
		scope: access.ScopeAdmin, status: http.StatusAccepted, optional: true, example: newDrain{Period: 60, Reason: "upgrade"}, problems: []kind{stopping},
	}, s.startDrain)
	register(s, route{
		id: "get-drain", method: http.MethodGet, path: "/v1/drain", tag: "operation", summary: "Show how far a drain is",
		scope: access.ScopeRead, status: http.StatusOK,
	}, func(context.Context, call[noParams, none]) (*drainOutput, error) {
		return &drainOutput{Body: s.deps.Drainer.Draining()}, nil
	})
	register(s, route{
		id: "undo-drain", method: http.MethodDelete, path: "/v1/drain", tag: "operation", summary: "Let endpoints come again",
		doc:   "Those that were sent away come back at the time that they were told. A server that a signal stops goes on stopping.",
		scope: access.ScopeAdmin, status: http.StatusOK, problems: []kind{stopping},
	}, func(context.Context, call[noParams, none]) (*drainOutput, error) {
		d, err := s.deps.Drainer.Undo()
		return &drainOutput{Body: d}, err
	})
}

func (s *Server) startDrain(_ context.Context, c call[noParams, newDrain]) (*drainOutput, error) {
	var errs []FieldError
	if c.Body.Period < 0 || c.Body.Period > maxDrainSeconds {
		errs = append(errs, FieldError{Pointer: "/period", Detail: "it is 1 to 3600 seconds"})
	}
	if len(c.Body.Reason) > maxDrainReason {
		errs = append(errs, FieldError{Pointer: "/reason", Detail: "it has 200 bytes at most"})
	}
	if len(errs) > 0 {
		return nil, validationFailed.problem("", errs...)
	}
	d, err := s.deps.Drainer.Drain(time.Duration(c.Body.Period)*time.Second, c.Body.Reason)
	return &drainOutput{Body: d}, err
}
