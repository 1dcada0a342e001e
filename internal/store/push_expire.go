package store

import (
	"context"
	"slices"
	"time"

	"signalbox/internal/push"
)

// maxChunk bounds the rows that one operation changes, so that it does not hold up the others for long.
const maxChunk = 500

// expirePushes ends pushes whose TTL is over.
type expirePushes struct {
	now   time.Time
	limit int

	out []push.Status
}

// ExpirePushes implements push.Writer. It ends them in chunks.
func (s *Store) ExpirePushes(ctx context.Context, now time.Time, limit int) ([]push.Status, error) {
	var all []push.Status
	for len(all) < limit {
		op := &expirePushes{now: now, limit: min(maxChunk, limit-len(all))}
		if err := s.do(ctx, op); err != nil {
			return all, err
		}
		all = append(all, op.out...)
		if len(op.out) < op.limit {
			break
		}
	}
	return all, nil
}

func (op *expirePushes) apply(t *tx) error {
	op.out = nil
	ids, err := t.push.Expired(op.now, op.limit)
	if err != nil {
		return err
	}
	if err := t.readRows(len(ids), func(i int) push.ID { return ids[i] }); err != nil {
		return err
	}
	for _, id := range ids {
		row, err := t.findPush(id)
		if err != nil {
			return err
		}
		to, reason := push.ExpiryOf(row.State, row.Lasts)
		if err := change(t, row, to, op.now, reason, nil); err != nil {
			return err
		}
	}
	if err := t.writeRows(); err != nil {
		return err
	}
	for _, id := range ids {
		status, err := t.push.Status(id)
		if err != nil {
			return err
		}
		op.out = append(op.out, status)
	}
	return nil
}

// recoverPushes takes pushes that were on the way back into the queue.
type recoverPushes struct {
	ids    []push.ID
	reason string
	now    time.Time
}

// RecoverPushes implements push.Writer. Pushes with TTL 0 that were not even sent end as well: their payload is not kept. What ends ends with the same reason.
func (s *Store) RecoverPushes(ctx context.Context, reason string, now time.Time, carried map[push.ID]bool) error {
	ids, err := s.reader.pushes.Interrupted(ctx)
	if err != nil {
		return err
	}
	ids = slices.DeleteFunc(ids, func(id push.ID) bool { return carried[id] })
	for len(ids) > 0 {
		n := min(maxChunk, len(ids))
		if err := s.do(ctx, &recoverPushes{ids: ids[:n], reason: reason, now: now}); err != nil {
			return err
		}
		ids = ids[n:]
	}
	return nil
}

func (op *recoverPushes) apply(t *tx) error {
	if err := t.readRows(len(op.ids), func(i int) push.ID { return op.ids[i] }); err != nil {
		return err
	}
	for _, id := range op.ids {
		row, err := t.findPush(id)
		if err != nil {
			return err
		}
		if row == nil {
			continue
		}
		to := push.Expired
		if row.Lasts {
			to = push.Accepted
		}
		if push.Next(row.State, to, row.Ack) {
			if err := change(t, row, to, op.now, op.reason, nil); err != nil {
				return err
			}
		}
		if row.State == push.Accepted {
			if _, err := endReturned(t, row); err != nil {
				return err
			}
		}
	}
	return nil
}
