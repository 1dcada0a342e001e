package store

import (
	"context"
	"time"

	"signalbox/internal/access/technician"
)

var _ technician.Store = (*Store)(nil)

// CreateTechnician implements technician.Store.
func (s *Store) CreateTechnician(ctx context.Context, n technician.Technician) error {
	return s.try(ctx, func(t *tx) error {
		if err := t.checkRoles(n.Domain, n.Roles); err != nil {
			return err
		}
		return t.staff.Insert(&n)
	}, technician.ErrExists, technician.ErrUnknownRole, technician.ErrTooMany)
}

// checkRoles returns technician.ErrUnknownRole if one of these is neither built in nor there.
func (t *tx) checkRoles(domain string, names []string) error {
	for _, name := range names {
		if technician.IsBuiltIn(name) {
			continue
		}
		if _, err := t.staff.FindRole(domain, name); err != nil {
			return err
		}
	}
	return nil
}

// UpdateTechnician implements technician.Store.
func (s *Store) UpdateTechnician(ctx context.Context, domain, idOrName string, p technician.Patch, now time.Time, keep *[32]byte) (technician.Technician, error) {
	return outcome(ctx, s, func(t *tx) (technician.Technician, error) {
		n, err := t.staff.Find(domain, idOrName)
		if err != nil {
			return n, err
		}
		if err := t.checkRoles(domain, p.Roles); err != nil {
			return n, err
		}
		ends := p.Apply(&n)
		n.Updated = now
		if err := t.staff.Update(&n); err != nil || !ends {
			return n, err
		}
		return n, t.staff.DropAll(n.ID, keep)
	}, technician.ErrUnknown, technician.ErrUnknownRole)
}

// DeleteTechnician implements technician.Store.
func (s *Store) DeleteTechnician(ctx context.Context, domain, idOrName string) (technician.Technician, error) {
	return outcome(ctx, s, func(t *tx) (technician.Technician, error) {
		n, err := t.staff.Find(domain, idOrName)
		if err != nil {
			return n, err
		}
		return n, t.staff.Delete(n.ID)
	}, technician.ErrUnknown)
}

// Technician implements technician.Store.
func (s *Store) Technician(ctx context.Context, domain, idOrName string) (technician.Technician, error) {
	return s.reader.staff.Technician(ctx, domain, idOrName)
}

// Technicians implements technician.Store.
func (s *Store) Technicians(ctx context.Context, domain, after string, limit int) ([]technician.Technician, error) {
	return s.reader.staff.Technicians(ctx, domain, after, limit)
}

// CreateRole implements technician.Store.
func (s *Store) CreateRole(ctx context.Context, domain string, r technician.Role) error {
	return s.try(ctx, func(t *tx) error { return t.staff.InsertRole(domain, &r) }, technician.ErrRoleExists, technician.ErrTooMany)
}

// ReplaceRole implements technician.Store.
func (s *Store) ReplaceRole(ctx context.Context, domain string, r technician.Role) (technician.Role, error) {
	return outcome(ctx, s, func(t *tx) (technician.Role, error) {
		after := r
		before, err := t.staff.FindRole(domain, r.Name)
		if err != nil {
			return after, err
		}
		after.Created = before.Created
		return after, t.staff.UpdateRole(domain, &after)
	}, technician.ErrUnknownRole)
}

// DeleteRole implements technician.Store.
func (s *Store) DeleteRole(ctx context.Context, domain, name string) error {
	return s.try(ctx, func(t *tx) error { return t.staff.DeleteRole(domain, name) }, technician.ErrUnknownRole, technician.ErrRoleUsed)
}

// Roles implements technician.Store.
func (s *Store) Roles(ctx context.Context, domain string) ([]technician.Role, error) {
	return s.reader.staff.Roles(ctx, domain)
}

// CreateSignIn implements technician.Store.
func (s *Store) CreateSignIn(ctx context.Context, in technician.SignIn) error {
	return s.try(ctx, func(t *tx) error { return t.staff.InsertSignIn(&in) })
}

// SignIn implements technician.Store.
func (s *Store) SignIn(ctx context.Context, hash [32]byte) (technician.SignIn, technician.Technician, error) {
	return s.reader.staff.SignIn(ctx, hash)
}

// TouchSignIn implements technician.Store.
func (s *Store) TouchSignIn(ctx context.Context, hash [32]byte, seen time.Time) error {
	return s.try(ctx, func(t *tx) error { return t.staff.Touch(hash, seen) })
}

// DeleteSignIn implements technician.Store.
func (s *Store) DeleteSignIn(ctx context.Context, hash [32]byte) (bool, error) {
	return outcome(ctx, s, func(t *tx) (bool, error) { return t.staff.DropSignIn(hash) })
}

// CreateLink implements technician.Store.
func (s *Store) CreateLink(ctx context.Context, l technician.Link) error {
	return s.try(ctx, func(t *tx) error { return t.staff.InsertLink(&l, t.now) })
}

// Link implements technician.Store.
func (s *Store) Link(ctx context.Context, hash [32]byte) (technician.Link, error) {
	return s.reader.staff.Link(ctx, hash)
}

// TakeLink implements technician.Store.
func (s *Store) TakeLink(ctx context.Context, hash [32]byte) (technician.Link, error) {
	return outcome(ctx, s, func(t *tx) (technician.Link, error) { return t.staff.TakeLink(hash) }, technician.ErrLink)
}
