package api

import (
	"context"
	"errors"
	"net/http"
	"slices"

	"signalbox/internal/access"
	"signalbox/internal/diagnosis"
)

// Diagnosis answers why. It may be called concurrently.
type Diagnosis interface {
	// Endpoint says why an endpoint is or is not seen online. Errors: endpoint.ErrUnknown.
	Endpoint(ctx context.Context, id string) (diagnosis.Diagnosis, error)
	// Timeline returns a page of what happened to an endpoint. Errors: endpoint.ErrUnknown, diagnosis.ErrCursor.
	Timeline(ctx context.Context, id, from string, limit int) (diagnosis.Page, error)
	// Explain says why a push is in its state. Errors: diagnosis.ErrUnknownPush.
	Explain(ctx context.Context, id string) (diagnosis.Explanation, error)
}

func (s *Server) registerWhy() {
	register(s, route{
		id: "get-diagnosis", method: http.MethodGet, path: "/v1/endpoints/{id}/diagnosis", tag: "endpoints", summary: "Say why an endpoint is or is not online",
		doc: "One sentence, what to do, and the ladder from DNS to the management server with what is known of each step. Attempts that failed are remembered in memory " +
			"for a day: those in the endpoint's name, and those without a name from the address where it was last seen. An id that is not registered is answered, too, while " +
			"attempts in its name are remembered. All codes stand in DIAGNOSIS.md.",
		scope: access.ScopeRead, status: http.StatusOK, problems: []kind{unknownEndpoint},
	}, s.getDiagnosis)
	register(s, route{
		id: "get-timeline", method: http.MethodGet, path: "/v1/endpoints/{id}/timeline", tag: "endpoints", summary: "Show what happened to an endpoint",
		doc: "Presence, pushes, changes of the endpoint and attempts that failed in one row, the newest first. Of events as many are kept as store.outbox_retention says, " +
			"of pushes as store.retention says, of attempts a day.",
		scope: access.ScopeRead, status: http.StatusOK, problems: []kind{unknownEndpoint},
	}, s.getTimeline)
	register(s, route{
		id: "explain-push", method: http.MethodGet, path: "/v1/pushes/{id}/explain", tag: "pushes", summary: "Say why a push is in its state",
		doc:   "One sentence, what to do, what it waits for and until when, and the time that it spent in each state. Of a push to many: its targets by their reasons.",
		scope: access.ScopeRead, status: http.StatusOK, problems: []kind{unknownPush},
	}, s.explainPush)
	register(s, route{
		id: "doctor", method: http.MethodGet, path: "/v1/doctor", tag: "operation", summary: "Examine the running server",
		doc: "Checks as 'signalbox doctor' makes them, and what only the running server knows: listeners, clock, files, what was refused in the last hour, endpoints that " +
			"quarrel, events that wait. It looks names up, which takes seconds where DNS does not answer; one examination runs at a time.",
		scope: access.ScopeRead, status: http.StatusOK,
	}, s.examine)
}

// Doctor examines the running server. It may be called concurrently.
type Doctor interface {
	// Examine returns what it found. The error is that of ctx.
	Examine(ctx context.Context) ([]DoctorCheck, error)
}

// DoctorCheck is what one look came to.
type DoctorCheck struct {
	_       struct{} `additionalProperties:"true"`
	Step    string   `json:"step" example:"store"`
	Check   string   `json:"check" doc:"What was looked at."`
	OK      bool     `json:"ok" doc:"false: something is wrong."`
	Warning bool     `json:"warning" doc:"With ok: it works, and somebody should look at it."`
	Detail  string   `json:"detail" doc:"What was found."`
	Action  string   `json:"action" doc:"What to do; empty: nothing."`
}

type doctorBody struct {
	_      struct{}      `additionalProperties:"true"`
	OK     bool          `json:"ok" doc:"Whether nothing is wrong."`
	Checks []DoctorCheck `json:"checks" nullable:"false"`
}

type doctorAnswer struct{ Body doctorBody }

func (s *Server) examine(ctx context.Context, _ call[noParams, none]) (*doctorAnswer, error) {
	checks, err := s.deps.Doctor.Examine(ctx)
	if err != nil {
		return nil, err
	}
	return &doctorAnswer{Body: doctorBody{
		OK: !slices.ContainsFunc(checks, func(c DoctorCheck) bool { return !c.OK }), Checks: append([]DoctorCheck{}, checks...),
	}}, nil
}

type oneDiagnosis struct{ Body diagnosisBody }

func (s *Server) getDiagnosis(ctx context.Context, c call[endpointPath, none]) (*oneDiagnosis, error) {
	d, err := s.deps.Diagnosis.Endpoint(ctx, c.Params.ID)
	if err != nil {
		return nil, err
	}
	return &oneDiagnosis{Body: showDiagnosis(d)}, nil
}

type timelineParams struct {
	Paging
	ID string `path:"id" maxLength:"256" doc:"Id of the endpoint." example:"pc-1"`
}

type oneTimeline struct{ Body timelineBody }

func (s *Server) getTimeline(ctx context.Context, c call[timelineParams, none]) (*oneTimeline, error) {
	from, p := c.Params.after()
	if p != nil {
		return nil, p
	}
	page, err := s.deps.Diagnosis.Timeline(ctx, c.Params.ID, from, c.Params.Limit)
	if errors.Is(err, diagnosis.ErrCursor) {
		return nil, badCursor()
	}
	if err != nil {
		return nil, err
	}
	return &oneTimeline{Body: showTimeline(page)}, nil
}

type oneExplanation struct{ Body explanationBody }

func (s *Server) explainPush(ctx context.Context, c call[pushPath, none]) (*oneExplanation, error) {
	e, err := s.deps.Diagnosis.Explain(ctx, c.Params.ID)
	if err != nil {
		return nil, err
	}
	return &oneExplanation{Body: showExplanation(e)}, nil
}
