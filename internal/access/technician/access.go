package technician

import "slices"

// Access is what somebody may do on one endpoint. The zero value is nothing at all.
type Access struct {
	See         bool
	Kinds       []string // of sessions that may be opened
	Permissions []string // within them, spelled out
	Manages     bool     // sees and ends sessions of others
}

// Principal is who is signed in. The zero value may do nothing.
type Principal struct {
	Technician
	Held   []Role // what Roles stand for now
	SignIn SignIn
}

// On returns what the principal may do on an endpoint with these groups and labels: what any of its roles that is about the endpoint allows.
func (p Principal) On(groups []string, labels map[string]string) (a Access) {
	for _, r := range p.Held {
		if !r.holds(groups, labels) {
			continue
		}
		a.See = true
		a.Manages = a.Manages || r.Manages
		a.Kinds = append(a.Kinds, r.Kinds...)
		a.Permissions = append(a.Permissions, r.Permissions...)
	}
	a.Kinds = inOrder(Kinds(), a.Kinds)
	a.Permissions = inOrder(PermissionsOf(Kinds()), a.Permissions)
	return a
}

// Everywhere returns what the principal may do on some endpoint, to decide what to show at all.
func (p Principal) Everywhere() (a Access) {
	for _, r := range p.Held {
		a.See = true
		a.Manages = a.Manages || r.Manages
		a.Kinds = append(a.Kinds, r.Kinds...)
	}
	a.Kinds = inOrder(Kinds(), a.Kinds)
	return a
}

// inOrder returns those of all that are in some.
func inOrder(all, some []string) []string {
	return slices.DeleteFunc(all, func(s string) bool { return !slices.Contains(some, s) })
}

// Narrow returns what of a request for kinds and permissions is allowed: all that it may where they are empty. It is not ok where something was asked for that it may not,
// or where nothing could be done in the session.
func (a Access) Narrow(kinds, permissions []string) (k, p []string, ok bool) {
	if k = a.Kinds; len(kinds) > 0 {
		k = inOrder(Kinds(), kinds)
		if len(k) != len(slices.Compact(slices.Sorted(slices.Values(kinds)))) || slices.ContainsFunc(k, func(s string) bool { return !slices.Contains(a.Kinds, s) }) {
			return nil, nil, false
		}
	}
	within := PermissionsOf(k)
	p = inOrder(within, a.Permissions)
	if len(permissions) > 0 {
		for _, asked := range permissions {
			if !slices.Contains(p, asked) {
				return nil, nil, false
			}
		}
		p = inOrder(PermissionsOf(k), permissions)
	}
	return k, p, len(k) > 0 && len(p) > 0
}
