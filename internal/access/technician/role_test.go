package technician

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

var (
	lab     = Role{Name: "lab", Kinds: []string{"terminal"}, Groups: []string{"lab", "attic"}}.tidy()
	paris   = Role{Name: "paris", Kinds: []string{"files"}, Permissions: []string{"files.read"}, Labels: map[string]string{"site": "paris"}, Manages: true}.tidy()
	nothing = Access{}
)

// TestAccess: of each endpoint what any role that is about it allows, and nothing else.
func TestAccess(t *testing.T) {
	both := Principal{Held: []Role{lab, paris}}
	for _, tc := range []struct {
		name   string
		who    Principal
		groups []string
		labels map[string]string
		want   Access
	}{
		{"no role", Principal{}, []string{"lab"}, nil, nothing},
		{"in the group", both, []string{"x", "attic"}, nil, Access{See: true, Kinds: []string{"terminal"}, Permissions: []string{"terminal.type"}}},
		{"with the label", both, nil, map[string]string{"site": "paris", "a": "b"}, Access{See: true, Kinds: []string{"files"}, Permissions: []string{"files.read"}, Manages: true}},
		{"both", both, []string{"lab"}, map[string]string{"site": "paris"},
			Access{See: true, Kinds: []string{"terminal", "files"}, Permissions: []string{"terminal.type", "files.read"}, Manages: true}},
		{"neither", both, []string{"other"}, map[string]string{"site": "lyon"}, nothing},
		{"without anything", both, nil, nil, nothing},
		{"viewer", Principal{Held: BuiltIn()[:1]}, nil, nil, Access{See: true}},
		{"operator", Principal{Held: BuiltIn()[1:2]}, nil, nil, Access{See: true, Kinds: Kinds(), Permissions: PermissionsOf(Kinds())}},
		{"admin", Principal{Held: BuiltIn()[2:]}, nil, nil, Access{See: true, Kinds: Kinds(), Permissions: PermissionsOf(Kinds()), Manages: true}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, tc.who.On(tc.groups, tc.labels), cmpopts.EquateEmpty()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestNarrow: a session gets what was asked for and allowed; what was asked for and not allowed refuses it as a whole.
func TestNarrow(t *testing.T) {
	a := Access{See: true, Kinds: []string{"terminal", "files"}, Permissions: []string{"terminal.type", "files.read"}}
	watching := Access{See: true, Kinds: []string{"terminal"}}
	for _, tc := range []struct {
		name               string
		a                  Access
		kinds, permissions []string
		wantKinds          []string
		wantPermissions    []string
	}{
		{"all", a, nil, nil, []string{"terminal", "files"}, []string{"terminal.type", "files.read"}},
		{"a kind", a, []string{"files"}, nil, []string{"files"}, []string{"files.read"}},
		{"a kind twice", a, []string{"files", "files"}, nil, []string{"files"}, []string{"files.read"}},
		{"a permission", a, nil, []string{"files.read"}, []string{"terminal", "files"}, []string{"files.read"}},
		{"another kind", a, []string{"files", "processes"}, nil, nil, nil},
		{"no kind at all", a, []string{"root"}, nil, nil, nil},
		{"another permission", a, []string{"files"}, []string{"files.write"}, nil, nil},
		{"a permission of another kind", a, []string{"files"}, []string{"terminal.type"}, nil, nil},
		{"nothing", Access{See: true}, nil, nil, nil, nil},
		{"nothing that could be done", watching, nil, nil, nil, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			kinds, permissions, ok := tc.a.Narrow(tc.kinds, tc.permissions)
			if ok != (tc.wantKinds != nil) {
				t.Fatalf("Narrow() = %v, %v, %v", kinds, permissions, ok)
			}
			if diff := cmp.Diff([][]string{tc.wantKinds, tc.wantPermissions}, [][]string{kinds, permissions}); ok && diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestRoleCheck(t *testing.T) {
	for _, tc := range []struct {
		name string
		role Role
		ok   bool
	}{
		{"sees alone", Role{Name: "a"}, true},
		{"all of a kind", Role{Name: "a", Kinds: []string{"files"}}, true},
		{"some of a kind", Role{Name: "a", Kinds: []string{"files"}, Permissions: []string{"files.read"}}, true},
		{"watches a terminal", Role{Name: "a", Kinds: []string{"terminal", "files"}, Permissions: []string{"files.read"}}, true},
		{"no name", Role{}, false},
		{"a name of other letters", Role{Name: "A b"}, false},
		{"no kind", Role{Name: "a", Kinds: []string{"root"}}, false},
		{"no permission", Role{Name: "a", Kinds: []string{"files"}, Permissions: []string{"files.all"}}, false},
		{"a permission of another kind", Role{Name: "a", Kinds: []string{"files"}, Permissions: []string{"terminal.type"}}, false},
		{"a kind without permissions", Role{Name: "a", Kinds: []string{"files", "processes"}, Permissions: []string{"files.read"}}, false},
		{"an empty group", Role{Name: "a", Groups: []string{""}}, false},
		{"a label without a name", Role{Name: "a", Labels: map[string]string{"": "x"}}, false},
		{"a label with a line break", Role{Name: "a", Labels: map[string]string{"x": "a\nb"}}, false},
		{"too many groups", Role{Name: "a", Groups: make([]string, MaxRoleGroups+1)}, false},
	} {
		if err := tc.role.check(); (err == nil) != tc.ok || err != nil && !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: check() = %v", tc.name, err)
		}
	}
}

func TestCheckName(t *testing.T) {
	for name, ok := range map[string]bool{
		"ada": true, "ada.l+x_y-z@example.com": true, "": false, "Ada": false, "a b": false, "a/b": false, ".": false, "..": false, "tec_1": false, "ä": false, "a\x00": false,
	} {
		if err := CheckName(name); (err == nil) != ok {
			t.Errorf("CheckName(%q) = %v", name, err)
		}
	}
}
