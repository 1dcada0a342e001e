package technician

import (
	"maps"
	"slices"
	"strings"
	"time"
	"unicode"

	"signalbox/internal/channel"
)

// Bounds of roles.
const (
	MaxCustomRoles = 100
	MaxRoleGroups  = 64
	MaxRoleLabels  = 16
	maxLabelBytes  = 128
)

// Role says what may be done on which endpoints. The zero value sees all endpoints and opens nothing.
type Role struct {
	Name        string
	BuiltIn     bool
	Kinds       []string          // of sessions that may be opened, see Kinds; empty: none
	Permissions []string          // within Kinds; empty: all of them
	Groups      []string          // endpoints in one of these; empty: in any or none
	Labels      map[string]string // and with all of these
	Manages     bool              // sees and ends sessions of others on these endpoints
	Created     time.Time         // zero: it is built in
	Updated     time.Time
}

// Names of the roles that are built in, which hold for all endpoints.
const (
	RoleViewer   = "viewer"   // sees
	RoleOperator = "operator" // opens sessions of every kind
	RoleAdmin    = "admin"    // sees and ends those of others, too
)

// Kinds returns the kinds of sessions.
func Kinds() []string {
	return []string{channel.Desktop, channel.Terminal, channel.Files, channel.Processes}
}

// permissions returns those that there are within a kind.
func permissions(kind string) []string {
	switch kind {
	case channel.Desktop:
		return []string{channel.MayWatch, channel.MayControl}
	case channel.Terminal:
		return []string{channel.MayType}
	case channel.Files:
		return []string{channel.MayReadFiles, channel.MayWriteFiles}
	case channel.Processes:
		return []string{channel.MaySee, channel.MayKill}
	}
	return nil
}

// PermissionsOf returns the permissions within some kinds, in the order of Kinds.
func PermissionsOf(kinds []string) (all []string) {
	for _, k := range Kinds() {
		if slices.Contains(kinds, k) {
			all = append(all, permissions(k)...)
		}
	}
	return all
}

// BuiltIn returns the roles that are always there.
func BuiltIn() []Role {
	return []Role{
		{Name: RoleViewer, BuiltIn: true},
		{Name: RoleOperator, BuiltIn: true, Kinds: Kinds(), Permissions: PermissionsOf(Kinds())},
		{Name: RoleAdmin, BuiltIn: true, Kinds: Kinds(), Permissions: PermissionsOf(Kinds()), Manages: true},
	}
}

// IsBuiltIn reports whether a name is that of a role that is always there.
func IsBuiltIn(name string) bool {
	return slices.ContainsFunc(BuiltIn(), func(r Role) bool { return r.Name == name })
}

// check reports what is wrong with a role that somebody wrote.
func (r Role) check() error {
	if err := checkRoleName(r.Name); err != nil {
		return err
	}
	for _, k := range r.Kinds {
		if !slices.Contains(Kinds(), k) {
			return invalid("kinds", "%.32q is not one of %s", k, strings.Join(Kinds(), ", "))
		}
	}
	if err := r.checkPermissions(); err != nil {
		return err
	}
	return r.checkEndpoints()
}

func checkRoleName(name string) error {
	if len(name) < 1 || len(name) > MaxNameBytes || strings.ContainsFunc(name, notInName) || name == "." || name == ".." {
		return invalid("name", "1 to %d bytes of a-z, 0-9 and . _ - + @ are allowed", MaxNameBytes)
	}
	return nil
}

// checkPermissions wants some of each kind: a kind without any could do nothing.
func (r Role) checkPermissions() error {
	all := PermissionsOf(r.Kinds)
	for _, p := range r.Permissions {
		if !slices.Contains(all, p) {
			return invalid("permissions", "%.32q is none of the kinds of this role: %s", p, strings.Join(all, ", "))
		}
	}
	for _, k := range r.Kinds {
		if len(r.Permissions) > 0 && k != channel.Terminal && !slices.ContainsFunc(permissions(k), func(p string) bool { return slices.Contains(r.Permissions, p) }) {
			return invalid("permissions", "there is none for the kind %s: add one of %s", k, strings.Join(permissions(k), ", "))
		}
	}
	return nil
}

func (r Role) checkEndpoints() error {
	switch {
	case len(r.Groups) > MaxRoleGroups:
		return invalid("groups", "%d, at most %d are allowed", len(r.Groups), MaxRoleGroups)
	case len(r.Labels) > MaxRoleLabels:
		return invalid("labels", "%d, at most %d are allowed", len(r.Labels), MaxRoleLabels)
	}
	for _, g := range r.Groups {
		if g == "" || !printable(g) {
			return invalid("groups", "a group's name has 1 to %d bytes, all printable", maxLabelBytes)
		}
	}
	for name, value := range r.Labels {
		if name == "" || !printable(name) || !printable(value) {
			return invalid("labels", "a label's name and value have at most %d bytes, all printable", maxLabelBytes)
		}
	}
	return nil
}

func printable(text string) bool {
	return len(text) <= maxLabelBytes && !strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) })
}

// tidy returns the role with its lists in order and each thing once, and all permissions spelled out.
func (r Role) tidy() Role {
	r.Kinds = slices.DeleteFunc(Kinds(), func(k string) bool { return !slices.Contains(r.Kinds, k) })
	all := PermissionsOf(r.Kinds)
	if len(r.Permissions) > 0 {
		all = slices.DeleteFunc(all, func(p string) bool { return !slices.Contains(r.Permissions, p) })
	}
	r.Permissions = all
	r.Groups = slices.Compact(slices.Sorted(slices.Values(r.Groups)))
	r.Labels = maps.Clone(r.Labels)
	return r
}

// holds reports whether the role is about an endpoint with these groups and labels.
func (r Role) holds(groups []string, labels map[string]string) bool {
	if len(r.Groups) > 0 && !slices.ContainsFunc(groups, func(g string) bool { return slices.Contains(r.Groups, g) }) {
		return false
	}
	for name, value := range r.Labels {
		if got, there := labels[name]; !there || got != value {
			return false
		}
	}
	return true
}
