package store

import (
	"context"
	"database/sql/driver"
	"net/netip"
	"time"

	"signalbox/internal/endpoint"
	"signalbox/internal/events"
	"signalbox/internal/push"
	"signalbox/internal/store/direct"
	"signalbox/internal/store/failure"
	"signalbox/internal/store/query"
)

const (
	queryEndpointEvents = "SELECT seq, at, kind, data FROM outbox INDEXED BY outbox_endpoint WHERE ep = " + numOf + " AND push IS NULL AND at <= ?3 ORDER BY seq DESC LIMIT ?4"

	queryAhead = "SELECT count(*) FROM push WHERE ep = " + numOf + " AND place < 3 AND (place, id) < (?3, ?4)"

	queryLastSeen = "SELECT e.domain, e.id, p.remote_addr FROM presence p JOIN endpoint e ON e.num = p.ep WHERE p.remote_addr <> '' ORDER BY p.last_heard DESC LIMIT ?1"
)

// EndpointEvents returns up to limit events of an endpoint that are not about a push and happened until a time, the newest first; none of one that is not known.
func (s *Store) EndpointEvents(ctx context.Context, k endpoint.Key, until time.Time, limit int) ([]events.Event, error) {
	return query.List(ctx, s.reader.ofEndpoint, 4, func(row []driver.Value) (events.Event, error) {
		e, err := eventOf([]driver.Value{row[0], row[1], row[2], k.Domain, k.ID, nil, row[3], nil, nil, nil})
		return e, err
	}, k.Domain, k.ID, direct.Micros(until), limit)
}

// PushesCreated returns up to limit pushes of an endpoint that were accepted until a time, the newest first.
func (s *Store) PushesCreated(ctx context.Context, k endpoint.Key, until time.Time, limit int) ([]push.Status, error) {
	before := push.ID(0) // ids may be ahead of the clock
	if until.Before(time.Now()) {
		before = idAt(until.Add(time.Millisecond))
	}
	return s.Pushes(ctx, k, "", before, limit)
}

// PushesAhead returns how many pushes wait for an endpoint and go out before one with this priority and id.
func (s *Store) PushesAhead(ctx context.Context, k endpoint.Key, p push.Priority, id push.ID) (n int, err error) {
	err = s.reader.ahead.QueryRowContext(ctx, k.Domain, k.ID, int64(p), int64(id)).Scan(&n)
	return n, failure.Of(err)
}

// LastSeen tells where endpoints were last seen, the newest first, at most limit.
func (s *Store) LastSeen(ctx context.Context, limit int, tell func(k endpoint.Key, from netip.AddrPort)) error {
	return query.Each(ctx, s.reader.lastSeen, 3, func(row []driver.Value) error {
		if from, err := netip.ParseAddrPort(direct.Text(row[2])); err == nil {
			tell(endpoint.Key{Domain: direct.Text(row[0]), ID: direct.Text(row[1])}, from)
		}
		return nil
	}, limit)
}
