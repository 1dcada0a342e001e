package account

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"

	"signalbox/internal/endpoint"
)

// Service is what accounts hold. All methods may be called concurrently. A method with a context waits for the store, so nothing that must not block calls it; when
// it returns nil, what it has done is durable. If its context ends before, it may be done all the same. Besides those that a method names, errors are
// endpoint.ErrUnknown for an account that does not exist, and the store's.
type Service struct {
	cfg   Config
	store Store
	cache cache
	last  atomic.Int64 // the archive id given out last

	loaded atomic.Bool
}

// New returns a service on store. Load must follow before it is used.
func New(cfg Config, store Store) (*Service, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("configuration of accounts: %w", err)
	}
	s := &Service{cfg: cfg, store: store, cache: newCache()}
	store.Deleted(s.cache.forget)
	return s, nil
}

// Load reads what is kept in memory: blocking lists, archiving preferences, who holds anything at all, the last id of the archive. It is called once, before endpoints are admitted.
func (s *Service) Load(ctx context.Context) error {
	if err := s.store.EachBlocked(ctx, s.cache.addBlocked); err != nil {
		return fmt.Errorf("read blocking lists: %w", err)
	}
	if err := s.store.EachPreferences(ctx, s.cache.setPreferences); err != nil {
		return fmt.Errorf("read archiving preferences: %w", err)
	}
	if err := s.store.EachHolder(ctx, s.cache.noteAll); err != nil {
		return fmt.Errorf("read which accounts hold anything: %w", err)
	}
	last, err := s.store.LastArchived(ctx)
	if err != nil {
		return fmt.Errorf("read the last id of the archive: %w", err)
	}
	s.last.Store(int64(last))
	s.loaded.Store(true)
	return nil
}

// lacks reports whether it is certain that an account holds nothing of this.
func (s *Service) lacks(k endpoint.Key, h holdings) bool {
	return s.loaded.Load() && !s.cache.holds(k, h)
}

// change runs step as one transaction after which the account may hold h. That is noted before the transaction ends, so that nobody misses it, and once more in the
// order of the changes, because an older account of the same name may have been forgotten meanwhile.
func (s *Service) change(ctx context.Context, k endpoint.Key, h holdings, step func(Tx) error) error {
	return s.noting(ctx, k, step, func() { s.cache.note(k, h) })
}

func (s *Service) noting(ctx context.Context, k endpoint.Key, step func(Tx) error, note func()) error {
	return s.store.Change(ctx, k, func(tx Tx) error {
		err := step(tx)
		if err == nil {
			note()
		}
		return err
	}, note)
}

// checkBare refuses what cannot be a contact: this package relies on prepared JIDs and checks only what its tables need.
func checkBare(jid string) error {
	switch {
	case jid == "" || strings.ContainsRune(jid, '/'):
		return fmt.Errorf("%w: %.100q is not a bare JID", ErrInvalid, jid)
	case len(jid) > MaxBareBytes:
		return fmt.Errorf("%w: a bare JID has at most %d", ErrTooLarge, MaxBareBytes)
	}
	return nil
}

func checkJID(jid string) error {
	if jid == "" {
		return fmt.Errorf("%w: the JID is empty", ErrInvalid)
	}
	return checkBytes("a JID", len(jid), MaxJIDBytes)
}

func checkBytes(what string, n, most int) error {
	if n > most {
		return fmt.Errorf("%w: %s has %d, at most %d are allowed", ErrTooLarge, what, n, most)
	}
	return nil
}

// bytesOf returns the length of all texts together.
func bytesOf(texts []string) (n int) {
	for _, t := range texts {
		n += len(t)
	}
	return n
}

// local returns the account of this domain that a bare JID may name.
func local(k endpoint.Key, jid string) (endpoint.Key, bool) {
	id, domain, found := strings.Cut(jid, "@")
	return endpoint.Key{Domain: domain, ID: id}, found && domain == k.Domain
}
