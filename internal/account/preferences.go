package account

import (
	"context"
	"fmt"
	"slices"

	"signalbox/internal/endpoint"
)

// Archiving says what is archived where no list names the other party (XEP-0313 section 8).
type Archiving uint8

// The values of the attribute default.
const (
	ArchiveAlways Archiving = iota // an account that has set nothing
	ArchiveNever
	ArchiveRoster // who is in the roster
)

var archivingNames = []string{"always", "never", "roster"}

// String returns the value of the attribute default.
func (a Archiving) String() string { return archivingNames[min(a, ArchiveRoster)] }

// ParseArchiving reads what String returns; false for everything else.
func ParseArchiving(text string) (Archiving, bool) {
	i := slices.Index(archivingNames, text)
	return Archiving(max(i, 0)), i >= 0
}

// Preferences say what is archived. The zero value archives everything.
type Preferences struct {
	Default Archiving
	Always  []string // JIDs whose messages are archived; bare ones stand for all their resources
	Never   []string // JIDs whose messages are not; goes before Always
}

// Preferences returns the account's archiving preferences. It reads memory alone.
func (s *Service) Preferences(k endpoint.Key) Preferences {
	if p := s.cache.of(k).preferences; p != nil {
		return *p
	}
	return Preferences{}
}

// SetPreferences replaces the account's archiving preferences. Errors: ErrInvalid, ErrTooLarge, ErrFull.
func (s *Service) SetPreferences(ctx context.Context, k endpoint.Key, p Preferences) error {
	if p.Default > ArchiveRoster {
		return fmt.Errorf("%w: no such default", ErrInvalid)
	}
	if bytesOf(p.Always)+bytesOf(p.Never) > maxListBytes {
		return fmt.Errorf("%w: the lists may have %d bytes", ErrFull, maxListBytes)
	}
	for _, list := range [][]string{p.Always, p.Never} {
		if len(list) > MaxListed {
			return fmt.Errorf("%w: %d JIDs in one list, at most %d are allowed", ErrFull, len(list), MaxListed)
		}
		for _, j := range list {
			if err := checkJID(j); err != nil {
				return err
			}
		}
	}
	return s.store.Change(ctx, k, func(tx Tx) error { return tx.SavePreferences(p) }, func() { s.cache.setPreferences(k, p) })
}

// Archives reports whether messages with another party, a bare JID and a resource, are archived. It reads memory alone unless that depends on the roster.
func (s *Service) Archives(ctx context.Context, k endpoint.Key, with, resource string) (bool, error) {
	keep, onRoster := s.Preferences(k).keep(with, resource)
	if !onRoster {
		return keep, nil
	}
	_, listed, err := s.Contact(ctx, k, with)
	return listed, err
}

// keep reports whether messages with another party go into the archive, or whether that depends on the roster. The most exact word counts: of the full JID, of the
// bare one, of the default.
func (p Preferences) keep(with, resource string) (keep, onRoster bool) {
	for _, jid := range []string{with + "/" + resource, with} {
		switch {
		case slices.Contains(p.Never, jid):
			return false, false
		case slices.Contains(p.Always, jid):
			return true, false
		}
	}
	return p.Default == ArchiveAlways, p.Default == ArchiveRoster
}
