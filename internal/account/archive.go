package account

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"signalbox/internal/endpoint"
)

// ArchiveID names a message in an archive, and is what stands in its stanza-id (XEP-0359). Ids grow with time; 0 names none.
type ArchiveID int64

// idBits is how much of an id is below the microsecond.
const idBits = 8

// String returns the id as 16 hexadecimal digits, whose order is that of the ids.
func (id ArchiveID) String() string { return fmt.Sprintf("%016x", int64(id)) }

// ParseArchiveID reads what String wrote; false for everything else.
func ParseArchiveID(text string) (ArchiveID, bool) {
	n, err := strconv.ParseInt(text, 16, 64)
	id := ArchiveID(n)
	return id, err == nil && n > 0 && id.String() == text
}

// Message is one message in an archive.
type Message struct {
	ID       ArchiveID // set by Append
	With     string    // bare JID of the other party
	Resource string    // of the other party; empty: none
	Outgoing bool      // the account's owner sent it
	Stanza   []byte    // nobody changes it after the hand-over
	At       time.Time // when it came; zero: now
}

// Append puts a message into the account's archive and returns its id at once: the sender's path does not wait for the disk. XEP-0313 asks for no more: a message may
// be missing in the archive if the process dies within the time of a commit, or if the disk takes nothing for so long that more waits than the store's bound. Where
// Preferences say "roster", whether the contact is in the roster is found out later, and the id of a message that is not kept names nothing. The oldest messages give
// way to a new one that has no room.
func (s *Service) Append(k endpoint.Key, m Message) ArchiveID {
	now := time.Now()
	if m.At.IsZero() {
		m.At = now
	}
	m.ID = s.nextID(now)
	p := s.Preferences(k)
	s.store.Queue(k, len(m.Stanza), func(tx Tx) error {
		keep, onRoster := p.keep(m.With, m.Resource)
		if onRoster {
			c, err := tx.Contact(m.With)
			if err != nil {
				return err
			}
			keep = c.Listed
		}
		if !keep {
			return nil
		}
		return tx.Archive(&m, s.cfg.ArchiveCount, s.cfg.ArchiveBytes)
	}, nil)
	return m.ID
}

// nextID gives out an id that is greater than all before, and holds the time unless the clock stands behind them.
func (s *Service) nextID(now time.Time) ArchiveID {
	for {
		last := s.last.Load()
		next := max(last+1, now.UnixMicro()<<idBits)
		if s.last.CompareAndSwap(last, next) {
			return ArchiveID(next)
		}
	}
}

// Filter selects messages (XEP-0313 section 4.1). The zero value selects all.
type Filter struct {
	With       string // bare JID: with whatever resource; full JID: with this one
	Start, End time.Time
	After      ArchiveID   // after-id: later than this one
	Before     ArchiveID   // before-id: earlier than this one
	IDs        []ArchiveID // exactly these, at most 250; nil: all
}

// Page is which part of what a Filter selects is asked for (XEP-0059).
type Page struct {
	Max       int       // 0 to MaxPage messages; with 0 only Count is asked for
	After     ArchiveID // the page that follows this message
	Before    ArchiveID // the page before this message; implies Backwards
	Backwards bool      // the last page rather than the first
}

// Result is one page of an archive.
type Result struct {
	Messages    []Message // oldest first
	First, Last ArchiveID // of the page; 0 if it is empty
	Count       int       // messages that the filter selects in all
	Complete    bool      // nothing follows this page in the direction of paging
}

// Query returns one page of the archive, with everything that was appended before. Errors: ErrInvalid, ErrNoMessage where an id names no message.
func (s *Service) Query(ctx context.Context, k endpoint.Key, f Filter, p Page) (Result, error) {
	if p.Max < 0 || len(f.IDs) > maxIDs || p.After != 0 && p.Before != 0 {
		return Result{}, fmt.Errorf("%w: no such page", ErrInvalid)
	}
	p.Max = min(p.Max, MaxPage)
	p.Backwards = p.Backwards || p.Before != 0
	if err := s.change(ctx, k, 0, func(Tx) error { return nil }); err != nil { // behind what is still on its way to the disk
		return Result{}, err
	}
	return s.store.Archived(ctx, k, f, p)
}

// Bounds returns the oldest and the newest message of an archive without their stanzas; zero values where there is none.
func (s *Service) Bounds(ctx context.Context, k endpoint.Key) (first, last Message, err error) {
	return s.store.ArchiveBounds(ctx, k)
}
