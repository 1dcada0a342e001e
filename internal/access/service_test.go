package access

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// fakeStore keeps tokens in memory, counts look-ups, and calls onLookup after it has read and before it answers.
type fakeStore struct {
	mu       sync.Mutex
	tokens   []Token
	lookups  int
	err      error
	onLookup func()
}

func (f *fakeStore) CreateToken(_ context.Context, t Token) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if slices.ContainsFunc(f.tokens, func(o Token) bool { return o.Name == t.Name }) {
		return ErrTokenName
	}
	f.tokens = append(f.tokens, t)
	return f.err
}

func (f *fakeStore) TokenByHash(_ context.Context, hash [32]byte) (Token, error) {
	f.mu.Lock()
	f.lookups++
	i := slices.IndexFunc(f.tokens, func(t Token) bool { return t.Hash == hash })
	var t Token
	err := f.err
	if err == nil && i < 0 {
		err = ErrUnknownToken
	} else if i >= 0 {
		t = f.tokens[i]
	}
	f.mu.Unlock()
	if f.onLookup != nil {
		f.onLookup()
	}
	return t, err
}

func (f *fakeStore) Tokens(context.Context) ([]Token, error) { return f.tokens, f.err }

func (f *fakeStore) RevokeToken(_ context.Context, idOrName string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := len(f.tokens)
	f.tokens = slices.DeleteFunc(f.tokens, func(t Token) bool { return t.ID == idOrName || t.Name == idOrName })
	if len(f.tokens) == n {
		return ErrUnknownToken
	}
	return f.err
}

func mustCreate(t *testing.T, s *Service, name string, scopes ...Scope) (string, Token) {
	t.Helper()
	secret, token, err := s.Create(t.Context(), name, scopes)
	if err != nil {
		t.Fatal(err)
	}
	return secret, token
}

func TestCreateKeepsTheHashOnly(t *testing.T) {
	store := &fakeStore{}
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.FixedZone("", 3600))
	s := New(store, func() time.Time { return at })
	secret, token := mustCreate(t, s, "management server", ScopeRead, ScopePush, ScopeRead)

	encoded, ok := strings.CutPrefix(secret, "sbx_")
	if b, err := base64.RawURLEncoding.DecodeString(encoded); !ok || len(encoded) != 43 || err != nil || len(b) != 32 {
		t.Errorf("secret %q is not sbx_ and 43 digits of base64url", secret)
	}
	if len(token.ID) != len("tok_")+26 || !strings.HasPrefix(token.ID, "tok_") {
		t.Errorf("ID = %q, want tok_ and 26 digits", token.ID)
	}
	want := Token{ID: token.ID, Name: "management server", Scopes: []Scope{ScopePush, ScopeRead}, Hash: sha256.Sum256([]byte(secret)), Created: at.UTC()}
	if diff := cmp.Diff([]Token{want}, store.tokens); diff != "" {
		t.Errorf("stored (-want +got):\n%s", diff)
	}
	if zone := token.Created.Location(); zone != time.UTC {
		t.Errorf("Created is in %v, want UTC", zone)
	}
	if again, _ := mustCreate(t, s, "another", ScopePush); again == secret {
		t.Error("two tokens have the same secret")
	}
}

func TestIDsSortByTime(t *testing.T) {
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	var ids []string
	for _, d := range []time.Duration{0, time.Millisecond, time.Second, 33 * time.Second, 24 * time.Hour, 40 * 365 * 24 * time.Hour} {
		ids = append(ids, NewID(tokenPrefix, at.Add(d)))
	}
	if !slices.IsSorted(ids) {
		t.Errorf("ids of later times do not sort later: %q", ids)
	}
	if a, b := NewID(tokenPrefix, at), NewID(tokenPrefix, at); a == b {
		t.Error("two ids of one time are the same")
	}
}

func TestCreateNamesEveryMistake(t *testing.T) {
	tests := []struct {
		name   string
		token  string
		scopes []Scope
		want   []string // parts of the error
	}{
		{"empty name", "", []Scope{ScopePush}, []string{"name: not usable: 0 bytes"}},
		{"long name", strings.Repeat("x", 65), []Scope{ScopePush}, []string{"name: not usable: 65 bytes"}},
		{"control character", "a\x1b[2Jb", []Scope{ScopePush}, []string{"name: not usable: it has characters"}},
		{"line break", "a\nb", []Scope{ScopePush}, []string{"name: not usable: it has characters"}},
		{"not UTF-8", "a\xff", []Scope{ScopePush}, []string{"name: not usable: it has characters"}},
		{"direction override", "a\u202eb", []Scope{ScopePush}, []string{"name: not usable: it has characters"}},
		{"space at the end", "a ", []Scope{ScopePush}, []string{"name: not usable: it begins or ends"}},
		{"like an id", "tok_1", []Scope{ScopePush}, []string{"name: not usable: it begins with tok_"}},
		{"no scope", "ok", nil, []string{"scopes: not usable: at least one"}},
		{"unknown scope", "ok", []Scope{"push", "write"}, []string{`scopes: not usable: "write" is not one of [push read`}},
		{"all at once", " \x00" + strings.Repeat("x", 64), []Scope{"PUSH", ""}, []string{
			"name: not usable: 66 bytes", "name: not usable: it has characters", "name: not usable: it begins or ends", `scopes: not usable: "PUSH"`, `scopes: not usable: ""`,
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			store := &fakeStore{}
			secret, _, err := New(store, time.Now).Create(t.Context(), tt.token, tt.scopes)
			if !errors.Is(err, ErrTokenRequest) || secret != "" || len(store.tokens) != 0 {
				t.Fatalf("Create() = %q, %v, want ErrTokenRequest and nothing stored", secret, err)
			}
			lines := strings.Split(err.Error(), "\n")
			if len(lines) != len(tt.want) {
				t.Fatalf("%d mistakes, want %d: %q", len(lines), len(tt.want), lines)
			}
			for i, want := range tt.want {
				if !strings.HasPrefix(lines[i], want) {
					t.Errorf("mistake %d = %q, want %q...", i, lines[i], want)
				}
			}
		})
	}
}

func TestNamesThatAreUsable(t *testing.T) {
	for _, name := range []string{"x", strings.Repeat("x", 64), "management server (prod)", "Zürich"} {
		if err := checkName(name); err != nil {
			t.Errorf("checkName(%q) = %v", name, err)
		}
	}
}

func TestCreateRefusesATakenName(t *testing.T) {
	s := New(&fakeStore{}, time.Now)
	mustCreate(t, s, "a", ScopePush)
	if secret, _, err := s.Create(t.Context(), "a", []Scope{ScopeRead}); !errors.Is(err, ErrTokenName) || secret != "" {
		t.Errorf("Create() = %q, %v, want ErrTokenName", secret, err)
	}
}

func TestAuthenticate(t *testing.T) {
	store := &fakeStore{}
	s := New(store, time.Now)
	secret, token := mustCreate(t, s, "a", ScopePush)
	want := Principal{TokenID: token.ID, Name: "a", Scopes: []Scope{ScopePush}}
	if got, err := s.Authenticate(t.Context(), secret); err != nil || !cmp.Equal(got, want) {
		t.Fatalf("Authenticate() = %+v, %v, want %+v", got, err, want)
	}

	other := newSecret()
	tests := []struct {
		name, bearer string
		want         error
		lookups      int
	}{
		{"nothing", "", ErrNoToken, 0},
		{"unknown secret", other, ErrBadToken, 1},
		{"without prefix", strings.TrimPrefix(secret, "sbx_"), ErrBadToken, 0},
		{"other case of the prefix", "SBX_" + strings.TrimPrefix(secret, "sbx_"), ErrBadToken, 0},
		{"one digit less", secret[:len(secret)-1], ErrBadToken, 0},
		{"one digit more", secret + "A", ErrBadToken, 0},
		{"space around", " " + secret, ErrBadToken, 0},
		{"scheme before it", "Bearer " + secret, ErrBadToken, 0},
		{"line break inside", secret[:10] + "\n" + secret[11:], ErrBadToken, 0},
		{"id instead of secret", token.ID, ErrBadToken, 0},
		{"a megabyte", "sbx_" + strings.Repeat("A", 1<<20), ErrBadToken, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			before := store.lookups
			p, err := s.Authenticate(t.Context(), tt.bearer)
			if !errors.Is(err, tt.want) || p.TokenID != "" {
				t.Errorf("Authenticate() = %+v, %v, want %v", p, err, tt.want)
			}
			if n := store.lookups - before; n != tt.lookups {
				t.Errorf("%d look-ups, want %d", n, tt.lookups)
			}
		})
	}
}

func TestAuthenticateTellsStoreErrorsFromBadTokens(t *testing.T) {
	broken := errors.New("disk is gone")
	store := &fakeStore{}
	s := New(store, time.Now)
	secret, _ := mustCreate(t, s, "a", ScopePush)
	store.err = broken
	if _, err := s.Authenticate(t.Context(), secret); !errors.Is(err, broken) || errors.Is(err, ErrBadToken) {
		t.Errorf("Authenticate() = %v, want %v", err, broken)
	}
	store.err = nil
	if _, err := s.Authenticate(t.Context(), secret); err != nil {
		t.Errorf("Authenticate() after the error = %v: the error was kept", err)
	}
}

func TestCacheLivesOneSecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &fakeStore{}
		s := New(store, time.Now)
		secret, _ := mustCreate(t, s, "a", ScopePush)
		authenticate := func(want error, lookups int) {
			t.Helper()
			if _, err := s.Authenticate(t.Context(), secret); !errors.Is(err, want) {
				t.Fatalf("Authenticate() = %v, want %v", err, want)
			}
			if store.lookups != lookups {
				t.Fatalf("%d look-ups, want %d", store.lookups, lookups)
			}
		}
		authenticate(nil, 1)
		store.tokens = nil // revoked by another process
		time.Sleep(time.Second - time.Nanosecond)
		authenticate(nil, 1)
		time.Sleep(time.Nanosecond)
		authenticate(ErrBadToken, 2)
		authenticate(ErrBadToken, 3) // what is bad is asked again
	})
}

func TestRevokeTakesEffectAtOnce(t *testing.T) {
	for _, by := range []string{"id", "name"} {
		t.Run("by "+by, func(t *testing.T) {
			s := New(&fakeStore{}, time.Now)
			secret, token := mustCreate(t, s, "a", ScopePush)
			if _, err := s.Authenticate(t.Context(), secret); err != nil {
				t.Fatal(err)
			}
			which := map[string]string{"id": token.ID, "name": token.Name}[by]
			if err := s.Revoke(t.Context(), which); err != nil {
				t.Fatal(err)
			}
			if _, err := s.Authenticate(t.Context(), secret); !errors.Is(err, ErrBadToken) {
				t.Errorf("Authenticate() after Revoke = %v, want ErrBadToken", err)
			}
			if err := s.Revoke(t.Context(), which); !errors.Is(err, ErrUnknownToken) {
				t.Errorf("second Revoke() = %v, want ErrUnknownToken", err)
			}
		})
	}
}

func TestRevokeDuringALookUpIsNotUndoneByTheCache(t *testing.T) {
	store := &fakeStore{}
	s := New(store, time.Now)
	secret, token := mustCreate(t, s, "a", ScopePush)
	store.onLookup = func() {
		store.onLookup = nil
		if err := s.Revoke(t.Context(), token.ID); err != nil {
			t.Error(err)
		}
	}
	if _, err := s.Authenticate(t.Context(), secret); err != nil {
		t.Fatalf("Authenticate() = %v, want what the store said", err)
	}
	if _, err := s.Authenticate(t.Context(), secret); !errors.Is(err, ErrBadToken) {
		t.Errorf("Authenticate() after Revoke = %v, want ErrBadToken", err)
	}
}

func TestCacheIsBounded(t *testing.T) {
	store := &fakeStore{}
	s := New(store, time.Now)
	for range maxCached + 1 {
		secret := newSecret()
		store.tokens = []Token{{ID: "tok_1", Hash: sha256.Sum256([]byte(secret))}}
		if _, err := s.Authenticate(t.Context(), secret); err != nil {
			t.Fatal(err)
		}
		if len(s.cache) > maxCached {
			t.Fatalf("cache has %d entries, at most %d are allowed", len(s.cache), maxCached)
		}
	}
	if len(s.cache) == 0 {
		t.Error("the newest token is not cached")
	}
}

func TestList(t *testing.T) {
	store := &fakeStore{}
	s := New(store, time.Now)
	_, token := mustCreate(t, s, "a", ScopePush)
	if got, err := s.List(t.Context()); err != nil || !cmp.Equal(got, []Token{token}) {
		t.Errorf("List() = %v, %v, want %v", got, err, token)
	}
	store.err = errors.New("disk is gone")
	if _, err := s.List(t.Context()); !errors.Is(err, store.err) {
		t.Errorf("List() = %v, want %v", err, store.err)
	}
}

func TestConcurrentUse(t *testing.T) {
	s := New(&fakeStore{}, time.Now)
	var wg sync.WaitGroup
	for _, name := range []string{"a", "b", "c", "d"} {
		wg.Go(func() {
			secret, _, err := s.Create(t.Context(), name, []Scope{ScopeRead})
			if err != nil {
				t.Error(err)
				return
			}
			for range 100 {
				if p, err := s.Authenticate(t.Context(), secret); err != nil || p.Name != name {
					t.Errorf("Authenticate() = %+v, %v, want %s", p, err, name)
				}
			}
			if err := s.Revoke(t.Context(), name); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

func TestCan(t *testing.T) {
	for _, has := range Scopes() {
		for _, needs := range Scopes() {
			want := has == needs || has == ScopeAdmin
			if got := (Principal{Scopes: []Scope{has}}).Can(needs); got != want {
				t.Errorf("a token with %s: Can(%s) = %v, want %v", has, needs, got, want)
			}
		}
	}
	if (Principal{}).Can(ScopeRead) {
		t.Error("the zero Principal can read")
	}
}

func TestAuthenticateFromTheCacheAllocatesNothing(t *testing.T) {
	s := New(&fakeStore{}, time.Now)
	secret, _ := mustCreate(t, s, "a", ScopePush)
	ctx := t.Context()
	n := testing.AllocsPerRun(100, func() {
		if _, err := s.Authenticate(ctx, secret); err != nil {
			t.Fatal(err)
		}
	})
	if n != 0 {
		t.Errorf("%v allocations, want 0", n)
	}
}

func FuzzIsSecret(f *testing.F) {
	f.Add("sbx_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")
	f.Add("sbx_")
	f.Add("Bearer x")
	f.Fuzz(func(t *testing.T, text string) {
		if !isSecret(text) {
			return
		}
		b, err := base64.RawURLEncoding.DecodeString(text[len(secretPrefix):])
		if err != nil || len(b) != secretBytes || !strings.HasPrefix(text, "sbx_") {
			t.Errorf("isSecret(%q) holds for what is no prefix and %d bytes", text, secretBytes)
		}
	})
}
