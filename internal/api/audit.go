package api

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"signalbox/internal/access"
	"signalbox/internal/audit"
)

type auditFilter struct {
	Paging
	Actor   string `query:"actor" maxLength:"256" doc:"Only what this actor did, such as token:management or technician:ann."`
	Action  string `query:"action" maxLength:"256" doc:"Only this action, or all that begin so where it ends in a dot, such as session. for all of sessions."`
	Subject string `query:"subject" maxLength:"256" doc:"Only what was done to this, such as the id of a session."`
	From    string `query:"from" maxLength:"64" doc:"Only what was done at this time or later (RFC 3339)."`
	Until   string `query:"until" maxLength:"64" doc:"Only what was done before this time (RFC 3339)."`
}

type auditBody struct {
	_       struct{}        `additionalProperties:"true"`
	Seq     int64           `json:"seq" doc:"Number, one more than that of the entry before."`
	At      time.Time       `json:"at"`
	Actor   string          `json:"actor" doc:"Who did it: token, technician, endpoint, enrolment (a machine by its one-time token) or local (the command line on the server's machine), a colon and a name; stranger, a colon and an address; or server." example:"token:management"`
	Action  string          `json:"action" doc:"The page API.md has them." example:"session.ended"`
	Subject string          `json:"subject,omitempty" doc:"To what." example:"ses_0123456789abc"`
	Detail  json.RawMessage `json:"detail" doc:"What else is known of it, an object."`
	Prev    string          `json:"prev" doc:"Hash of the entry before."`
	Hash    string          `json:"hash" doc:"SHA-256 of the entry with prev, see OPERATIONS.md."`
}

func (s *Server) registerAudit() {
	register(s, route{
		id: "list-audit", method: http.MethodGet, path: "/v1/audit", tag: "audit", summary: "List what was done by whom, the newest first",
		doc: "Entries are chained by their hashes and vouched for by signatures of the server, so that none can be changed unnoticed: signalbox audit verify checks them. They are kept for " +
			"store.audit_retention.",
		scope: access.ScopeAdmin, status: http.StatusOK,
	}, s.listAudit)
}

type auditList struct{ Body list[auditBody] }

func (s *Server) listAudit(ctx context.Context, c call[auditFilter, none]) (*auditList, error) {
	after, p := c.Params.after()
	if p != nil {
		return nil, p
	}
	q := audit.Query{Domain: s.deps.Domain, Actor: c.Params.Actor, Action: c.Params.Action, Subject: c.Params.Subject, Limit: c.Params.Limit + 1}
	var err error
	if q.Before, err = strconv.ParseInt(after, 10, 64); after != "" && (err != nil || q.Before < 1) {
		return nil, badCursor()
	}
	var errs []FieldError
	for _, t := range []struct {
		name, text string
		into       *time.Time
	}{{"from", c.Params.From, &q.From}, {"until", c.Params.Until, &q.Until}} {
		if *t.into, err = time.Parse(time.RFC3339Nano, t.text); t.text != "" && err != nil {
			errs = append(errs, FieldError{Parameter: t.name, Detail: "it must be a time as RFC 3339 has it, such as 2026-01-01T00:00:00Z"})
		}
	}
	if errs != nil {
		return nil, validationFailed.problem("", errs...)
	}
	all, err := s.deps.Audit.Entries(ctx, q)
	if err != nil {
		return nil, err
	}
	bodies := make([]auditBody, len(all))
	for i, e := range all {
		bodies[i] = auditBody{
			Seq: e.Seq, At: utc(e.At), Actor: e.Actor, Action: e.Action, Subject: e.Subject, Detail: e.Detail, Prev: e.Prev.String(), Hash: e.Hash.String(),
		}
	}
	return &auditList{Body: page(bodies, c.Params.Limit, func(b auditBody) string { return strconv.FormatInt(b.Seq, 10) })}, nil
}
