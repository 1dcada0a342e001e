package store

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"signalbox/internal/access/technician"
)

const staffDomain = "push.example"

func member(id, name string, roles ...string) technician.Technician {
	at := time.Now().UTC().Truncate(time.Microsecond)
	return technician.Technician{ID: id, Domain: staffDomain, Name: name, Display: "D " + name, Roles: roles, Enabled: true, Password: "kept", Created: at, Updated: at}
}

func same(t *testing.T, what string, want, got any) {
	t.Helper()
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestTechnicianRecords: accounts are read as they were written, by id before name, each domain for itself.
func TestTechnicianRecords(t *testing.T) {
	s, ctx := running(t), t.Context()
	b, a := member("tec_1", "b", "viewer"), member("tec_2", "a")
	odd := member("tec_3", "tec_1") // its name is another's id
	other := member("tec_4", "a")
	other.Domain = "other.example"
	for _, n := range []technician.Technician{b, a, odd, other} {
		must(t, s.CreateTechnician(ctx, n))
	}
	if err := s.CreateTechnician(ctx, member("tec_5", "a")); !errors.Is(err, technician.ErrExists) {
		t.Errorf("a name twice: %v", err)
	}
	if err := s.CreateTechnician(ctx, member("tec_5", "x", "desk")); !errors.Is(err, technician.ErrUnknownRole) {
		t.Errorf("a role that is not there: %v", err)
	}
	all, err := s.Technicians(ctx, staffDomain, "", 10)
	must(t, err)
	same(t, "all", []technician.Technician{a, b, odd}, all)
	behind, err := s.Technicians(ctx, staffDomain, "a", 1)
	must(t, err)
	same(t, "a page", []technician.Technician{b}, behind)
	for asked, want := range map[string]technician.Technician{"tec_1": b, "b": b, "tec_3": odd} {
		got, err := s.Technician(ctx, staffDomain, asked)
		must(t, err)
		same(t, asked, want, got)
	}
	if _, err := s.Technician(ctx, staffDomain, "tec_4"); !errors.Is(err, technician.ErrUnknown) {
		t.Errorf("one of another domain: %v", err)
	}
	text, no, later := "new", false, b.Created.Add(time.Second)
	got, err := s.UpdateTechnician(ctx, staffDomain, "b", technician.Patch{Display: &text, Roles: []string{}, Enabled: &no, Password: &text}, later, nil)
	must(t, err)
	b.Display, b.Roles, b.Enabled, b.Password, b.Updated = text, nil, false, text, later
	same(t, "changed", b, got)
	got, err = s.Technician(ctx, staffDomain, "b")
	must(t, err)
	same(t, "changed and read", b, got)
	gone, err := s.DeleteTechnician(ctx, staffDomain, "tec_1")
	must(t, err)
	same(t, "deleted", b, gone)
	if _, err := s.DeleteTechnician(ctx, staffDomain, "b"); !errors.Is(err, technician.ErrUnknown) {
		t.Errorf("deleted again: %v", err)
	}
}

func TestTechnicianRoleRecords(t *testing.T) {
	s, ctx := running(t), t.Context()
	at := time.Now().UTC().Truncate(time.Microsecond)
	desk := technician.Role{
		Name: "desk", Kinds: []string{"files"}, Permissions: []string{"files.read"}, Groups: []string{"lab"}, Labels: map[string]string{"site": "paris"}, Manages: true, Created: at, Updated: at,
	}
	must(t, s.CreateRole(ctx, staffDomain, desk))
	must(t, s.CreateRole(ctx, "other.example", desk))
	if err := s.CreateRole(ctx, staffDomain, desk); !errors.Is(err, technician.ErrRoleExists) {
		t.Errorf("a role twice: %v", err)
	}
	must(t, s.CreateTechnician(ctx, member("tec_1", "ada", "desk")))
	later := technician.Role{Name: "desk", Created: at.Add(time.Hour), Updated: at.Add(time.Hour)}
	got, err := s.ReplaceRole(ctx, staffDomain, later)
	must(t, err)
	later.Created = at
	same(t, "replaced", later, got)
	all, err := s.Roles(ctx, staffDomain)
	must(t, err)
	same(t, "roles", []technician.Role{later}, all)
	if err := s.DeleteRole(ctx, staffDomain, "desk"); !errors.Is(err, technician.ErrRoleUsed) {
		t.Errorf("deleted while it is used: %v", err)
	}
	must(t, s.DeleteRole(ctx, "other.example", "desk"))
	if _, err := s.DeleteTechnician(ctx, staffDomain, "ada"); err != nil {
		t.Fatal(err)
	}
	must(t, s.DeleteRole(ctx, staffDomain, "desk"))
	if err := s.DeleteRole(ctx, staffDomain, "desk"); !errors.Is(err, technician.ErrUnknownRole) {
		t.Errorf("deleted again: %v", err)
	}
	if _, err := s.ReplaceRole(ctx, staffDomain, later); !errors.Is(err, technician.ErrUnknownRole) {
		t.Errorf("replaced what is not there: %v", err)
	}
	for range technician.MaxCustomRoles {
		later.Name += "x"
		if len(later.Name) > technician.MaxNameBytes {
			later.Name = later.Name[:1] + later.Name[5:] + "y"
		}
		err = s.CreateRole(ctx, staffDomain, later)
	}
	must(t, err)
	later.Name = "one-more"
	if err := s.CreateRole(ctx, staffDomain, later); !errors.Is(err, technician.ErrTooMany) {
		t.Errorf("one more than there may be: %v", err)
	}
}

func hash(b byte) (h [32]byte) {
	h[0] = b
	return h
}

// TestSignInRecords: a sign-in is found with whose it is, ends with the account's password or right to sign in, and the oldest goes.
func TestSignInRecords(t *testing.T) {
	s, ctx := running(t), t.Context()
	ada := member("tec_1", "ada")
	must(t, s.CreateTechnician(ctx, ada))
	must(t, s.CreateTechnician(ctx, member("tec_2", "eve")))
	at := time.Now().UTC().Truncate(time.Microsecond)
	issue := func(b byte, id string, created time.Time) technician.SignIn {
		in := technician.SignIn{Hash: hash(b), Technician: id, Method: technician.MethodLink, Remote: "192.0.2.1", Created: created, Seen: created, Expires: created.Add(time.Hour)}
		must(t, s.CreateSignIn(ctx, in))
		return in
	}
	one, two := issue(1, "tec_1", at), issue(2, "tec_1", at.Add(time.Second))
	issue(3, "tec_2", at)
	must(t, s.TouchSignIn(ctx, hash(1), at.Add(time.Minute)))
	must(t, s.TouchSignIn(ctx, hash(1), at)) // what comes late does not count
	must(t, s.TouchSignIn(ctx, hash(9), at))
	one.Seen = at.Add(time.Minute)
	got, whose, err := s.SignIn(ctx, hash(1))
	must(t, err)
	same(t, "sign-in", one, got)
	same(t, "whose", ada, whose)
	keep := hash(2)
	if _, err := s.UpdateTechnician(ctx, staffDomain, "ada", technician.Patch{Password: new(string)}, at, &keep); err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.SignIn(ctx, hash(1)); !errors.Is(err, technician.ErrNotSignedIn) {
		t.Errorf("with another password: %v", err)
	}
	got, _, err = s.SignIn(ctx, hash(2))
	must(t, err)
	same(t, "the one that is kept", two, got)
	if _, _, err = s.SignIn(ctx, hash(3)); err != nil {
		t.Errorf("another technician's: %v", err)
	}
	for i := range byte(technician.MaxSignIns) {
		issue(10+i, "tec_1", at.Add(time.Minute+time.Duration(i)*time.Second))
	}
	if _, _, err := s.SignIn(ctx, hash(2)); !errors.Is(err, technician.ErrNotSignedIn) {
		t.Errorf("the oldest of too many: %v", err)
	}
	if _, _, err := s.SignIn(ctx, hash(10)); err != nil {
		t.Errorf("the second: %v", err)
	}
	issue(4, "tec_1", at.Add(3*time.Hour))
	if had, err := s.DeleteSignIn(ctx, hash(3)); had || err != nil {
		t.Errorf("one that has expired is still there: %v, %v", had, err)
	}
	if had, err := s.DeleteSignIn(ctx, hash(4)); !had || err != nil {
		t.Errorf("DeleteSignIn = %v, %v", had, err)
	}
}

func TestLinkRecords(t *testing.T) {
	s, ctx := running(t), t.Context()
	must(t, s.CreateTechnician(ctx, member("tec_1", "ada")))
	issue := func(b byte, expires time.Time) technician.Link {
		l := technician.Link{Hash: hash(b), Technician: "tec_1", Domain: staffDomain, Expires: expires.UTC().Truncate(time.Microsecond)}
		must(t, s.CreateLink(ctx, l))
		return l
	}
	soon := time.Now().Add(time.Minute)
	one := issue(1, soon)
	for range 2 {
		got, err := s.Link(ctx, hash(1))
		must(t, err)
		same(t, "looked at", one, got)
	}
	got, err := s.TakeLink(ctx, hash(1))
	must(t, err)
	same(t, "taken", one, got)
	if _, err := s.TakeLink(ctx, hash(1)); !errors.Is(err, technician.ErrLink) {
		t.Errorf("taken again: %v", err)
	}
	issue(2, time.Now().Add(-time.Second))
	issue(3, soon)
	if _, err := s.Link(ctx, hash(2)); !errors.Is(err, technician.ErrLink) {
		t.Errorf("one that has expired is still there: %v", err)
	}
	if _, err := s.UpdateTechnician(ctx, staffDomain, "ada", technician.Patch{Enabled: new(bool)}, time.Now(), nil); err != nil {
		t.Fatal(err)
	}
	if _, err := s.TakeLink(ctx, hash(3)); !errors.Is(err, technician.ErrLink) {
		t.Errorf("one of an account that is disabled: %v", err)
	}
}
