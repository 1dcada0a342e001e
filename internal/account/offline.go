package account

import (
	"context"
	"time"

	"signalbox/internal/endpoint"
)

// OfflineID numbers the offline messages of one account in their order. 0 is before all of them.
type OfflineID int64

// Offline is a message that waits for a session (XEP-0160).
type Offline struct {
	ID      OfflineID // set by the store
	Stanza  []byte    // nobody changes it after the hand-over
	At      time.Time // when it came, for its delay (XEP-0203)
	Expires time.Time // when it need not be delivered any more; StoreOffline bounds it by Config.OfflineAge
}

// StoreOffline keeps a message for an account that has no session, and calls done, once, when it is durable or refused: ErrFull where the account's messages would
// be too many or too large. It does not block; done must not either, and may run before StoreOffline returns.
func (s *Service) StoreOffline(k endpoint.Key, m Offline, done func(error)) {
	s.store.Queue(k, len(m.Stanza), func(tx Tx) error {
		err := s.storeOffline(tx, &m)
		if err == nil {
			s.cache.note(k, holdsOffline)
		}
		return err
	}, func(err error) {
		if err == nil {
			s.cache.note(k, holdsOffline) // once more, as in change
		}
		done(err)
	})
}

func (s *Service) storeOffline(tx Tx, m *Offline) error {
	count, bytes, err := tx.OfflineUsage()
	if err != nil {
		return err
	}
	if count >= s.cfg.OfflineCount || bytes+len(m.Stanza) > s.cfg.OfflineBytes {
		return ErrFull
	}
	if last := tx.Now().Add(s.cfg.OfflineAge); m.Expires.IsZero() || m.Expires.After(last) {
		m.Expires = last
	}
	return tx.AddOffline(m)
}

// Offline returns up to limit messages, at most MaxPage, behind after that have not expired, in their order.
func (s *Service) Offline(ctx context.Context, k endpoint.Key, after OfflineID, limit int) ([]Offline, error) {
	if s.lacks(k, holdsOffline) {
		return nil, nil
	}
	return s.store.Offline(ctx, k, after, min(max(limit, 0), MaxPage), time.Now())
}

// CountOffline returns how many messages wait.
func (s *Service) CountOffline(ctx context.Context, k endpoint.Key) (int, error) {
	if s.lacks(k, holdsOffline) {
		return 0, nil
	}
	return s.store.CountOffline(ctx, k, time.Now())
}

// DeleteOffline deletes the messages up to this id, and those that have expired. It does not block: done, if it is not nil, is called as by StoreOffline. Without
// done nobody waits for the disk; what a crash brings back is delivered twice.
func (s *Service) DeleteOffline(k endpoint.Key, upTo OfflineID, done func(error)) {
	s.store.Queue(k, 0, func(tx Tx) error { return tx.DeleteOffline(upTo) }, done)
}
