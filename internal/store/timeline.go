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
	"signalbox/internal/store/endpoints"
	"signalbox/internal/store/query"
)

const (
	queryEndpointEvents = "SELECT seq, at, kind, data FROM outbox INDEXED BY outbox_endpoint WHERE ep = " + endpoints.NumOf + " AND push IS NULL AND at <= ?3 ORDER BY seq DESC LIMIT ?4"
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
	return s.reader.pushes.Ahead(ctx, k, p, id)
}

// LastSeen tells where endpoints were last seen, the newest first, at most limit.
func (s *Store) LastSeen(ctx context.Context, limit int, tell func(k endpoint.Key, from netip.AddrPort)) error {
	return s.reader.endpoints.LastSeen(ctx, limit, tell)
}
