package technician

import (
	"context"
	"fmt"
	"slices"
)

// Roles returns all roles: those that are built in, then the others by name.
func (s *Service) Roles(ctx context.Context) ([]Role, error) {
	custom, err := s.store.Roles(ctx, s.domain)
	if err != nil {
		return nil, fmt.Errorf("list roles: %w", err)
	}
	return append(BuiltIn(), custom...), nil
}

// CreateRole makes a role; by is the actor of the audit. Errors: ErrInvalid, ErrRoleExists, also for names of those that are built in, ErrTooMany.
func (s *Service) CreateRole(ctx context.Context, r Role, by string) (Role, error) {
	if err := r.check(); err != nil {
		return Role{}, err
	}
	if IsBuiltIn(r.Name) {
		return Role{}, ErrRoleExists
	}
	r = r.tidy()
	r.Created = s.clock()
	r.Updated = r.Created
	if err := s.store.CreateRole(ctx, s.domain, r); err != nil {
		return Role{}, fmt.Errorf("create role: %w", err)
	}
	s.record(ctx, Entry{Actor: by, Action: ActionRoleCreated, Subject: r.Name, Detail: roleDetail(r)})
	return r, nil
}

// ReplaceRole puts r in the place of the role of its name. It holds at once for those who are signed in. Errors: ErrInvalid, ErrBuiltIn, ErrUnknownRole.
func (s *Service) ReplaceRole(ctx context.Context, r Role, by string) (Role, error) {
	if IsBuiltIn(r.Name) {
		return Role{}, ErrBuiltIn
	}
	if err := r.check(); err != nil {
		return Role{}, err
	}
	r = r.tidy()
	r.Updated = s.clock()
	r, err := s.store.ReplaceRole(ctx, s.domain, r)
	if err != nil {
		return Role{}, fmt.Errorf("change role: %w", err)
	}
	s.tellChanged()
	s.record(ctx, Entry{Actor: by, Action: ActionRoleChanged, Subject: r.Name, Detail: roleDetail(r)})
	return r, nil
}

// DeleteRole removes a role that nobody has. Errors: ErrBuiltIn, ErrUnknownRole, ErrRoleUsed.
func (s *Service) DeleteRole(ctx context.Context, name, by string) error {
	if IsBuiltIn(name) {
		return ErrBuiltIn
	}
	if err := s.store.DeleteRole(ctx, s.domain, name); err != nil {
		return fmt.Errorf("delete role: %w", err)
	}
	s.record(ctx, Entry{Actor: by, Action: ActionRoleDeleted, Subject: name})
	return nil
}

func roleDetail(r Role) map[string]any {
	return map[string]any{"kinds": r.Kinds, "permissions": r.Permissions, "groups": r.Groups, "labels": r.Labels, "manages_sessions": r.Manages}
}

// held returns what the names of a technician's roles stand for.
func (s *Service) held(ctx context.Context, names []string) (held []Role, err error) {
	all := BuiltIn()
	if slices.ContainsFunc(names, func(n string) bool { return !IsBuiltIn(n) }) {
		if all, err = s.Roles(ctx); err != nil {
			return nil, err
		}
	}
	return slices.DeleteFunc(all, func(r Role) bool { return !slices.Contains(names, r.Name) }), nil
}
