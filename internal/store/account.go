package store

import (
	"context"
	"time"

	"signalbox/internal/account"
	"signalbox/internal/endpoint"
	"signalbox/internal/store/accounts"
)

// bytesPerRow is how many bytes count as one row where nobody waits, so that the queue's bound is one of memory as well.
const bytesPerRow = 1024

// accountStore implements account.Store: what writes goes through the store's committer.
type accountStore struct {
	*accounts.Reader
	store *Store
}

// Accounts returns the store of what accounts hold.
func (s *Store) Accounts() account.Store { return accountStore{s.reader.accounts, s} }

// changeAccount is one step in one account.
type changeAccount struct {
	key  endpoint.Key
	step func(account.Tx) error

	result error
}

func (op *changeAccount) apply(t *tx) error {
	op.result = nil
	num, _, err := t.endpoint.Num(op.key)
	if err == nil {
		err = op.step(t.account.Tx(num, t.now))
	}
	if account.Refused(err) {
		op.result = err
		return nil
	}
	return err
}

// Change implements account.Writer.
func (a accountStore) Change(ctx context.Context, k endpoint.Key, step func(account.Tx) error, after func()) error {
	op := &changeAccount{key: k, step: step}
	err := a.store.await(ctx, op, func() {
		if op.result == nil && after != nil {
			after()
		}
	})
	if err != nil {
		return err
	}
	return op.result
}

// Queue implements account.Writer.
func (a accountStore) Queue(k endpoint.Key, size int, step func(account.Tx) error, done func(error)) {
	op := &changeAccount{key: k, step: step}
	e := &entry{op: op, size: 1 + size/bytesPerRow}
	if done != nil {
		e.call = func(err error) {
			if err == nil {
				err = op.result
			}
			done(err)
		}
	}
	a.store.put(e)
}

// Deleted implements account.Writer.
func (a accountStore) Deleted(f func(endpoint.Key)) { a.store.Deleted(f) }

// deleteExpired deletes offline messages that have expired.
func (s *Store) deleteExpired(ctx context.Context, now time.Time) error {
	for {
		if due, err := s.reader.accounts.AnyExpired(ctx, now); err != nil || !due {
			return err
		}
		n, err := outcome(ctx, s, func(t *tx) (int64, error) { return t.account.DeleteExpired(now, retentionChunk) })
		if err != nil || n < retentionChunk {
			return err
		}
	}
}
