package api

import (
	"context"
	"errors"
	"net/http"

	"signalbox/internal/access"
	"signalbox/internal/turnsession"
)

type turnPath struct {
	ID string `path:"id" maxLength:"64" doc:"Id of the TURN session." example:"trn_0123456789abc"`
}

type turnFilter struct {
	Paging
	State string `query:"state" enum:"open,ended" doc:"Only sessions in this state."`
}

func (s *Server) registerTURN() {
	register(s, route{
		id: "open-turn-session", method: http.MethodPost, path: "/v1/turn/sessions", tag: "turn", summary: "Open a TURN session",
		doc: "Its two sides may make allocations on the TURN server, reach each other's relayed addresses, the addresses of allow_peers, and the address at which the endpoint of the other " +
			"side is seen. It ends after ttl seconds, and its allocations with it. The answer alone has the credentials.",
		scope: access.ScopeSessions, status: http.StatusCreated, optional: true,
		problems: []kind{turnOff, turnUnavailable, unknownEndpoint, tooManyTURNSessions, insufficientStorage},
		example: map[string]any{
			"ttl": 300, "allow_peers": []string{"192.0.2.7", "198.51.100.0/24"}, "endpoints": map[string]string{"a": "pc-1"}, "technician": "ann",
		},
	}, s.openTURNSession)
	register(s, route{
		id: "list-turn-sessions", method: http.MethodGet, path: "/v1/turn/sessions", tag: "turn", summary: "List TURN sessions, the newest first",
		doc: "The counters of those that are open are up to a minute old.", scope: access.ScopeSessions, status: http.StatusOK,
	}, s.listTURNSessions)
	register(s, route{
		id: "get-turn-session", method: http.MethodGet, path: "/v1/turn/sessions/{id}", tag: "turn", summary: "Show a TURN session with what it has moved",
		doc: "Of one that has ended these are the final counters.", scope: access.ScopeSessions, status: http.StatusOK, problems: []kind{unknownTURNSession},
	}, s.getTURNSession)
	register(s, route{
		id: "renew-turn-credentials", method: http.MethodPost, path: "/v1/turn/sessions/{id}/credentials", tag: "turn", summary: "Make new credentials for both sides",
		doc:   "Credentials are for new allocations and end before a long session does; allocations that there are need no new ones. The old credentials stay good until they end.",
		scope: access.ScopeSessions, status: http.StatusOK, problems: []kind{turnOff, unknownTURNSession, turnSessionEnded},
	}, s.renewTURNCredentials)
	register(s, route{
		id: "end-turn-session", method: http.MethodDelete, path: "/v1/turn/sessions/{id}", tag: "turn", summary: "End a TURN session",
		doc: "Its allocations are silent when the answer comes, which has the final counters. Of a session that has ended before it says the same again. " +
			"That holds for our own TURN server alone: what other servers (turn.servers) were told of does not end with a session.",
		scope: access.ScopeSessions, status: http.StatusOK, problems: []kind{unknownTURNSession, insufficientStorage},
	}, s.endTURNSession)
}

type openedTURNSession struct {
	Location string `header:"Location"`
	Body     turnGrantBody
}

func (s *Server) openTURNSession(ctx context.Context, c call[noParams, turnCreate]) (*openedTURNSession, error) {
	spec, errs := c.Body.spec()
	if errs != nil {
		return nil, validationFailed.problem("", errs...)
	}
	made, both, err := s.deps.TURN.Open(ctx, s.deps.Domain, spec, turnsession.Caller{TokenID: c.caller.TokenID, Name: c.caller.Name})
	if err != nil {
		return nil, turnMistake(err)
	}
	return &openedTURNSession{Location: "/v1/turn/sessions/" + made.ID.String(), Body: showGrant(&made, &both)}, nil
}

// turnMistake points at the fields that the service refused.
func turnMistake(err error) error {
	var fields turnsession.FieldErrors
	var party *turnsession.PartyError
	switch {
	case errors.As(err, &fields):
		var errs []FieldError
		for _, f := range fields {
			errs = append(errs, FieldError{Pointer: f.Pointer, Detail: f.Detail})
		}
		return validationFailed.problem("", errs[:min(len(errs), maxFieldErrors)]...)
	case errors.As(err, &party):
		return pointing(err, "/endpoints/"+party.Side.String())
	}
	return err
}

type turnList struct{ Body list[turnBody] }

func (s *Server) listTURNSessions(ctx context.Context, c call[turnFilter, none]) (*turnList, error) {
	after, p := c.Params.after()
	if p != nil {
		return nil, p
	}
	q := turnsession.Query{Domain: s.deps.Domain, State: turnsession.State(c.Params.State), Limit: c.Params.Limit + 1}
	if after != "" {
		var err error
		if q.Before, err = turnsession.ParseID(after); err != nil {
			return nil, badCursor()
		}
	}
	all, err := s.deps.TURN.List(ctx, q)
	if err != nil {
		return nil, err
	}
	bodies := make([]turnBody, len(all))
	for i := range all {
		bodies[i] = showTURNSession(&all[i])
	}
	return &turnList{Body: page(bodies, c.Params.Limit, func(b turnBody) string { return b.ID })}, nil
}

type oneTURNSession struct{ Body turnBody }

func (s *Server) getTURNSession(ctx context.Context, c call[turnPath, none]) (*oneTURNSession, error) {
	return s.onTURNSession(ctx, c.Params.ID, s.deps.TURN.Session)
}

func (s *Server) endTURNSession(ctx context.Context, c call[turnPath, none]) (*oneTURNSession, error) {
	return s.onTURNSession(ctx, c.Params.ID, s.deps.TURN.End)
}

// onTURNSession answers with a session after something was done with it.
func (s *Server) onTURNSession(ctx context.Context, text string, do func(context.Context, string, turnsession.ID) (turnsession.Session, error)) (*oneTURNSession, error) {
	id, err := turnsession.ParseID(text)
	if err != nil {
		return nil, unknownTURNSession.problem("")
	}
	found, err := do(ctx, s.deps.Domain, id)
	if err != nil {
		return nil, err
	}
	return &oneTURNSession{showTURNSession(&found)}, nil
}

type renewedTURNCredentials struct{ Body turnGrantBody }

func (s *Server) renewTURNCredentials(ctx context.Context, c call[turnPath, none]) (*renewedTURNCredentials, error) {
	id, err := turnsession.ParseID(c.Params.ID)
	if err != nil {
		return nil, unknownTURNSession.problem("")
	}
	found, both, err := s.deps.TURN.Renew(ctx, s.deps.Domain, id)
	if err != nil {
		return nil, err
	}
	return &renewedTURNCredentials{showGrant(&found, &both)}, nil
}
