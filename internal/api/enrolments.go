package api

import (
	"context"
	"errors"
	"net/http"
	"time"

	"signalbox/internal/access"
	"signalbox/internal/access/enrolment"
)

type enrolmentCreate struct {
	Endpoint *string           `json:"endpoint,omitempty" minLength:"1" maxLength:"256" doc:"Id of the one endpoint that it is for. An endpoint that exists has the key that it enrols, and no other secret, from then on. Absent: those who enrol choose their ids, or get one." example:"pc-1"`
	Prefix   *string           `json:"prefix,omitempty" maxLength:"128" doc:"With which those ids begin."`
	Labels   map[string]string `json:"labels,omitempty" maxProperties:"64" doc:"Labels of the endpoints that it makes."`
	Groups   []string          `json:"groups,omitempty" nullable:"false" maxItems:"64" doc:"Groups of the endpoints that it makes."`
	Uses     *int              `json:"uses,omitempty" minimum:"1" maximum:"10000" doc:"Endpoints that may enrol; absent: 1, which it is with endpoint."`
	Lifetime *int              `json:"lifetime,omitempty" minimum:"1" maximum:"7776000" doc:"Seconds until it expires; absent: 86400."`
}

type enrolmentBody struct {
	_         struct{}          `additionalProperties:"true"`
	ID        string            `json:"id" example:"enr_01k8example0000000000000000"`
	Endpoint  string            `json:"endpoint,omitempty"`
	Prefix    string            `json:"prefix,omitempty"`
	Labels    map[string]string `json:"labels"`
	Groups    []string          `json:"groups" nullable:"false"`
	Uses      int               `json:"uses" doc:"Endpoints that may enrol."`
	Used      int               `json:"used" doc:"Endpoints that have."`
	State     string            `json:"state" enum:"open,used,expired"`
	MadeBy    string            `json:"made_by" doc:"Name of the API token that made it."`
	CreatedAt time.Time         `json:"created_at"`
	ExpiresAt time.Time         `json:"expires_at"`
	LastUseAt time.Time         `json:"last_use_at,omitzero"`
	Token     string            `json:"token,omitempty" doc:"What signalbox-agent enroll takes, only in the answer to the request that made it."`
}

type enrolmentPath struct {
	ID string `path:"id" maxLength:"64" doc:"Id of the enrolment." example:"enr_01k8example0000000000000000"`
}

func (s *Server) registerEnrolments() {
	register(s, route{
		id: "create-enrolment", method: http.MethodPost, path: "/v1/enrolments", tag: "enrolments", summary: "Make a token with which endpoints enrol",
		doc: "An endpoint makes a key pair and enrols with the token at /enrol on the port of its sessions (signalbox-agent enroll); then it logs in by its key, and knows this server by the server's " +
			"key, whatever certificate a connection shows. The token is in this answer alone.",
		scope: access.ScopeEndpoints, status: http.StatusCreated, optional: true, problems: []kind{tooManyEnrolments, insufficientStorage},
		example: map[string]any{"endpoint": "pc-1"},
	}, s.createEnrolment)
	register(s, route{
		id: "list-enrolments", method: http.MethodGet, path: "/v1/enrolments", tag: "enrolments", summary: "List enrolments, the newest first",
		doc: "Those that are over are listed for 30 days.", scope: access.ScopeEndpoints, status: http.StatusOK,
	}, s.listEnrolments)
	register(s, route{
		id: "revoke-enrolment", method: http.MethodDelete, path: "/v1/enrolments/{id}", tag: "enrolments", summary: "Delete an enrolment",
		doc:   "Its token is worth nothing from then on. Endpoints that enrolled with it stay as they are.",
		scope: access.ScopeEndpoints, status: http.StatusNoContent, problems: []kind{unknownEnrolment, insufficientStorage},
	}, s.revokeEnrolment)
}

type createdEnrolment struct{ Body enrolmentBody }

func (s *Server) createEnrolment(ctx context.Context, c call[noParams, enrolmentCreate]) (*createdEnrolment, error) {
	if p := checkLabels(c.Body.Labels, c.Body.Groups); p != nil {
		return nil, p
	}
	spec := enrolment.Spec{Endpoint: value(c.Body.Endpoint), Prefix: value(c.Body.Prefix), Labels: c.Body.Labels, Groups: c.Body.Groups, Uses: value(c.Body.Uses)}
	token, e, err := s.deps.Enrolment.Create(ctx, spec, time.Duration(value(c.Body.Lifetime))*time.Second, c.caller.Name)
	var fields enrolment.FieldErrors
	switch {
	case errors.As(err, &fields):
		var errs []FieldError
		for _, f := range fields {
			errs = append(errs, FieldError{Pointer: f.Pointer, Detail: f.Detail})
		}
		return nil, validationFailed.problem("", errs...)
	case err != nil:
		return nil, err
	}
	body := showEnrolment(&e, e.Created)
	body.Token = token
	return &createdEnrolment{Body: body}, nil
}

type enrolmentList struct{ Body list[enrolmentBody] }

func (s *Server) listEnrolments(ctx context.Context, c call[Paging, none]) (*enrolmentList, error) {
	before, p := c.Params.after()
	if p != nil {
		return nil, p
	}
	all, err := s.deps.Enrolment.List(ctx, before, c.Params.Limit+1)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	bodies := make([]enrolmentBody, len(all))
	for i := range all {
		bodies[i] = showEnrolment(&all[i], now)
	}
	return &enrolmentList{Body: page(bodies, c.Params.Limit, func(b enrolmentBody) string { return b.ID })}, nil
}

func (s *Server) revokeEnrolment(ctx context.Context, c call[enrolmentPath, none]) (*nothing, error) {
	return nil, s.deps.Enrolment.Revoke(ctx, c.Params.ID, c.caller.Name)
}

func showEnrolment(e *enrolment.Enrolment, now time.Time) enrolmentBody {
	b := enrolmentBody{
		ID: e.ID, Endpoint: e.Endpoint, Prefix: e.Prefix, Labels: e.Labels, Groups: append([]string{}, e.Groups...), Uses: e.Uses, Used: e.Used, State: string(e.State(now)),
		MadeBy: e.By, CreatedAt: utc(e.Created), ExpiresAt: utc(e.Expires), LastUseAt: utc(e.LastUse),
	}
	if b.Labels == nil {
		b.Labels = map[string]string{}
	}
	return b
}
