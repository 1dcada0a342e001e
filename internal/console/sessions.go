package console

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"signalbox/internal/access/technician"
	"signalbox/internal/endpoint"
	"signalbox/internal/remote"
	"signalbox/internal/signalling"
)

const maxWhyBytes = 256

// sessionBody is a remote session as pages get it.
type sessionBody struct {
	ID          string                `json:"id"`
	Endpoint    string                `json:"endpoint"`
	Technician  signalling.Technician `json:"technician"`
	State       remote.State          `json:"state"`
	Reason      string                `json:"reason,omitempty"`
	Detail      string                `json:"detail,omitempty"`
	Why         string                `json:"why,omitempty"`
	Kinds       []string              `json:"kinds"`
	Permissions []string              `json:"permissions"`
	Transport   string                `json:"transport"`
	Consent     string                `json:"consent,omitempty"`
	Desktop     string                `json:"desktop,omitempty"`
	Rung        string                `json:"rung,omitempty"`
	BytesUp     int64                 `json:"bytes_up"`
	BytesDown   int64                 `json:"bytes_down"`
	Created     time.Time             `json:"created_at"`
	Accepted    time.Time             `json:"accepted_at,omitzero"`
	Active      time.Time             `json:"active_at,omitzero"`
	Ended       time.Time             `json:"ended_at,omitzero"`
	Expires     time.Time             `json:"expires_at"`
	Mine        bool                  `json:"mine"`
}

// openedBody is a session with what lets its technician in, once.
type openedBody struct {
	sessionBody
	Token        string    `json:"token"`
	TokenExpires time.Time `json:"token_expires_at"`
	Signalling   string    `json:"signalling_url"`
}

func showSession(s remote.Session, who technician.Principal) sessionBody {
	return sessionBody{
		ID: s.ID.String(), Endpoint: s.Endpoint, Technician: s.Technician, State: s.State, Reason: s.Reason, Detail: s.Detail, Why: s.Why, Kinds: append([]string{}, s.Kinds...),
		Permissions: append([]string{}, s.Permissions...), Transport: s.Transport, Consent: s.Consent, Desktop: s.Desktop, Rung: s.Rung, BytesUp: s.BytesUp, BytesDown: s.BytesDown,
		Created: s.Created.UTC(), Accepted: s.Accepted.UTC(), Active: s.Active.UTC(), Ended: s.Ended.UTC(), Expires: s.Expires.UTC(), Mine: s.Technician.ID == who.ID,
	}
}

func (h *Handler) showOpened(o remote.Opened, who technician.Principal) openedBody {
	return openedBody{
		sessionBody: showSession(o.Session, who), Token: o.Token, TokenExpires: o.TokenExpires.UTC(), Signalling: "wss" + strings.TrimPrefix(h.deps.Base(), "https") + SignalPath,
	}
}

// caller is who asks the broker for something.
func caller(who technician.Principal) remote.Caller { return remote.Caller{Name: who.Name} }

// opening is what a session is asked for with.
type opening struct {
	Endpoint    string   `json:"endpoint"`
	Kinds       []string `json:"kinds"`
	Permissions []string `json:"permissions"`
	Why         string   `json:"why"`
	Transport   string   `json:"transport"`
}

func (o *opening) check() error {
	switch o.Transport {
	case "":
		o.Transport = signalling.TransportAuto
	case signalling.TransportAuto, signalling.TransportTURNOnly, signalling.TransportRelayOnly:
	default:
		return invalid.because("The transport is auto, turn_only or websocket_only.")
	}
	if len(o.Why) > maxWhyBytes || len(o.Kinds) > 16 || len(o.Permissions) > 32 {
		return invalid.because("The reason has at most 256 bytes, and kinds and permissions stand there once.")
	}
	return nil
}

func (h *Handler) openSession(r *request) (answer, error) {
	var o opening
	if err := r.decode(&o); err != nil {
		return answer{}, err
	}
	if err := o.check(); err != nil {
		return answer{}, err
	}
	record, a, err := h.visible(r.Context(), r.who, o.Endpoint)
	if err != nil {
		if errors.Is(err, endpoint.ErrUnknown) && endpoint.CheckID(o.Endpoint) == nil { // whether it is there or not: the answer does not tell, and neither does its time
			h.refuse(r, o.Endpoint)
		}
		return answer{}, err
	}
	kinds, permissions, ok := a.Narrow(o.Kinds, o.Permissions)
	switch {
	case !ok:
		h.refuse(r, o.Endpoint)
		return answer{}, notAllowed.because("")
	case !record.Enabled:
		return answer{}, endpoint.ErrDisabled
	}
	opened, err := h.deps.Sessions.Open(r.Context(), h.deps.Domain, remote.Spec{
		Endpoint: o.Endpoint, Technician: signalling.Technician{ID: r.who.ID, Name: r.who.Shown()}, Why: o.Why, Kinds: kinds, Permissions: permissions, NotifyUser: true,
		Transport: o.Transport,
	}, caller(r.who))
	if err != nil {
		return answer{}, err
	}
	return answer{status: http.StatusCreated, body: h.showOpened(opened, r.who)}, nil
}

// refuse has the audit know that a technician asked for what no role of theirs allows.
func (h *Handler) refuse(r *request, id string) {
	h.deps.Technicians.Refused(r.Context(), r.who, id)
}

// reach returns a session and whether somebody may act on it: their own, or any on an endpoint where a role of theirs manages sessions. Others are unknown to them.
func (h *Handler) reach(ctx context.Context, who technician.Principal, text string) (remote.Session, error) {
	id, err := remote.ParseID(text)
	if err != nil {
		return remote.Session{}, err
	}
	s, err := h.deps.Sessions.Session(ctx, h.deps.Domain, id)
	if err != nil {
		return remote.Session{}, err
	}
	some, err := h.reachable(ctx, who, []remote.Session{s})
	if err == nil && len(some) == 0 {
		err = remote.ErrUnknown
	}
	return s, err
}

// reachable returns those of all that somebody may act on.
func (h *Handler) reachable(ctx context.Context, who technician.Principal, all []remote.Session) ([]remote.Session, error) {
	var others []string
	for i := range all {
		if all[i].Technician.ID != who.ID && !slices.Contains(others, all[i].Endpoint) {
			others = append(others, all[i].Endpoint)
		}
	}
	managed := map[string]bool{}
	if len(others) > 0 && who.Everywhere().Manages {
		records, err := h.deps.Endpoints.ByID(ctx, h.deps.Domain, others)
		if err != nil {
			return nil, err
		}
		everywhere := who.On(nil, nil).Manages // also where an endpoint was deleted
		for _, id := range others {
			managed[id] = everywhere
		}
		for i := range records {
			managed[records[i].ID] = who.On(records[i].Groups, records[i].Labels).Manages
		}
	}
	return slices.DeleteFunc(slices.Clone(all), func(s remote.Session) bool { return s.Technician.ID != who.ID && !managed[s.Endpoint] }), nil
}

func (h *Handler) getSession(r *request) (answer, error) {
	s, err := h.reach(r.Context(), r.who, r.PathValue("id"))
	if err != nil {
		return answer{}, err
	}
	return answer{body: showSession(s, r.who)}, nil
}

func (h *Handler) listSessions(r *request) (answer, error) {
	q, err := sessionQuery(r, h.deps.Domain)
	if err != nil {
		return answer{}, err
	}
	if !r.who.Everywhere().Manages {
		q.Technician = r.who.ID
	}
	limit := q.Limit
	q.Limit++
	all, err := h.deps.Sessions.List(r.Context(), q)
	if err != nil {
		return answer{}, err
	}
	out := list[sessionBody]{Items: []sessionBody{}}
	if len(all) > limit {
		all = all[:limit]
		out.Next = newCursor(all[limit-1].ID.String())
	}
	if all, err = h.reachable(r.Context(), r.who, all); err != nil {
		return answer{}, err
	}
	for _, s := range all {
		out.Items = append(out.Items, showSession(s, r.who))
	}
	return answer{body: out}, nil
}

func sessionQuery(r *request, domain string) (q remote.Query, err error) {
	values := r.URL.Query()
	if err := only(values, "state", "endpoint", "limit", "cursor"); err != nil {
		return q, err
	}
	q = remote.Query{Domain: domain, Endpoint: values.Get("endpoint")}
	switch values.Get("state") {
	case "":
	case "open":
		q.Open = true
	case "ended":
		q.State = remote.Ended
	default:
		return q, invalid.because("The parameter state is open or ended.")
	}
	if q.Limit, err = limitOf(values); err != nil {
		return q, err
	}
	place, err := placeOf(values)
	if err == nil && place != "" {
		if q.Before, err = remote.ParseID(place); err != nil {
			err = invalid.because("The parameter cursor is not the next of an earlier page.")
		}
	}
	return q, err
}

func (h *Handler) endSession(r *request) (answer, error) {
	if err := r.nothing(); err != nil {
		return answer{}, err
	}
	s, err := h.reach(r.Context(), r.who, r.PathValue("id"))
	if err != nil {
		return answer{}, err
	}
	reason := remote.ReasonTechnicianEnded
	if s.Technician.ID != r.who.ID {
		reason = remote.ReasonManagementEnded
	}
	ended, err := h.deps.Sessions.End(r.Context(), h.deps.Domain, s.ID, reason.Name, caller(r.who))
	if err != nil {
		return answer{}, err
	}
	return answer{body: showSession(ended, r.who)}, nil
}

// renewSession makes a new token of the technician's own session. What they may do is asked again: a role may have changed since it was opened.
func (h *Handler) renewSession(r *request) (answer, error) {
	if err := r.nothing(); err != nil {
		return answer{}, err
	}
	s, err := h.reach(r.Context(), r.who, r.PathValue("id"))
	if err == nil && s.Technician.ID != r.who.ID {
		err = remote.ErrUnknown
	}
	if err != nil {
		return answer{}, err
	}
	_, a, err := h.visible(r.Context(), r.who, s.Endpoint)
	if err != nil && !errors.Is(err, endpoint.ErrUnknown) {
		return answer{}, err
	}
	if _, _, ok := a.Narrow(s.Kinds, s.Permissions); err != nil || !ok {
		h.refuse(r, s.Endpoint)
		return answer{}, notAllowed.because("")
	}
	opened, err := h.deps.Sessions.Renew(r.Context(), h.deps.Domain, s.ID, caller(r.who))
	if err != nil {
		return answer{}, err
	}
	return answer{body: h.showOpened(opened, r.who)}, nil
}
