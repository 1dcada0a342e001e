package store

import (
	"context"
	"net/netip"
	"time"

	"signalbox/internal/endpoint"
	"signalbox/internal/events"
	"signalbox/internal/push"
)

// EndpointEvents returns up to limit events of an endpoint that are not about a push and happened until a time, the newest first; none of one that is not known.
func (s *Store) EndpointEvents(ctx context.Context, k endpoint.Key, until time.Time, limit int) ([]events.Event, error) {
	return s.reader.outbox.OfEndpoint(ctx, k, until, limit)
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
