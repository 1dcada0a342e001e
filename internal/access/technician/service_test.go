package technician_test

import (
	"context"
	"errors"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"
	"go.uber.org/zap"

	"signalbox/internal/access/technician"
	"signalbox/internal/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	domain   = "push.example"
	password = "correct horse battery"
)

var here = netip.MustParseAddr("192.0.2.1")

// trail is an audit in memory, which fails on demand.
type trail struct {
	mu     sync.Mutex
	all    []technician.Entry
	broken error
}

func (a *trail) Record(_ context.Context, e technician.Entry) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.all = append(a.all, e)
	return a.broken
}

func (a *trail) fail(err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.broken = err
}

// lines returns who did what to whom, and forgets it.
func (a *trail) lines() (lines []string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, e := range a.all {
		lines = append(lines, e.Actor+" "+e.Action+" "+e.Subject)
	}
	a.all = nil
	return lines
}

// world is a service on a real store, with a clock that stands until it is moved.
type world struct {
	t *testing.T
	*technician.Service
	trail *trail
	gone  []string
	ahead atomic.Int64 // of the real time when it began
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, trail: &trail{}}
	st, err := store.Open(t.Context(), filepath.Join(t.TempDir(), store.FileName), store.Default(), zap.NewNop(), prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	running, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- st.Run(running) }()
	t.Cleanup(func() {
		stop()
		if err := errors.Join(<-ended, st.Close()); err != nil {
			t.Error(err)
		}
	})
	begin := time.Now()
	w.Service = technician.NewService(technician.Default(), domain, st, w.trail, zap.NewNop(), prometheus.NewRegistry(), func() time.Time {
		return begin.Add(time.Duration(w.ahead.Load()))
	})
	w.CheapPasswords()
	w.OnGone(func(t technician.Technician) { w.gone = append(w.gone, t.Name) })
	return w
}

func (w *world) forward(d time.Duration) { w.ahead.Add(int64(d)) }

// make makes an account and forgets that the audit knows.
func (w *world) make(name, password string, roles ...string) technician.Technician {
	w.t.Helper()
	t, err := w.Create(w.t.Context(), technician.New{Name: name, Password: password, Roles: roles}, "token:x")
	if err != nil {
		w.t.Fatal(err)
	}
	w.trail.lines()
	return t
}

func (w *world) signIn(name string) (cookie string) {
	w.t.Helper()
	cookie, _, err := w.SignIn(w.t.Context(), name, password, technician.Browser{From: here})
	if err != nil {
		w.t.Fatal(err)
	}
	return cookie
}

func (w *world) link(name string) (token string) {
	w.t.Helper()
	token, _, err := w.CreateLink(w.t.Context(), name, "token:x")
	if err != nil {
		w.t.Fatal(err)
	}
	return token
}

// holds checks whether a cookie lets somebody in.
func (w *world) holds(what, cookie string, want bool) {
	w.t.Helper()
	_, err := w.Authenticate(w.t.Context(), cookie)
	if want && err != nil || !want && !errors.Is(err, technician.ErrNotSignedIn) {
		w.t.Errorf("%s: Authenticate() = %v, want it to hold: %v", what, err, want)
	}
}

func (w *world) audited(want ...string) {
	w.t.Helper()
	if got := w.trail.lines(); !slices.Equal(got, want) {
		w.t.Errorf("audit:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestSignIn(t *testing.T) {
	w := newWorld(t)
	made := w.make("ada", password, "operator")
	cookie, p, err := w.SignIn(t.Context(), " Ada ", password, technician.Browser{From: here})
	if err != nil || p.ID != made.ID || p.SignIn.Method != technician.MethodPassword || p.SignIn.Remote != "192.0.2.1" {
		t.Fatalf("SignIn() = %+v, %v", p, err)
	}
	w.audited("technician:ada technician.login ada")
	got, err := w.Authenticate(t.Context(), cookie)
	if err != nil || got.ID != made.ID || len(got.Held) != 1 || !slices.Contains(got.On(nil, nil).Kinds, "terminal") {
		t.Errorf("Authenticate() = %+v, %v", got, err)
	}
	for _, other := range []string{"", "x", cookie[1:], "A" + cookie[1:], cookie + "A"} {
		if other != cookie {
			w.holds("another cookie", other, false)
		}
	}
	if err := w.SignOut(t.Context(), got); err != nil {
		t.Fatal(err)
	}
	w.holds("signed out", cookie, false)
	w.audited("technician:ada technician.logout ada")
}

// TestSignInTellsNothing: a wrong password, a name that there is not, one that can be none, one without a password and one that is disabled get the same answer.
func TestSignInTellsNothing(t *testing.T) {
	w := newWorld(t)
	w.make("ada", password)
	w.make("linked", "")
	w.make("off", password)
	if _, err := w.Change(t.Context(), "off", technician.Patch{Enabled: new(bool)}, "token:x"); err != nil {
		t.Fatal(err)
	}
	w.trail.lines()
	id := w.make("grace", password).ID
	tries := [][2]string{{"ada", "wrong password"}, {"nobody", password}, {"no name!", password}, {"linked", ""}, {"linked", password}, {"off", password}, {id, password}, {"-", password}}
	var want []string
	for _, try := range tries {
		if _, _, err := w.SignIn(t.Context(), try[0], try[1], technician.Browser{From: here}); !errors.Is(err, technician.ErrCredentials) || err.Error() != technician.ErrCredentials.Error() {
			t.Errorf("SignIn(%q, %q) = %v", try[0], try[1], err)
		}
		name := try[0]
		if technician.CheckName(name) != nil {
			name = "?" // what strangers make up is not kept
		}
		want = append(want, "stranger:192.0.2.1 technician.login_refused "+name)
	}
	w.audited(want...)
	w.Saturate() // each of them comes as far as the derivation of a key, and so costs as much
	for _, try := range tries {
		if _, _, err := w.SignIn(t.Context(), try[0], try[1], technician.Browser{From: netip.MustParseAddr("198.51.100.1")}); !errors.Is(err, technician.ErrBusy) {
			t.Errorf("SignIn(%q, %q) while too many sign in = %v, want ErrBusy", try[0], try[1], err)
		}
	}
}

// TestSignInWaits: who fails too often waits, also with the right password; what was refused that way is no further failure.
func TestSignInWaits(t *testing.T) {
	w := newWorld(t)
	w.make("ada", password)
	for range 5 {
		_, _, _ = w.SignIn(t.Context(), "ada", "wrong password", technician.Browser{From: here})
	}
	var wait *technician.Wait
	for range 3 {
		if _, _, err := w.SignIn(t.Context(), "ada", password, technician.Browser{From: here}); !errors.As(err, &wait) || wait.After != time.Second {
			t.Fatalf("SignIn() = %v, want to wait for a second", err)
		}
	}
	w.forward(time.Second)
	w.signIn("ada")
	if _, _, err := w.SignIn(t.Context(), "ada", "wrong password", technician.Browser{From: here}); !errors.Is(err, technician.ErrCredentials) {
		t.Errorf("SignIn() after a success = %v", err)
	}
}

// TestSignInTakesTheOldOnesPlace: what a browser brings along is worth nothing afterwards, whoever put it there.
func TestSignInTakesTheOldOnesPlace(t *testing.T) {
	w := newWorld(t)
	w.make("ada", password)
	w.make("eve", password)
	evil := w.signIn("eve")
	fresh, p, err := w.SignIn(t.Context(), "ada", password, technician.Browser{From: here, Cookie: evil})
	if err != nil || fresh == evil || p.Name != "ada" {
		t.Fatalf("SignIn() = %v, %v", p.Name, err)
	}
	w.holds("the cookie that was there", evil, false)
	w.holds("the new one", fresh, true)
}

func TestSignInEnds(t *testing.T) {
	w := newWorld(t)
	w.make("ada", password)
	busy, idle := w.signIn("ada"), w.signIn("ada")
	p, err := w.Authenticate(t.Context(), idle)
	if err != nil {
		t.Fatal(err)
	}
	step := w.Idle() - time.Minute
	for spent := time.Duration(0); spent+step < 12*time.Hour; spent += step {
		w.forward(step)
		w.holds("one that is used", busy, true)
		if _, err := w.Check(t.Context(), p.SignIn.Hash); spent > 0 && !errors.Is(err, technician.ErrNotSignedIn) {
			t.Fatalf("one that is only looked at: %v", err)
		}
	}
	w.holds("one that is not used", idle, false)
	w.forward(step)
	w.holds("one whose time is over", busy, false)
}

func TestDisableAndDelete(t *testing.T) {
	w := newWorld(t)
	for name, end := range map[string]func() error{
		"disabled": func() error {
			_, err := w.Change(t.Context(), "disabled", technician.Patch{Enabled: new(bool)}, "token:x")
			return err
		},
		"deleted": func() error { return w.Delete(t.Context(), "deleted", "token:x") },
	} {
		w.make(name, password)
		cookie, token, changed := w.signIn(name), w.link(name), w.Changed()
		w.trail.lines()
		if err := end(); err != nil {
			t.Fatal(err)
		}
		select {
		case <-changed:
		default:
			t.Errorf("%s: those who act for it longer are not told", name)
		}
		w.holds(name, cookie, false)
		if _, _, err := w.SignInByLink(t.Context(), token, false, technician.Browser{From: here}); !errors.Is(err, technician.ErrLink) {
			t.Errorf("%s: SignInByLink() = %v", name, err)
		}
		if !slices.Contains(w.gone, name) {
			t.Errorf("gone are %v, want %s among them", w.gone, name)
		}
		w.audited("token:x technician."+name+" "+name, "stranger:192.0.2.1 technician.login_refused ")
	}
	if _, _, err := w.CreateLink(t.Context(), "disabled", "token:x"); !errors.Is(err, technician.ErrDisabled) {
		t.Errorf("CreateLink() for one that is disabled = %v", err)
	}
	if err := w.Delete(t.Context(), "deleted", "token:x"); !errors.Is(err, technician.ErrUnknown) {
		t.Errorf("Delete() again = %v", err)
	}
}

func TestLink(t *testing.T) {
	w := newWorld(t)
	w.make("ada", "", "viewer")
	token := w.link("ada")
	cookie, p, err := w.SignInByLink(t.Context(), token, false, technician.Browser{From: here})
	if err != nil || p.Name != "ada" || p.SignIn.Method != technician.MethodLink {
		t.Fatalf("SignInByLink() = %+v, %v", p, err)
	}
	w.holds("by a link", cookie, true)
	w.audited("token:x technician.linked ada", "technician:ada technician.login ada")
	late := w.link("ada")
	w.forward(technician.LinkLife)
	for what, token := range map[string]string{"used": token, "late": late, "made up": strings.Repeat("A", 43), "empty": "", "too long": late + "A"} {
		if _, _, err := w.SignInByLink(t.Context(), token, false, technician.Browser{From: here}); !errors.Is(err, technician.ErrLink) {
			t.Errorf("%s: SignInByLink() = %v, want ErrLink", what, err)
		}
	}
}

// TestLinkIsUsedOnce: of many at the same time one gets in.
func TestLinkIsUsedOnce(t *testing.T) {
	w := newWorld(t)
	w.make("ada", "")
	token := w.link("ada")
	var in atomic.Int32
	var all sync.WaitGroup
	for i := range 16 {
		all.Go(func() {
			from := netip.AddrFrom4([4]byte{198, 51, 100, byte(i)})
			switch _, _, err := w.SignInByLink(t.Context(), token, false, technician.Browser{From: from}); {
			case err == nil:
				in.Add(1)
			case !errors.Is(err, technician.ErrLink):
				t.Error(err)
			}
		})
	}
	all.Wait()
	if in.Load() != 1 {
		t.Errorf("%d got in by one link", in.Load())
	}
}

// TestLinkOfAnother: nobody becomes somebody else unawares.
func TestLinkOfAnother(t *testing.T) {
	w := newWorld(t)
	w.make("ada", password)
	w.make("eve", "")
	cookie, token := w.signIn("ada"), w.link("eve")
	b := technician.Browser{From: here, Cookie: cookie}
	var other *technician.Other
	if _, _, err := w.SignInByLink(t.Context(), token, false, b); !errors.As(err, &other) || other.Shown != "ada" || !errors.Is(err, technician.ErrOther) {
		t.Fatalf("SignInByLink() = %v, want that ada is signed in", err)
	}
	w.holds("who was signed in", cookie, true)
	if _, p, err := w.SignInByLink(t.Context(), token, true, b); err != nil || p.Name != "eve" {
		t.Fatalf("SignInByLink() to replace = %v, %v", p.Name, err)
	}
	w.holds("who was signed in before", cookie, false)
}

func TestChangePassword(t *testing.T) {
	w := newWorld(t)
	w.make("ada", password)
	w.make("linked", "")
	this, other := w.signIn("ada"), w.signIn("ada")
	p, err := w.Authenticate(t.Context(), this)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.ChangePassword(t.Context(), p, "wrong password", "another password", here); !errors.Is(err, technician.ErrCredentials) {
		t.Errorf("with a wrong old one: %v", err)
	}
	if err := w.ChangePassword(t.Context(), p, password, "short", here); !errors.Is(err, technician.ErrInvalid) {
		t.Errorf("with a short new one: %v", err)
	}
	if err := w.ChangePassword(t.Context(), p, password, "another password", here); err != nil {
		t.Fatal(err)
	}
	w.holds("the browser that changed it", this, true)
	w.holds("another browser", other, false)
	if _, _, err := w.SignIn(t.Context(), "ada", "another password", technician.Browser{From: here}); err != nil {
		t.Errorf("with the new one: %v", err)
	}
	_, linked, err := w.SignInByLink(t.Context(), w.link("linked"), false, technician.Browser{From: here})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.ChangePassword(t.Context(), linked, "", "another password", here); !errors.Is(err, technician.ErrNoPassword) {
		t.Errorf("without an old one: %v", err)
	}
}

// TestRolesHoldAtOnce for those who are signed in.
func TestRolesHoldAtOnce(t *testing.T) {
	w := newWorld(t)
	desk := technician.Role{Name: "desk", Kinds: []string{"terminal"}, Groups: []string{"lab"}}
	if _, err := w.CreateRole(t.Context(), desk, "token:x"); err != nil {
		t.Fatal(err)
	}
	w.make("ada", password, "desk")
	cookie := w.signIn("ada")
	may := func(group string) bool {
		p, err := w.Authenticate(t.Context(), cookie)
		if err != nil {
			t.Fatal(err)
		}
		return len(p.On([]string{group}, nil).Kinds) > 0
	}
	if !may("lab") || may("attic") {
		t.Error("the role does not hold for its group alone")
	}
	desk.Groups = []string{"attic"}
	changed := w.Changed()
	if _, err := w.ReplaceRole(t.Context(), desk, "token:x"); err != nil {
		t.Fatal(err)
	}
	<-changed
	if may("lab") || !may("attic") {
		t.Error("the role does not hold as it is now")
	}
	if err := w.DeleteRole(t.Context(), "desk", "token:x"); !errors.Is(err, technician.ErrRoleUsed) {
		t.Errorf("DeleteRole() of one that is used = %v", err)
	}
	if _, err := w.Change(t.Context(), "ada", technician.Patch{Roles: []string{}}, "token:x"); err != nil {
		t.Fatal(err)
	}
	if may("attic") {
		t.Error("a role that was taken away holds")
	}
	if err := w.DeleteRole(t.Context(), "desk", "token:x"); err != nil {
		t.Error(err)
	}
}

func TestRoleMistakes(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	_, errBuiltIn := w.CreateRole(ctx, technician.Role{Name: "admin"}, "x")
	_, errReplace := w.ReplaceRole(ctx, technician.Role{Name: "admin"}, "x")
	_, errUnknown := w.ReplaceRole(ctx, technician.Role{Name: "desk"}, "x")
	_, errCreate := w.Create(ctx, technician.New{Name: "ada", Roles: []string{"desk"}}, "x")
	w.make("grace", "")
	_, errChange := w.Change(ctx, "grace", technician.Patch{Roles: []string{"desk"}}, "x")
	_, errTwice := w.Create(ctx, technician.New{Name: "grace"}, "x")
	_, errInvalid := w.Create(ctx, technician.New{Name: "No", Password: "short", Display: " x"}, "x")
	for _, tc := range []struct {
		what      string
		got, want error
	}{
		{"make one that is built in", errBuiltIn, technician.ErrRoleExists}, {"change one that is built in", errReplace, technician.ErrBuiltIn},
		{"delete one that is built in", w.DeleteRole(ctx, "admin", "x"), technician.ErrBuiltIn}, {"change none", errUnknown, technician.ErrUnknownRole},
		{"delete none", w.DeleteRole(ctx, "desk", "x"), technician.ErrUnknownRole}, {"an account with none", errCreate, technician.ErrUnknownRole},
		{"give none", errChange, technician.ErrUnknownRole}, {"a name twice", errTwice, technician.ErrExists}, {"all wrong", errInvalid, technician.ErrInvalid},
	} {
		if !errors.Is(tc.got, tc.want) {
			t.Errorf("%s: %v, want %v", tc.what, tc.got, tc.want)
		}
	}
	for _, field := range []string{"name: ", "password: ", "display_name: "} {
		if !strings.Contains("\n"+errInvalid.Error(), "\n"+field) {
			t.Errorf("%q does not name the mistake in %s", errInvalid, field)
		}
	}
	w.audited()
}

// TestNobodyIsLetInUnaudited: where the audit cannot be written, nobody signs in.
func TestNobodyIsLetInUnaudited(t *testing.T) {
	w := newWorld(t)
	w.make("ada", password)
	w.trail.fail(errors.New("the disk is full"))
	if cookie, _, err := w.SignIn(t.Context(), "ada", password, technician.Browser{From: here}); err == nil || cookie != "" {
		t.Errorf("SignIn() = %q, %v", cookie, err)
	}
}

// TestSignInsAreBounded: with many browsers the oldest is signed out.
func TestSignInsAreBounded(t *testing.T) {
	w := newWorld(t)
	w.make("ada", password)
	var all []string
	for range technician.MaxSignIns + 1 {
		all = append(all, w.signIn("ada"))
		w.forward(time.Second)
	}
	w.holds("the oldest", all[0], false)
	w.holds("the second", all[1], true)
	w.holds("the newest", all[len(all)-1], true)
}

func TestConfig(t *testing.T) {
	if err := technician.Default().Validate(); err != nil {
		t.Error(err)
	}
	for _, c := range []technician.Config{{}, {Lifetime: time.Hour, Idle: 2 * time.Hour}, {Lifetime: 721 * time.Hour, Idle: time.Hour}, {Lifetime: time.Hour, Idle: time.Second}} {
		if c.Validate() == nil {
			t.Errorf("%+v validates", c)
		}
	}
}
