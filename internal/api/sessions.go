package api

import (
	"context"
	"errors"
	"net/http"
	"strconv"

	"signalbox/internal/access"
	"signalbox/internal/endpoint"
	"signalbox/internal/remote"
	"signalbox/internal/turnsession"
)

// Sessions is the broker of remote sessions; remote.Service is one, and says what its methods do.
type Sessions interface {
	Open(ctx context.Context, domain string, spec remote.Spec, by remote.Caller) (remote.Opened, error)
	Session(ctx context.Context, domain string, id remote.ID) (remote.Session, error)
	List(ctx context.Context, q remote.Query) ([]remote.Session, error)
	Change(ctx context.Context, domain string, id remote.ID, c remote.Change, by remote.Caller) (remote.Session, error)
	Renew(ctx context.Context, domain string, id remote.ID, by remote.Caller) (remote.Opened, error)
	End(ctx context.Context, domain string, id remote.ID, reason string, by remote.Caller) (remote.Session, error)
}

type sessionPath struct {
	ID string `path:"id" maxLength:"64" doc:"Id of the remote session." example:"ses_0123456789abc"`
}

type sessionFilter struct {
	Paging
	State      string `query:"state" enum:"open,requested,waiting_for_consent,connecting,active,reconnecting,ended" doc:"Only sessions in this state; open: all that have not ended."`
	Endpoint   string `query:"endpoint" maxLength:"256" doc:"Only sessions with this endpoint."`
	Technician string `query:"technician" maxLength:"64" doc:"Only sessions of the technician with this id."`
}

func (s *Server) registerSessions() {
	register(s, route{
		id: "open-session", method: http.MethodPost, path: "/v1/sessions", tag: "sessions", summary: "Open a remote session of a technician with an endpoint",
		doc: "The endpoint must be online; it is asked at once, and asks its user where consent says so. The answer alone has the technician's token, which is good for one use within a minute: " +
			"the page at console_url uses it, as does every other client of signalling_url. Who cannot open that page in time gets another by POST /v1/sessions/{id}/credentials.",
		scope: access.ScopeSessions, status: http.StatusCreated,
		problems: []kind{unknownEndpoint, endpointDisabled, endpointOffline, queueFull, tooManySessions, turnOff, turnUnavailable, tooManyTURNSessions, insufficientStorage},
		example: map[string]any{
			"endpoint": "pc-1", "technician": map[string]string{"id": "ann", "name": "Ann Lee"}, "why": "ticket 4711", "kinds": []string{"terminal", "files"},
			"consent": map[string]any{"mode": "ask_deny", "timeout": 30},
		},
	}, s.openSession)
	register(s, route{
		id: "list-sessions", method: http.MethodGet, path: "/v1/sessions", tag: "sessions", summary: "List remote sessions, the newest first",
		doc:   "Those that have ended are kept for store.audit_retention.",
		scope: access.ScopeSessions, status: http.StatusOK,
	}, s.listSessions)
	register(s, route{
		id: "get-session", method: http.MethodGet, path: "/v1/sessions/{id}", tag: "sessions", summary: "Show a remote session",
		scope: access.ScopeSessions, status: http.StatusOK, problems: []kind{unknownSession},
	}, s.getSession)
	register(s, route{
		id: "change-session", method: http.MethodPatch, path: "/v1/sessions/{id}", tag: "sessions", summary: "Change the limits of a remote session",
		doc:   "A limit that is absent stays. The session ends at once if it is over by the new ones.",
		scope: access.ScopeSessions, status: http.StatusOK, problems: []kind{unknownSession, sessionEnded, insufficientStorage},
		example: map[string]any{"max_duration": 7200},
	}, s.changeSession)
	register(s, route{
		id: "renew-session-credentials", method: http.MethodPost, path: "/v1/sessions/{id}/credentials", tag: "sessions", summary: "Make a new token for the technician of a remote session",
		doc:   "With it come new ICE servers. The token before lets nobody in any more; a technician who is in stays, until the new token is used.",
		scope: access.ScopeSessions, status: http.StatusOK, problems: []kind{unknownSession, sessionEnded, insufficientStorage},
	}, s.renewSession)
	register(s, route{
		id: "end-session", method: http.MethodDelete, path: "/v1/sessions/{id}", tag: "sessions", summary: "End a remote session",
		doc: "Both parties are told, with the reason management_ended, and nothing goes over the relay or the TURN server any more when the answer comes; one on another host that does not answer hears of the end when it is " +
			"back. Credentials of other TURN servers (turn.servers), which clients get by XEP-0215, are not revoked by it. Of a session that has ended before it says how that was.",
		scope: access.ScopeSessions, status: http.StatusOK, problems: []kind{unknownSession, insufficientStorage},
	}, s.endSession)
}

// callerOf is who makes a request, as records of sessions show it.
func callerOf(p access.Principal) remote.Caller { return remote.Caller{Token: p.TokenID, Name: p.Name} }

type openedSession struct {
	Location string `header:"Location"`
	Body     sessionGrantBody
}

func (s *Server) openSession(ctx context.Context, c call[noParams, sessionCreate]) (*openedSession, error) {
	spec, p := c.Body.spec()
	if p != nil {
		return nil, p
	}
	opened, err := s.deps.Sessions.Open(ctx, s.deps.Domain, spec, callerOf(c.caller))
	if err != nil {
		return nil, sessionMistake(err)
	}
	return &openedSession{Location: "/v1/sessions/" + opened.ID.String(), Body: s.showOpened(&opened)}, nil
}

// sessionMistake makes the problem of what the broker refused.
func sessionMistake(err error) error {
	var fields turnsession.FieldErrors
	var offline *remote.OfflineError
	var limit *remote.LimitError
	var ended *remote.EndedError
	switch {
	case errors.As(err, &fields):
		var errs []FieldError
		for _, f := range fields {
			errs = append(errs, FieldError{Pointer: f.Pointer, Detail: f.Detail})
		}
		return validationFailed.problem("", errs[:min(len(errs), maxFieldErrors)]...)
	case errors.As(err, &offline):
		return endpointOffline.problem("It cannot be asked: "+offline.Error()+".", FieldError{Pointer: "/endpoint", Detail: endpointOffline.title + "."})
	case errors.As(err, &limit):
		return tooManySessions.problem("The " + limit.Of + " has as many open sessions as it may have, " + strconv.Itoa(limit.Max) + ": wait for one to end, or end it.").retryAfter(retrySpace)
	case errors.As(err, &ended):
		return sessionEnded.problem("It has ended: " + ended.Reason + ". Open another one.")
	case errors.Is(err, endpoint.ErrUnknown), errors.Is(err, endpoint.ErrDisabled), errors.Is(err, endpoint.ErrFull):
		return pointing(err, "/endpoint")
	}
	return err
}

type sessionList struct{ Body list[sessionBody] }

func (s *Server) listSessions(ctx context.Context, c call[sessionFilter, none]) (*sessionList, error) {
	after, p := c.Params.after()
	if p != nil {
		return nil, p
	}
	q := remote.Query{Domain: s.deps.Domain, Endpoint: c.Params.Endpoint, Technician: c.Params.Technician, Limit: c.Params.Limit + 1}
	if q.Open = c.Params.State == "open"; !q.Open {
		q.State = remote.State(c.Params.State)
	}
	if after != "" {
		var err error
		if q.Before, err = remote.ParseID(after); err != nil {
			return nil, badCursor()
		}
	}
	all, err := s.deps.Sessions.List(ctx, q)
	if err != nil {
		return nil, err
	}
	bodies := make([]sessionBody, len(all))
	for i := range all {
		bodies[i] = showSession(&all[i])
	}
	return &sessionList{Body: page(bodies, c.Params.Limit, func(b sessionBody) string { return b.ID })}, nil
}

type oneSession struct{ Body sessionBody }

func (s *Server) getSession(ctx context.Context, c call[sessionPath, none]) (*oneSession, error) {
	return onSession(c.Params.ID, func(id remote.ID) (remote.Session, error) { return s.deps.Sessions.Session(ctx, s.deps.Domain, id) })
}

func (s *Server) changeSession(ctx context.Context, c call[sessionPath, sessionChange]) (*oneSession, error) {
	change := c.Body.change()
	return onSession(c.Params.ID, func(id remote.ID) (remote.Session, error) {
		return s.deps.Sessions.Change(ctx, s.deps.Domain, id, change, callerOf(c.caller))
	})
}

func (s *Server) endSession(ctx context.Context, c call[sessionPath, none]) (*oneSession, error) {
	return onSession(c.Params.ID, func(id remote.ID) (remote.Session, error) {
		return s.deps.Sessions.End(ctx, s.deps.Domain, id, remote.ReasonManagementEnded.Name, callerOf(c.caller))
	})
}

// onSession answers with a session after something was done with it.
func onSession(text string, do func(remote.ID) (remote.Session, error)) (*oneSession, error) {
	id, err := remote.ParseID(text)
	if err != nil {
		return nil, unknownSession.problem("")
	}
	found, err := do(id)
	if err != nil {
		return nil, sessionMistake(err)
	}
	return &oneSession{showSession(&found)}, nil
}

type renewedSession struct{ Body sessionGrantBody }

func (s *Server) renewSession(ctx context.Context, c call[sessionPath, none]) (*renewedSession, error) {
	id, err := remote.ParseID(c.Params.ID)
	if err != nil {
		return nil, unknownSession.problem("")
	}
	opened, err := s.deps.Sessions.Renew(ctx, s.deps.Domain, id, callerOf(c.caller))
	if err != nil {
		return nil, sessionMistake(err)
	}
	return &renewedSession{s.showOpened(&opened)}, nil
}
