package api

import (
	"context"
	"net/http"

	"signalbox/internal/access"
	"signalbox/internal/access/technician"
)

type rolePath struct {
	Name string `path:"name" maxLength:"64" doc:"Name of the role." example:"paris-desk"`
}

func (s *Server) registerRoles() {
	register(s, route{
		id: "create-role", method: http.MethodPost, path: "/v1/roles", tag: "technicians", summary: "Make a role",
		doc:   "A technician may do on an endpoint what any of their roles that holds for it allows.",
		scope: access.ScopeAdmin, status: http.StatusCreated, problems: []kind{roleExists, tooManyTechnicians, insufficientStorage},
		example: map[string]any{"name": "paris-desk", "kinds": []string{"terminal", "processes"}, "groups": []string{"paris"}},
	}, s.createRole)
	register(s, route{
		id: "list-roles", method: http.MethodGet, path: "/v1/roles", tag: "technicians", summary: "List roles",
		doc:   "First those that are built in and hold for all endpoints: viewer sees, operator opens sessions of every kind, admin also sees and ends those of others. Then the others by name.",
		scope: access.ScopeAdmin, status: http.StatusOK,
	}, s.listRoles)
	register(s, route{
		id: "get-role", method: http.MethodGet, path: "/v1/roles/{name}", tag: "technicians", summary: "Show a role",
		scope: access.ScopeAdmin, status: http.StatusOK, problems: []kind{unknownRole},
	}, s.getRole)
	register(s, route{
		id: "change-role", method: http.MethodPatch, path: "/v1/roles/{name}", tag: "technicians", summary: "Change a role",
		doc:   "It holds at once, also for technicians who are signed in; sessions that are open go on. A field that is given replaces the whole old value; one that is absent stays.",
		scope: access.ScopeAdmin, status: http.StatusOK, problems: []kind{unknownRole, roleBuiltIn, insufficientStorage},
		example: map[string]any{"groups": []string{"paris", "lyon"}},
	}, s.changeRole)
	register(s, route{
		id: "delete-role", method: http.MethodDelete, path: "/v1/roles/{name}", tag: "technicians", summary: "Delete a role that nobody has",
		scope: access.ScopeAdmin, status: http.StatusNoContent, problems: []kind{unknownRole, roleBuiltIn, roleUsed, insufficientStorage},
	}, s.deleteRole)
}

type oneRole struct{ Body roleBody }

type createdRole struct {
	Location string `header:"Location"`
	Body     roleBody
}

func (s *Server) createRole(ctx context.Context, c call[noParams, roleCreate]) (*createdRole, error) {
	b := c.Body
	r, err := s.deps.Technicians.CreateRole(ctx, technician.Role{
		Name: b.Name, Kinds: b.Kinds, Permissions: b.Permissions, Groups: b.Groups, Labels: b.Labels, Manages: b.Manages,
	}, c.actor())
	if err != nil {
		return nil, technicianMistake(err)
	}
	return &createdRole{Location: "/v1/roles/" + r.Name, Body: showRole(r)}, nil
}

type roleList struct{ Body list[roleBody] }

func (s *Server) listRoles(ctx context.Context, _ call[noParams, none]) (*roleList, error) {
	all, err := s.deps.Technicians.Roles(ctx)
	if err != nil {
		return nil, err
	}
	out := &roleList{Body: list[roleBody]{Items: make([]roleBody, len(all))}}
	for i, r := range all {
		out.Body.Items[i] = showRole(r)
	}
	return out, nil
}

// role finds one by its name, or returns technician.ErrUnknownRole.
func (s *Server) role(ctx context.Context, name string) (technician.Role, error) {
	all, err := s.deps.Technicians.Roles(ctx)
	if err != nil {
		return technician.Role{}, err
	}
	for _, r := range all {
		if r.Name == name {
			return r, nil
		}
	}
	return technician.Role{}, technician.ErrUnknownRole
}

func (s *Server) getRole(ctx context.Context, c call[rolePath, none]) (*oneRole, error) {
	r, err := s.role(ctx, c.Params.Name)
	if err != nil {
		return nil, err
	}
	return &oneRole{Body: showRole(r)}, nil
}

func (s *Server) changeRole(ctx context.Context, c call[rolePath, roleChange]) (*oneRole, error) {
	r, err := s.role(ctx, c.Params.Name)
	if err != nil {
		return nil, err
	}
	c.Body.apply(&r)
	if r, err = s.deps.Technicians.ReplaceRole(ctx, r, c.actor()); err != nil {
		return nil, technicianMistake(err)
	}
	return &oneRole{Body: showRole(r)}, nil
}

func (s *Server) deleteRole(ctx context.Context, c call[rolePath, none]) (*nothing, error) {
	return nil, s.deps.Technicians.DeleteRole(ctx, c.Params.Name, c.actor())
}
