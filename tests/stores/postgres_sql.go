package stores

import (
	"context"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"signalbox/internal/push"
)

// schema is what our store keeps, as one would write it for PostgreSQL: payloads lie apart by themselves when they are large. The index holds the waiting queues.
const schema = `
CREATE TABLE endpoint (
	num     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	domain  text NOT NULL,
	id      text NOT NULL,
	enabled boolean NOT NULL,
	UNIQUE (domain, id)
);
CREATE TABLE push (
	id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	ep       bigint NOT NULL,
	state    smallint NOT NULL,
	priority smallint NOT NULL,
	type     text NOT NULL,
	created  timestamptz NOT NULL,
	expires  timestamptz NOT NULL,
	ended    timestamptz,
	history  bytea NOT NULL,
	payload  bytea
);
CREATE INDEX push_queue ON push (ep, priority, id) WHERE state = 0;
CREATE TABLE outbox (
	seq     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	at      timestamptz NOT NULL,
	kind    text NOT NULL,
	domain  text NOT NULL,
	subject text NOT NULL,
	data    text NOT NULL
)`

// The states in the table.
const (
	accepted = iota
	sent
	delivered
)

// One statement each: the change and its event, committed by themselves.
const (
	acceptPush = `WITH e AS (
	SELECT num FROM endpoint WHERE domain = $1 AND id = $2 AND enabled
), p AS (
	INSERT INTO push (ep, state, priority, type, created, expires, history, payload) SELECT num, 0, $3, $4, $5, $6, $7, $8 FROM e RETURNING id
), o AS (
	INSERT INTO outbox (at, kind, domain, subject, data) SELECT $5, 'push.accepted', $1, $2, '{"push":"' || id || '"}' FROM p
) SELECT id FROM p`

	sendPush = `WITH p AS (
	UPDATE push SET state = 1, history = history || $5 FROM endpoint e
	WHERE push.id = $1 AND push.state = 0 AND e.num = push.ep AND e.domain = $2 AND e.id = $3 RETURNING push.id
), o AS (
	INSERT INTO outbox (at, kind, domain, subject, data) SELECT $4, 'push.sent', $2, $3, '{"push":"' || id || '"}' FROM p
) SELECT id FROM p`

	deliverPush = `WITH p AS (
	UPDATE push SET state = 2, history = history || $5, ended = $4, payload = NULL FROM endpoint e
	WHERE push.id = $1 AND push.state < 2 AND e.num = push.ep AND e.domain = $2 AND e.id = $3 RETURNING push.id
), o AS (
	INSERT INTO outbox (at, kind, domain, subject, data) SELECT $4, 'push.delivered', $2, $3, '{"push":"' || id || '"}' FROM p
) SELECT id FROM p`

	waitingPushes = `SELECT id, type, priority, created, expires, payload FROM push
	WHERE ep = (SELECT num FROM endpoint WHERE domain = $1 AND id = $2) AND state = 0 AND (priority, id) > ($3, $4) ORDER BY priority, id LIMIT $5`
)

const (
	pipelined = 500 // statements in one transaction when it is not commits that are measured
	pipelines = 4
)

func (p *postgres) createSchema(ctx context.Context, endpoints int) error {
	if _, err := p.pool.Exec(ctx, schema); err != nil {
		return err
	}
	_, err := p.pool.CopyFrom(ctx, pgx.Identifier{"endpoint"}, []string{"domain", "id", "enabled"}, pgx.CopyFromSlice(endpoints, func(i int) ([]any, error) {
		return []any{domain, subject(i), true}, nil
	}))
	if err != nil {
		return err
	}
	return p.settle(ctx)
}

// change is an entry of the history as our store writes it: the state, the time, no reason.
func change(state byte, at time.Time) []byte {
	return append(binary.BigEndian.AppendUint64([]byte{state}, uint64(at.UnixMicro())), 0)
}

// acceptArguments are those of acceptPush.
func (p *postgres) acceptArguments(to int) []any {
	now := time.Now()
	return []any{domain, subject(to), int16(push.Normal), pushType, now, now.Add(ttl), change(accepted, now), p.payload}
}

func (p *postgres) push(ctx context.Context, to int) (delivery, error) {
	d := delivery{to: to}
	return d, p.pool.QueryRow(ctx, acceptPush, p.acceptArguments(to)...).Scan(&d.id)
}

// changeArguments are those of sendPush and deliverPush.
func changeArguments(d delivery, state byte) []any {
	now := time.Now()
	return []any{d.id, domain, subject(d.to), now, change(state, now)}
}

func (p *postgres) acknowledge(ctx context.Context, d delivery) error {
	var id int64
	return p.pool.QueryRow(ctx, deliverPush, changeArguments(d, delivered)...).Scan(&id)
}

func (p *postgres) waiting(ctx context.Context, to int) (int, error) {
	rows, err := p.pool.Query(ctx, waitingPushes, domain, subject(to), int16(push.High), int64(0), readLimit)
	if err != nil {
		return 0, err
	}
	found, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (w push.Push, err error) {
		var priority int16
		var expires time.Time
		err = row.Scan((*int64)(&w.ID), &w.Type, &priority, &w.Created, &expires, &w.Payload)
		w.Priority, w.TTL = push.Priority(priority), expires.Sub(w.Created)
		return w, err
	})
	return len(found), err
}

func (p *postgres) fill(ctx context.Context, to []int) ([]delivery, error) {
	all := make([]delivery, len(to))
	for i := range to {
		all[i].to = to[i]
	}
	return all, p.pipeline(ctx, all, acceptPush, func(d *delivery) []any { return p.acceptArguments(d.to) })
}

func (p *postgres) advance(ctx context.Context, ds []delivery, state push.State) error {
	switch state {
	case push.Sent:
		return p.pipeline(ctx, ds, sendPush, func(d *delivery) []any { return changeArguments(*d, sent) })
	case push.Delivered:
		return p.pipeline(ctx, ds, deliverPush, func(d *delivery) []any { return changeArguments(*d, delivered) })
	}
	return fmt.Errorf("nobody measures pushes that become %s", state)
}

// pipeline runs a statement that returns the push's id for all, many in one transaction.
func (p *postgres) pipeline(ctx context.Context, all []delivery, statement string, arguments func(d *delivery) []any) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(pipelines)
	err := batches(all, pipelined, func(ds []delivery) error {
		g.Go(func() error {
			var b pgx.Batch
			for i := range ds {
				b.Queue(statement, arguments(&ds[i])...).QueryRow(func(row pgx.Row) error { return row.Scan(&ds[i].id) })
			}
			return p.pool.SendBatch(ctx, &b).Close()
		})
		return ctx.Err()
	})
	if failed := g.Wait(); failed != nil {
		return failed
	}
	return err
}

// settle lets the planner know the tables, and writes what waits to be written.
func (p *postgres) settle(ctx context.Context) error {
	for _, statement := range []string{"VACUUM ANALYZE", "CHECKPOINT"} {
		if _, err := p.pool.Exec(ctx, statement); err != nil {
			return err
		}
	}
	return nil
}

func (p *postgres) count(ctx context.Context) (pushes, events int, err error) {
	err = p.pool.QueryRow(ctx, "SELECT (SELECT count(*) FROM push), (SELECT count(*) FROM outbox)").Scan(&pushes, &events)
	return pushes, events, err
}

// size is that of the tables with their indexes.
func (p *postgres) size(ctx context.Context) (n int64, err error) {
	err = p.pool.QueryRow(ctx, "SELECT pg_total_relation_size('push') + pg_total_relation_size('outbox')").Scan(&n)
	return n, err
}

func (p *postgres) forget(ctx context.Context) error {
	for _, statement := range []string{"DELETE FROM push WHERE state = 2", "DELETE FROM outbox", "VACUUM push", "VACUUM outbox"} {
		if _, err := p.pool.Exec(ctx, statement); err != nil {
			return err
		}
	}
	return nil
}
