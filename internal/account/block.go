package account

import (
	"context"
	"fmt"
	"slices"

	"signalbox/internal/endpoint"
)

// IsBlocked reports whether the account blocks this JID: the list names it, its bare JID, its domain with the resource, or its domain (XEP-0191 section 3.1). It reads
// memory alone and allocates nothing.
func (s *Service) IsBlocked(k endpoint.Key, jid string) bool { return s.cache.blocks(k, jid) }

// Blocked returns the blocking list in order. It reads memory alone.
func (s *Service) Blocked(k endpoint.Key) []string { return s.cache.blocked(k) }

// Block adds JIDs to the blocking list and returns those that were not in it. Errors: ErrInvalid, ErrTooLarge, ErrFull.
func (s *Service) Block(ctx context.Context, k endpoint.Key, jids ...string) ([]string, error) {
	if len(jids) == 0 {
		return nil, fmt.Errorf("%w: nobody is named", ErrInvalid)
	}
	for _, j := range jids {
		if err := checkJID(j); err != nil {
			return nil, err
		}
	}
	var added, list []string
	err := s.store.Change(ctx, k, func(tx Tx) (err error) {
		if list, err = tx.Blocked(); err != nil {
			return err
		}
		added = nil
		for _, j := range jids {
			if !slices.Contains(list, j) {
				list, added = append(list, j), append(added, j)
			}
		}
		if len(list) > s.cfg.Blocked || bytesOf(list) > s.cfg.Blocked*meanJIDBytes {
			return ErrFull
		}
		return tx.AddBlocked(added)
	}, func() { s.cache.setBlocked(k, list) })
	if err != nil {
		return nil, err
	}
	return added, nil
}

// Unblock removes JIDs from the blocking list, all if none is named, and returns those that were in it.
func (s *Service) Unblock(ctx context.Context, k endpoint.Key, jids ...string) ([]string, error) {
	var removed, list []string
	err := s.store.Change(ctx, k, func(tx Tx) (err error) {
		if list, err = tx.Blocked(); err != nil {
			return err
		}
		removed = nil
		list = slices.DeleteFunc(list, func(j string) bool {
			gone := len(jids) == 0 || slices.Contains(jids, j)
			if gone {
				removed = append(removed, j)
			}
			return gone
		})
		return tx.RemoveBlocked(removed)
	}, func() { s.cache.setBlocked(k, list) })
	if err != nil {
		return nil, err
	}
	return removed, nil
}
