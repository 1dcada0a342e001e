package store

import (
	"context"
	"database/sql/driver"
	"errors"
	"math"

	"signalbox/internal/endpoint"
	"signalbox/internal/push"
	"signalbox/internal/store/direct"
	"signalbox/internal/store/failure"
	"signalbox/internal/store/query"
)

func (r *reader) push(ctx context.Context, domain string, id push.ID) (push.Status, error) {
	st, err := query.One(ctx, r.findPush, statusColumns, statusOf, push.ErrUnknown, int64(id), domain)
	if errors.Is(err, push.ErrUnknown) {
		return query.One(ctx, r.findRefused, refusedColumns, refusedOf, push.ErrUnknown, int64(id), domain)
	}
	return st, err
}

func (r *reader) waiting(ctx context.Context, k endpoint.Key, after push.Cursor, limit int) ([]push.Push, error) {
	read := func(row []driver.Value) (push.Push, error) {
		created, expires := direct.Time(direct.Int(row[5])), direct.Time(direct.Int(row[6]))
		return push.Push{
			ID: push.ID(direct.Int(row[0])), To: k, Type: direct.Text(row[1]), Payload: direct.Bytes(row[8]), Binary: direct.Int(row[2]) == formBinary,
			Message: direct.Int(row[2]) == formMessage, Priority: push.Priority(direct.Int(row[3])), Ack: push.Ack(direct.Int(row[4])), TTL: expires.Sub(created), Created: created,
			CollapseKey: direct.Text(row[7]),
		}, nil
	}
	return query.List(ctx, r.listWaiting, 9, read, k.Domain, k.ID, int64(after.Priority), int64(after.ID), limit)
}

func (r *reader) countWaiting(ctx context.Context, k endpoint.Key) (n int, err error) {
	err = r.countOpen.QueryRowContext(ctx, k.Domain, k.ID).Scan(&n)
	return n, failure.Of(err)
}

func (r *reader) pushes(ctx context.Context, k endpoint.Key, state push.State, before push.ID, limit int) ([]push.Status, error) {
	code := int64(-1)
	if state != "" {
		if code = stateCode(state); code < 0 {
			return nil, nil
		}
	}
	if before == 0 {
		before = math.MaxInt64
	}
	// One statement for each index that can answer.
	s := r.listAll
	switch {
	case k.ID != "":
		s = r.listOfEndpoint
	case code >= 0:
		s = r.listState
	}
	return query.List(ctx, s, statusColumns, statusOf, k.Domain, k.ID, int64(before), code, limit)
}

func idOf(row []driver.Value) (push.ID, error) { return push.ID(direct.Int(row[0])), nil }

// interrupted returns the pushes that a session had when the process ended, those with TTL 0 that none had yet, and those that a newer one with their collapse key, or the
// cancel of their fan-out, may have spared because they were on their way.
func (r *reader) interrupted(ctx context.Context) ([]push.ID, error) {
	return query.List(ctx, r.listInterrupted, 1, idOf)
}
