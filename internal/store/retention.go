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

// The places of the tables in retainedTables.
const (
	oldPushes = iota
	oldKeys
	oldEvents
	oldFanouts
	oldRefusals
	oldArchive
	oldBatches
)

// retain deletes what is old, once at the start and then at its interval, until ctx is done.
func (s *Store) retain(ctx context.Context) {
	ticker := time.NewTicker(retentionInterval)
	defer ticker.Stop()
	for ahead := false; ; {
		now := time.Now()
		ahead = s.checkClock(ctx, now, ahead)
		if err := s.deleteOld(ctx, now); err != nil && ctx.Err() == nil {
			s.log.Warn("old rows were not deleted; the next round tries again", telemetry.Cause(err))
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// checkClock returns whether the ids of pushes are ahead of the clock, and says so unless it was known.
func (s *Store) checkClock(ctx context.Context, now time.Time, known bool) bool {
	newest, err := s.reader.pushes.Newest(ctx)
	if err != nil {
		return known
	}
	ahead := newest > idAt(now.Add(time.Minute))
	if ahead && !known {
		s.log.Error("ids of pushes are ahead of the clock: it stood ahead when one was accepted, or is behind now; check the time of this machine",
			telemetry.Push(newest.String()))
	}
	return ahead
}

// deleteOld deletes everything that is older than its retention at now, in chunks between the other writes.
func (s *Store) deleteOld(ctx context.Context, now time.Time) error {
	if err := s.deleteOldPushes(ctx, age{now, s.cfg.Retention}); err != nil {
		return err
	}
	if err := s.deleteOldRows(ctx, oldKeys, age{now, s.cfg.IdempotencyRetention}, func(t *tx) deletion { return t.push.DeleteKeys }); err != nil {
		return err
	}
	if err := s.deleteOldEvents(ctx, now); err != nil {
		return err
	}
	if err := s.deleteOldRows(ctx, oldRefusals, age{now, s.cfg.Retention}, func(t *tx) deletion { return t.push.DeleteRefusals }); err != nil {
		return err
	}
	if err := s.deleteOldRows(ctx, oldFanouts, age{now, s.cfg.Retention}, func(t *tx) deletion { return t.push.DeleteFanouts }); err != nil {
		return err
	}
	if err := s.deleteOldRows(ctx, oldBatches, age{now, s.cfg.IdempotencyRetention}, func(t *tx) deletion { return t.push.DeleteBatches }); err != nil {
		return err
	}
	if err := s.deleteOldRows(ctx, oldArchive, age{now, s.cfg.ArchiveRetention}, func(t *tx) deletion { return t.account.DeleteArchived }); err != nil {
		return err
	}
	if err := s.try(ctx, func(t *tx) error { return t.outbox.ForgetNames(now) }); err != nil {
		return err
	}
	if err := s.deleteOldCampaigns(ctx, now.Add(-s.cfg.Retention)); err != nil {
		return err
	}
	if err := s.deleteOldTURNSessions(ctx, now.Add(-s.cfg.Retention)); err != nil {
		return err
	}
	if err := s.deleteOldAudit(ctx, now.Add(-s.cfg.AuditRetention)); err != nil {
		return err
	}
	if err := s.deleteOldRemoteSessions(ctx, now.Add(-s.cfg.AuditRetention)); err != nil {
		return err
	}
	return s.deleteExpired(ctx, now)
}

func (s *Store) deleteOldPushes(ctx context.Context, a age) error {
	last, err := s.reader.lastOldIn(ctx, oldPushes, a)
	if err != nil {
		return err
	}
	for after := push.ID(0); ; {
		ids, err := s.reader.pushes.Over(ctx, after, last, a.cutoff(), a.future(), retentionChunk)
		if err != nil || len(ids) == 0 {
			return err
		}
		if err := s.try(ctx, func(t *tx) error { return t.push.DeleteOld(ids) }); err != nil {
			return err
		}
		s.deleted(oldPushes, int64(len(ids)))
		after = ids[len(ids)-1]
	}
}

// deleteOldEvents deletes events that are old and read by all who must not miss any, and those that are too old to wait for them.
func (s *Store) deleteOldEvents(ctx context.Context, now time.Time) error {
	lost, err := s.reader.lastOldIn(ctx, oldEvents, age{now, s.cfg.OutboxUnread})
	if err != nil {
		return err
	}
	last, err := s.reader.lastOldIn(ctx, oldEvents, age{now, s.cfg.OutboxRetention})
	if err != nil {
		return err
	}
	for {
		slowest, held, err := s.reader.outbox.Slowest(ctx)
		if err != nil {
			return err
		}
		upTo := last
		if held {
			upTo = max(min(last, slowest), lost)
		}
		n, err := s.deleteEventChunk(ctx, upTo)
		if err != nil {
			return err
		}
		if n < retentionChunk {
			return nil
		}
	}
}

// deleteEventChunk deletes a chunk of the events up to a number, and counts those that a reader has missed.
func (s *Store) deleteEventChunk(ctx context.Context, upTo int64) (int64, error) {
	if upTo == 0 {
		return 0, nil
	}
	type gone struct{ missed, all int64 }
	chunk, err := outcome(ctx, s, func(t *tx) (c gone, err error) {
		c.missed, c.all, err = t.outbox.Delete(upTo, retentionChunk)
		return c, err
	})
	if err != nil {
		return 0, err
	}
	s.deleted(oldEvents, chunk.all)
	if chunk.missed > 0 {
		s.metrics.missedEvents.Add(float64(chunk.missed))
		s.log.Warn("events were deleted that a webhook has not taken: it has been behind for longer than store.outbox_unread", telemetry.Count(int(chunk.missed)))
	}
	return chunk.all, nil
}

// deletion deletes up to limit rows up to the number last and returns how many.
type deletion func(last int64, limit int) (int64, error)

// deleteOldRows deletes the rows of a table in which everything before the last old row goes.
func (s *Store) deleteOldRows(ctx context.Context, table int, a age, of func(*tx) deletion) error {
	last, err := s.reader.lastOldIn(ctx, table, a)
	if err != nil || last == 0 {
		return err
	}
	for {
		n, err := outcome(ctx, s, func(t *tx) (int64, error) { return of(t)(last, retentionChunk) })
		if err != nil {
			return err
		}
		s.deleted(table, n)
		if n < retentionChunk {
			return nil
		}
	}
}

// inChunks repeats a step, each time in a transaction of its own, until it does less than size.
func (s *Store) inChunks(ctx context.Context, size int64, step func(t *tx) (int64, error)) error {
	for {
		if n, err := outcome(ctx, s, step); err != nil || n < size {
			return err
		}
	}
}

func (s *Store) deleted(table int, n int64) {
	if n == 0 {
		return
	}
	name := retainedTables[table].name
	s.metrics.deletedRows.WithLabelValues(name).Add(float64(n))
	s.log.Debug("deleted old rows", telemetry.Detail(name), telemetry.Count(int(n)))
}
