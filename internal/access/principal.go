package access

import "slices"

// Scopes returns all scopes, in the order in which they are shown.
func Scopes() []Scope {
	return []Scope{ScopePush, ScopeRead, ScopeEndpoints, ScopeSessions, ScopeGateway, ScopeAdmin}
}

// Principal is who makes a request. The zero value may do nothing.
type Principal struct {
	TokenID string  // "tok_...", for logs and the audit
	Name    string  // of the token
	Scopes  []Scope // shared: nobody changes them
}

// Can reports whether p has scope s, by itself or through ScopeAdmin, which includes all others.
func (p Principal) Can(s Scope) bool {
	return slices.Contains(p.Scopes, s) || slices.Contains(p.Scopes, ScopeAdmin)
}
