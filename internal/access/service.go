package access

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"sync"
	"time"
)

// Bounds of the cache. A token that another process revoked stays valid for cacheTime at most.
const (
	cacheTime = time.Second
	maxCached = 1024
)

// Errors of Authenticate.
var (
	ErrNoToken  = errors.New("no API token was given")
	ErrBadToken = errors.New("the API token is not valid")
)

// Service makes, checks and revokes API tokens. All methods may be called concurrently.
type Service struct {
	store Store
	now   func() time.Time

	mu      sync.Mutex
	cache   map[[sha256.Size]byte]cached
	revoked uint64 // how often something was revoked here: what was read before that is not cached after it
}

type cached struct {
	principal Principal
	until     time.Time
}

// New returns a service on store; now tells the time, time.Now outside tests.
func New(store Store, now func() time.Time) *Service {
	return &Service{store: store, now: now, cache: make(map[[sha256.Size]byte]cached)}
}

// Create makes a token and returns its secret, which is kept nowhere. The error names all mistakes at once and wraps ErrTokenRequest, or is ErrTokenName where
// the name is taken.
func (s *Service) Create(ctx context.Context, name string, scopes []Scope) (secret string, t Token, err error) {
	if err := errors.Join(checkName(name), checkScopes(scopes)); err != nil {
		return "", Token{}, err
	}
	now := s.now().UTC()
	secret = newSecret()
	t = Token{ID: NewID(tokenPrefix, now), Name: name, Scopes: inOrder(scopes), Hash: hashOf(secret), Created: now}
	if err := s.store.CreateToken(ctx, t); err != nil {
		return "", Token{}, fmt.Errorf("create token %q: %w", name, err)
	}
	return secret, t, nil
}

// Authenticate returns who holds this secret, or ErrNoToken for an empty one and ErrBadToken for one that is unknown or revoked; any other error is the store's.
// Secrets are found by their hash alone, so the time that it takes tells nothing of them. A result may be up to one second old.
func (s *Service) Authenticate(ctx context.Context, bearer string) (Principal, error) {
	switch {
	case bearer == "":
		return Principal{}, ErrNoToken
	case !isSecret(bearer):
		return Principal{}, ErrBadToken
	}
	hash := hashOf(bearer)
	now := s.now()
	p, revoked, ok := s.cached(hash, now)
	if ok {
		return p, nil
	}
	t, err := s.store.TokenByHash(ctx, hash)
	switch {
	case errors.Is(err, ErrUnknownToken):
		return Principal{}, ErrBadToken
	case err != nil:
		return Principal{}, fmt.Errorf("look up token: %w", err)
	}
	p = Principal{TokenID: t.ID, Name: t.Name, Scopes: t.Scopes}
	s.remember(hash, cached{principal: p, until: now.Add(cacheTime)}, revoked)
	return p, nil
}

// List returns all tokens by name.
func (s *Service) List(ctx context.Context) ([]Token, error) {
	ts, err := s.store.Tokens(ctx)
	if err != nil {
		return nil, fmt.Errorf("list tokens: %w", err)
	}
	return ts, nil
}

// Revoke deletes the token with this id or name, or returns ErrUnknownToken. It takes effect here at once, in other processes within a second.
func (s *Service) Revoke(ctx context.Context, idOrName string) error {
	err := s.store.RevokeToken(ctx, idOrName)
	s.forget() // also after an error: it may have been revoked all the same
	if err != nil {
		return fmt.Errorf("revoke token %q: %w", idOrName, err)
	}
	return nil
}

func (s *Service) cached(hash [sha256.Size]byte, now time.Time) (p Principal, revoked uint64, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, ok := s.cache[hash]
	return c.principal, s.revoked, ok && now.Before(c.until)
}

// remember keeps c unless something was revoked since the store was asked.
func (s *Service) remember(hash [sha256.Size]byte, c cached, revoked uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if revoked != s.revoked {
		return
	}
	if len(s.cache) >= maxCached {
		clear(s.cache) // costs one look-up per token in use, and needs no order of age
	}
	s.cache[hash] = c
}

func (s *Service) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.revoked++
	clear(s.cache)
}
