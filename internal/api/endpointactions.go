package api

import (
	"context"
	"net/http"

	"signalbox/internal/access"
	"signalbox/internal/endpoint"
)

func (s *Server) registerEndpointActions() {
	register(s, route{
		id: "get-presence", method: http.MethodGet, path: "/v1/endpoints/{id}/presence", tag: "endpoints", summary: "Show whether an endpoint is online",
		doc: "Online means that bytes were received from it within its liveness time. A session that lost its connection and may be resumed counts as offline; events tell of it when it " +
			"is not back within events.offline_grace.",
		scope: access.ScopeRead, status: http.StatusOK, problems: []kind{unknownEndpoint},
	}, s.getPresence)
	register(s, route{
		id: "disconnect-endpoint", method: http.MethodPost, path: "/v1/endpoints/{id}/disconnect", tag: "endpoints", summary: "End an endpoint's session",
		doc:   "The endpoint may come back at once; disable it to keep it away.",
		scope: access.ScopeEndpoints, status: http.StatusOK, problems: []kind{unknownEndpoint},
	}, s.disconnectEndpoint)
	register(s, route{
		id: "change-secret", method: http.MethodPost, path: "/v1/endpoints/{id}/secret", tag: "endpoints", summary: "Replace an endpoint's secret",
		doc:   "Without a secret in the body, or without a body, the server makes one and shows it in this answer alone. The endpoint's session ends.",
		scope: access.ScopeEndpoints, status: http.StatusOK, optional: true, problems: []kind{unknownEndpoint, insufficientStorage},
		example: map[string]any{},
	}, s.changeSecret)
}

type onePresence struct{ Body presenceDetail }

func (s *Server) getPresence(ctx context.Context, c call[endpointPath, none]) (*onePresence, error) {
	k := s.key(c.Params.ID)
	r, err := s.deps.Endpoints.Endpoint(ctx, k)
	if err != nil {
		return nil, err
	}
	n, err := s.deps.Pushes.CountWaiting(ctx, k)
	if err != nil {
		return nil, err
	}
	return &onePresence{Body: presenceDetail{presenceBody: showPresence(r), QueuedPushes: n}}, nil
}

type disconnection struct {
	_            struct{} `additionalProperties:"true"`
	Disconnected bool     `json:"disconnected" doc:"Whether it had a session."`
}

type disconnected struct{ Body disconnection }

func (s *Server) disconnectEndpoint(ctx context.Context, c call[endpointPath, none]) (*disconnected, error) {
	k := s.key(c.Params.ID)
	if _, err := s.deps.Endpoints.Endpoint(ctx, k); err != nil {
		return nil, err
	}
	return &disconnected{Body: disconnection{Disconnected: s.deps.Registry.Disconnect(k, endpoint.ReasonDisconnected)}}, nil
}

type secretBody struct {
	_      struct{} `additionalProperties:"true"`
	ID     string   `json:"id"`
	Secret string   `json:"secret,omitempty" doc:"Only if the server made it."`
}

type newSecret struct{ Body secretBody }

func (s *Server) changeSecret(ctx context.Context, c call[endpointPath, secretChange]) (*newSecret, error) {
	if c.Body.Secret != nil && *c.Body.Secret == "" {
		return nil, validationFailed.at("/secret", "it is empty; leave it out to get one made")
	}
	generated, err := s.deps.Endpoints.ResetSecret(ctx, s.key(c.Params.ID), value(c.Body.Secret))
	if err != nil {
		return nil, endpointMistake(err)
	}
	return &newSecret{Body: secretBody{ID: c.Params.ID, Secret: generated}}, nil
}
