package enrolment

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"

	"signalbox/internal/endpoint"
	"signalbox/internal/identity"
)

// world is a store in memory, and notes what the service does beside it.
type world struct {
	mu      sync.Mutex
	made    []Enrolment
	found   Found
	err     error // of the store
	now     func() time.Time
	entries []Entry
	ended   []endpoint.Key
}

func (w *world) CreateEnrolment(_ context.Context, e Enrolment, _ time.Time) error {
	w.made = append(w.made, e)
	return w.err
}

func (w *world) Enrolments(context.Context, string, string, int) ([]Enrolment, error) {
	return w.made, w.err
}

func (w *world) RevokeEnrolment(_ context.Context, _, id string) (Enrolment, error) {
	for _, e := range w.made {
		if e.ID == id {
			return e, nil
		}
	}
	return Enrolment{}, ErrUnknown
}

func (w *world) Enrol(_ context.Context, r Request) (out Outcome, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err != nil {
		return out, w.err
	}
	for _, e := range w.made {
		if e.Hash != r.Hash {
			continue
		}
		out.Enrolment, out.Endpoint.Domain = e, r.Domain
		if out.Endpoint.ID, err = e.Target(r); err != nil {
			return out, err
		}
		out.Did, err = e.Decide(r, w.found, w.now())
		return out, err
	}
	return out, ErrUnknown
}

func (w *world) Record(_ context.Context, e Entry) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.entries = append(w.entries, e)
}

func (w *world) Disconnect(k endpoint.Key, _ endpoint.Reason) bool {
	w.ended = append(w.ended, k)
	return true
}

// actions names what was recorded.
func (w *world) actions() string {
	var all []string
	for _, e := range w.entries {
		all = append(all, e.Action)
	}
	return strings.Join(all, " ")
}

func newWorld() (*world, *Service) {
	w := &world{now: func() time.Time { return noon }}
	return w, New(Deps{
		Domain: "xmpp.example.com", Key: identity.Generate(), Store: w, Sessions: w, Audit: w, Now: w.now, Log: zap.NewNop(),
	})
}

func TestCreate(t *testing.T) {
	w, s := newWorld()
	text, e, err := s.Create(t.Context(), Spec{Endpoint: "pc-1", Labels: map[string]string{"site": "paris"}}, 0, "management")
	if err != nil {
		t.Fatal(err)
	}
	token, err := identity.ParseEnrolmentToken(text)
	if err != nil || token.Hash() != e.Hash || !token.Names(s.deps.Key.Public()) {
		t.Errorf("the token is %v, %v, want that of the enrolment, which names the server", token, err)
	}
	if !strings.HasPrefix(e.ID, "enr_") || e.Uses != 1 || !e.Expires.Equal(noon.Add(24*time.Hour)) || e.By != "management" || len(w.made) != 1 {
		t.Errorf("made %+v", e)
	}
	if w.actions() != ActionCreated || w.entries[0].Subject != e.ID || w.entries[0].Actor != "management" || strings.Contains(strings.Join([]string{w.entries[0].Detail["endpoint"]}, ""), text) {
		t.Errorf("recorded %+v", w.entries)
	}
}

func TestCreateNamesEveryMistake(t *testing.T) {
	for _, tt := range []struct {
		name     string
		spec     Spec
		lifetime time.Duration
		want     string
	}{
		{"endpoint", Spec{Endpoint: "PC 1"}, 0, "/endpoint: "},
		{"prefix", Spec{Prefix: "PC"}, 0, "/prefix: "},
		{"prefix beside an endpoint", Spec{Endpoint: "pc-1", Prefix: "p"}, 0, "/prefix: "},
		{"long prefix", Spec{Prefix: strings.Repeat("p", MaxPrefixBytes+1)}, 0, "/prefix: "},
		{"uses", Spec{Uses: MaxUses + 1}, 0, "/uses: "},
		{"negative uses", Spec{Uses: -1}, 0, "/uses: "},
		{"uses of one endpoint", Spec{Endpoint: "pc-1", Uses: 2}, 0, "/uses: "},
		{"short", Spec{}, time.Millisecond, "/lifetime: "},
		{"long", Spec{}, MaxLifetime + 1, "/lifetime: "},
	} {
		w, s := newWorld()
		_, _, err := s.Create(t.Context(), tt.spec, tt.lifetime, "x")
		var fields FieldErrors
		if !errors.As(err, &fields) || len(fields) != 1 || !strings.HasPrefix(err.Error(), tt.want) || len(w.made)+len(w.entries) > 0 {
			t.Errorf("%s: Create() = %v, want one mistake at %s and nothing made", tt.name, err, tt.want)
		}
	}
	_, s := newWorld()
	if _, _, err := s.Create(t.Context(), Spec{Labels: map[string]string{"": ""}}, 0, "x"); !errors.Is(err, endpoint.ErrDescription) {
		t.Errorf("Create() with a bad label = %v", err)
	}
}

func TestEnrolIsRecorded(t *testing.T) {
	w, s := newWorld()
	text, e, err := s.Create(t.Context(), Spec{Endpoint: "pc-1"}, 0, "management")
	if err != nil {
		t.Fatal(err)
	}
	token, _ := identity.ParseEnrolmentToken(text)
	key := identity.Generate().Public()
	if out, err := s.Enrol(t.Context(), token, "", key, "192.0.2.1"); err != nil || out.Endpoint.ID != "pc-1" || out.Did != Create {
		t.Errorf("Enrol() = %+v, %v", out, err)
	}
	w.found = Found{Exists: true, Enabled: true, Key: identity.Generate().Public()}
	if out, err := s.Enrol(t.Context(), token, "", key, "192.0.2.1"); err != nil || out.Did != Replace || len(w.ended) != 1 {
		t.Errorf("Enrol() of one that exists = %+v, %v, with %d sessions ended", out, err, len(w.ended))
	}
	if _, err := s.Enrol(t.Context(), token, "pc-2", key, "192.0.2.1"); !errors.Is(err, ErrOtherID) {
		t.Errorf("Enrol() of another = %v", err)
	}
	if _, err := s.Enrol(t.Context(), identity.NewEnrolmentToken(key), "BAD", key, "192.0.2.1"); !errors.Is(err, ErrUnknown) {
		t.Errorf("Enrol() with a strange token = %v", err)
	}
	w.err = errors.New("disk is gone")
	if _, err := s.Enrol(t.Context(), token, "", key, "192.0.2.1"); !errors.Is(err, w.err) {
		t.Errorf("Enrol() = %v, want the store's error", err)
	}
	w.err = nil
	if err := s.Revoke(t.Context(), e.ID, "operator"); err != nil {
		t.Error(err)
	}
	if err := s.Revoke(t.Context(), "enr_x", "operator"); !errors.Is(err, ErrUnknown) {
		t.Errorf("Revoke() = %v, want ErrUnknown", err)
	}
	if got, want := w.actions(), strings.Join([]string{ActionCreated, ActionUsed, ActionUsed, ActionIdentity, ActionRefused, ActionRefused, ActionRevoked}, " "); got != want {
		t.Errorf("recorded %s, want %s", got, want)
	}
	for _, entry := range w.entries {
		for _, text := range entry.Detail {
			if strings.Contains(text, token.String()) || text == "BAD" {
				t.Errorf("%s records %q", entry.Action, text)
			}
		}
	}
}
