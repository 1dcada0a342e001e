package api

import (
	"context"
	"errors"
	"net/http"
	"net/url"

	"signalbox/internal/access"
	"signalbox/internal/endpoint"
)

// endpointPath is the path of what belongs to one endpoint.
type endpointPath struct {
	ID string `path:"id" maxLength:"256" doc:"Id of the endpoint." example:"pc-1"`
}

type endpointFilter struct {
	Paging
	Selection
}

type noParams struct{}

func (s *Server) registerEndpoints() {
	register(s, route{
		id: "create-endpoint", method: http.MethodPost, path: "/v1/endpoints", tag: "endpoints", summary: "Register an endpoint",
		doc:   "Without a secret the server makes one and shows it in this answer alone.",
		scope: access.ScopeEndpoints, status: http.StatusCreated, problems: []kind{endpointExists, insufficientStorage},
		example: map[string]any{"id": "pc-1", "secret": "s3cret", "labels": map[string]string{"site": "paris"}, "groups": []string{"lab"}},
	}, s.createEndpoint)
	register(s, route{
		id: "list-endpoints", method: http.MethodGet, path: "/v1/endpoints", tag: "endpoints", summary: "List endpoints by id",
		scope: access.ScopeRead, status: http.StatusOK,
	}, s.listEndpoints)
	register(s, route{
		id: "get-endpoint", method: http.MethodGet, path: "/v1/endpoints/{id}", tag: "endpoints", summary: "Show an endpoint",
		scope: access.ScopeRead, status: http.StatusOK, problems: []kind{unknownEndpoint},
	}, s.getEndpoint)
	register(s, route{
		id: "change-endpoint", method: http.MethodPatch, path: "/v1/endpoints/{id}", tag: "endpoints", summary: "Change an endpoint",
		doc:   "A field that is given replaces the whole old value; one that is absent stays. Disabling an endpoint ends its session.",
		scope: access.ScopeEndpoints, status: http.StatusOK, problems: []kind{unknownEndpoint, insufficientStorage},
		example: map[string]any{"enabled": false},
	}, s.changeEndpoint)
	register(s, route{
		id: "delete-endpoint", method: http.MethodDelete, path: "/v1/endpoints/{id}", tag: "endpoints", summary: "Delete an endpoint",
		doc:   "Its pushes go with it, and its session ends.",
		scope: access.ScopeEndpoints, status: http.StatusNoContent, problems: []kind{unknownEndpoint, insufficientStorage},
	}, s.deleteEndpoint)
	s.registerEndpointActions()
	s.registerEndpointBatch()
	s.registerPresence()
}

func (s *Server) key(id string) endpoint.Key { return endpoint.Key{Domain: s.deps.Domain, ID: id} }

type createdEndpoint struct {
	Location string `header:"Location"`
	Body     endpointBody
}

func (s *Server) createEndpoint(ctx context.Context, c call[noParams, endpointCreate]) (*createdEndpoint, error) {
	if p := c.Body.check(); p != nil {
		return nil, p
	}
	e := endpoint.Endpoint{Key: s.key(c.Body.ID), Enabled: c.Body.Enabled == nil || *c.Body.Enabled, Labels: c.Body.Labels, Groups: c.Body.Groups}
	e, generated, err := s.deps.Endpoints.Create(ctx, e, value(c.Body.Secret))
	if err != nil {
		return nil, endpointMistake(err)
	}
	body := showEndpoint(endpoint.Record{Endpoint: e, Presence: endpoint.Presence{State: endpoint.StateNever}})
	body.Secret = generated
	return &createdEndpoint{Location: "/v1/endpoints/" + url.PathEscape(e.ID), Body: body}, nil
}

// endpointMistake points at the field that the domain refused.
func endpointMistake(err error) error {
	switch {
	case errors.Is(err, endpoint.ErrExists):
		return pointing(err, "/id")
	case errors.Is(err, endpoint.ErrID):
		return validationFailed.at("/id", "it has 1 to 256 bytes of a-z, 0-9 and . _ - + ~")
	case errors.Is(err, endpoint.ErrSecret):
		return validationFailed.at("/secret", "it has 6 to 1024 bytes of printable ASCII without spaces; leave it out to get one made")
	case errors.Is(err, endpoint.ErrDescription):
		return validationFailed.problem("At most 64 labels and 64 groups; a label's name and a group have 1 to 128 bytes, a label's value at most 128.",
			FieldError{Detail: "look at labels and groups"})
	}
	return err
}

type endpointList struct{ Body list[endpointBody] }

func (s *Server) listEndpoints(ctx context.Context, c call[endpointFilter, none]) (*endpointList, error) {
	f := c.Params
	after, p := f.after()
	if p != nil {
		return nil, p
	}
	q, p := f.query(s.deps.Domain)
	if p != nil {
		return nil, p
	}
	q.After, q.Limit = after, f.Limit+1
	records, err := s.deps.Endpoints.Endpoints(ctx, q)
	if err != nil {
		return nil, err
	}
	bodies := make([]endpointBody, len(records))
	for i, r := range records {
		bodies[i] = showEndpoint(r)
	}
	return &endpointList{Body: page(bodies, f.Limit, func(e endpointBody) string { return e.ID })}, nil
}

type oneEndpoint struct{ Body endpointBody }

func (s *Server) getEndpoint(ctx context.Context, c call[endpointPath, none]) (*oneEndpoint, error) {
	r, err := s.deps.Endpoints.Endpoint(ctx, s.key(c.Params.ID))
	if err != nil {
		return nil, err
	}
	return &oneEndpoint{Body: showEndpoint(r)}, nil
}

func (s *Server) changeEndpoint(ctx context.Context, c call[endpointPath, endpointChange]) (*oneEndpoint, error) {
	if p := checkLabels(value(c.Body.Labels), value(c.Body.Groups)); p != nil {
		return nil, p
	}
	k := s.key(c.Params.ID)
	patch := endpoint.Patch{Enabled: c.Body.Enabled, Labels: value(c.Body.Labels), Groups: value(c.Body.Groups)}
	if _, err := s.deps.Endpoints.Update(ctx, k, patch); err != nil {
		return nil, endpointMistake(err)
	}
	r, err := s.deps.Endpoints.Endpoint(ctx, k)
	if err != nil {
		return nil, err
	}
	return &oneEndpoint{Body: showEndpoint(r)}, nil
}

type nothing struct{}

func (s *Server) deleteEndpoint(ctx context.Context, c call[endpointPath, none]) (*nothing, error) {
	return nil, s.deps.Endpoints.Delete(ctx, s.key(c.Params.ID))
}

// value returns what p points at; the zero value for nil.
func value[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}
