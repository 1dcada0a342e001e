package api

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"signalbox/internal/access"
	"signalbox/internal/access/technician"
)

type technicianPath struct {
	ID string `path:"id" maxLength:"64" doc:"Id or name of the technician." example:"ada"`
}

func (s *Server) registerTechnicians() {
	register(s, route{
		id: "create-technician", method: http.MethodPost, path: "/v1/technicians", tag: "technicians", summary: "Make an account of the console",
		scope: access.ScopeAdmin, status: http.StatusCreated, problems: []kind{technicianExists, unknownRole, tooManyTechnicians, insufficientStorage},
		example: map[string]any{"name": "ada", "display_name": "Ada Lovelace", "roles": []string{"operator"}},
	}, s.createTechnician)
	register(s, route{
		id: "list-technicians", method: http.MethodGet, path: "/v1/technicians", tag: "technicians", summary: "List accounts of the console by name",
		scope: access.ScopeAdmin, status: http.StatusOK,
	}, s.listTechnicians)
	register(s, route{
		id: "get-technician", method: http.MethodGet, path: "/v1/technicians/{id}", tag: "technicians", summary: "Show an account of the console",
		scope: access.ScopeAdmin, status: http.StatusOK, problems: []kind{unknownTechnician},
	}, s.getTechnician)
	register(s, route{
		id: "change-technician", method: http.MethodPatch, path: "/v1/technicians/{id}", tag: "technicians", summary: "Change an account of the console",
		doc:   "A field that is given replaces the whole old value; one that is absent stays.",
		scope: access.ScopeAdmin, status: http.StatusOK, problems: []kind{unknownTechnician, unknownRole, insufficientStorage},
		example: map[string]any{"enabled": false},
	}, s.changeTechnician)
	register(s, route{
		id: "delete-technician", method: http.MethodDelete, path: "/v1/technicians/{id}", tag: "technicians", summary: "Delete an account of the console",
		doc:   "The technician is signed out, and their sessions end.",
		scope: access.ScopeAdmin, status: http.StatusNoContent, problems: []kind{unknownTechnician, insufficientStorage},
	}, s.deleteTechnician)
	register(s, route{
		id: "link-technician", method: http.MethodPost, path: "/v1/technicians/{id}/link", tag: "technicians", summary: "Make a link that signs a technician in, once",
		doc:   "It can be used for 60 seconds: send the technician's browser there at once.",
		scope: access.ScopeSessions, status: http.StatusCreated, problems: []kind{unknownTechnician, technicianDisabled, insufficientStorage},
	}, s.linkTechnician)
	s.registerRoles()
}

// actor is how the audit names whoever made a request.
func (e *exchange) actor() string { return "token:" + e.caller.Name }

type oneTechnician struct{ Body technicianAccountBody }

type createdTechnician struct {
	Location string `header:"Location"`
	Body     technicianAccountBody
}

func (s *Server) createTechnician(ctx context.Context, c call[noParams, technicianCreate]) (*createdTechnician, error) {
	b := c.Body
	if b.Password != nil && *b.Password == "" {
		return nil, validationFailed.at("/password", "it is empty; leave it out for an account that signs in by links alone")
	}
	t, err := s.deps.Technicians.Create(ctx, technician.New{
		Name: b.Name, Display: b.Display, Password: value(b.Password), Roles: b.Roles, Disabled: b.Enabled != nil && !*b.Enabled,
	}, c.actor())
	if err != nil {
		return nil, technicianMistake(err)
	}
	return &createdTechnician{Location: "/v1/technicians/" + t.ID, Body: showTechnicianAccount(t)}, nil
}

// technicianMistake points at the fields that the domain refused.
func technicianMistake(err error) error {
	switch {
	case errors.Is(err, technician.ErrExists), errors.Is(err, technician.ErrRoleExists):
		return pointing(err, "/name")
	case errors.Is(err, technician.ErrUnknownRole):
		return pointing(err, "/roles")
	case !errors.Is(err, technician.ErrInvalid):
		return err
	}
	var errs []FieldError
	for _, line := range strings.Split(err.Error(), "\n") {
		field, detail, _ := strings.Cut(line, ": ")
		errs = append(errs, FieldError{Pointer: "/" + field, Detail: strings.TrimPrefix(detail, technician.ErrInvalid.Error()+": ")})
	}
	return validationFailed.problem("", errs...)
}

type technicianList struct{ Body list[technicianAccountBody] }

func (s *Server) listTechnicians(ctx context.Context, c call[Paging, none]) (*technicianList, error) {
	after, p := c.Params.after()
	if p != nil {
		return nil, p
	}
	all, err := s.deps.Technicians.List(ctx, after, c.Params.Limit+1)
	if err != nil {
		return nil, err
	}
	bodies := make([]technicianAccountBody, len(all))
	for i, t := range all {
		bodies[i] = showTechnicianAccount(t)
	}
	return &technicianList{Body: page(bodies, c.Params.Limit, func(t technicianAccountBody) string { return t.Name })}, nil
}

func (s *Server) getTechnician(ctx context.Context, c call[technicianPath, none]) (*oneTechnician, error) {
	t, err := s.deps.Technicians.Technician(ctx, c.Params.ID)
	if err != nil {
		return nil, err
	}
	return &oneTechnician{Body: showTechnicianAccount(t)}, nil
}

func (s *Server) changeTechnician(ctx context.Context, c call[technicianPath, technicianChange]) (*oneTechnician, error) {
	p := technician.Patch{Display: c.Body.Display, Enabled: c.Body.Enabled, Password: c.Body.Password}
	if c.Body.Roles != nil {
		p.Roles = append([]string{}, *c.Body.Roles...)
	}
	t, err := s.deps.Technicians.Change(ctx, c.Params.ID, p, c.actor())
	if err != nil {
		return nil, technicianMistake(err)
	}
	return &oneTechnician{Body: showTechnicianAccount(t)}, nil
}

func (s *Server) deleteTechnician(ctx context.Context, c call[technicianPath, none]) (*nothing, error) {
	return nil, s.deps.Technicians.Delete(ctx, c.Params.ID, c.actor())
}

type createdLink struct{ Body linkBody }

func (s *Server) linkTechnician(ctx context.Context, c call[technicianPath, none]) (*createdLink, error) {
	token, l, err := s.deps.Technicians.CreateLink(ctx, c.Params.ID, c.actor())
	if err != nil {
		return nil, err
	}
	return &createdLink{Body: linkBody{URL: s.deps.Console() + "/console/#/signin/" + token, ExpiresAt: utc(l.Expires)}}, nil
}
