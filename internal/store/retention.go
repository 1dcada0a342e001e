package store

import (
	"context"
	"time"

	"signalbox/internal/push"
	"signalbox/internal/telemetry"
)

const (
	retentionInterval = time.Minute
	// retentionChunk is small, because pushes wait for the transaction that deletes it.
	retentionChunk = 200
)

var retainedTables = []string{"push", "idem", "outbox"}

// retain deletes what is old, once at the start and then at its interval, until ctx is done.
func (s *Store) retain(ctx context.Context) {
	ticker := time.NewTicker(retentionInterval)
	defer ticker.Stop()
	for {
		if err := s.deleteOld(ctx, time.Now()); err != nil && ctx.Err() == nil {
			s.log.Warn("old rows were not deleted; the next round tries again", telemetry.Cause(err))
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// deleteOld deletes everything that is older than its retention at now, in chunks between the other writes.
func (s *Store) deleteOld(ctx context.Context, now time.Time) error {
	if err := s.deleteOldPushes(ctx, now.Add(-s.cfg.Retention)); err != nil {
		return err
	}
	keys := func(t *tx) (int64, error) { return t.deleteKeys(now.Add(-s.cfg.IdempotencyRetention), retentionChunk) }
	if err := s.deleteChunks(ctx, "idem", keys); err != nil {
		return err
	}
	return s.deleteChunks(ctx, "outbox", func(t *tx) (int64, error) { return t.deleteEvents(now.Add(-s.cfg.OutboxRetention), retentionChunk) })
}

func (s *Store) deleteOldPushes(ctx context.Context, cutoff time.Time) error {
	var after push.ID
	for {
		ids, err := s.reader.finishedBefore(ctx, after, cutoff, retentionChunk)
		if err != nil || len(ids) == 0 {
			return err
		}
		if err := s.do(ctx, deletePushes(ids)); err != nil {
			return err
		}
		s.deleted("push", int64(len(ids)))
		after = ids[len(ids)-1]
	}
}

func (s *Store) deleteChunks(ctx context.Context, table string, remove func(*tx) (int64, error)) error {
	for {
		op := &deleteRows{remove: remove}
		if err := s.do(ctx, op); err != nil {
			return err
		}
		s.deleted(table, op.deleted)
		if op.deleted < retentionChunk {
			return nil
		}
	}
}

func (s *Store) deleted(table string, n int64) {
	if n == 0 {
		return
	}
	s.metrics.deletedRows.WithLabelValues(table).Add(float64(n))
	s.log.Debug("deleted old rows", telemetry.Detail(table), telemetry.Count(int(n)))
}

// deletePushes deletes final pushes.
type deletePushes []push.ID

func (op deletePushes) apply(t *tx) error {
	for _, id := range op {
		if err := t.deletePush(id); err != nil {
			return err
		}
	}
	return nil
}

// deleteRows deletes a chunk of rows.
type deleteRows struct {
	remove  func(*tx) (int64, error)
	deleted int64
}

func (op *deleteRows) apply(t *tx) (err error) {
	op.deleted, err = op.remove(t)
	return err
}
