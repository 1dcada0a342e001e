package store

import (
	"context"
	"database/sql"
	"errors"
	"testing"
	"time"

	"signalbox/internal/endpoint"
	"signalbox/internal/push"
)

// TestListsHaveConnectionsOfTheirOwn checks that slow lists hold up neither logins nor deliveries, and the other way round.
func TestListsHaveConnectionsOfTheirOwn(t *testing.T) {
	s := running(t)
	k := addEndpoint(t, s, "pc-1")
	mustAccept(t, s, k, 1)
	type read func(context.Context) error
	pushes := func(ctx context.Context) error { _, err := s.Pushes(ctx, k, push.Accepted, 0, 10); return err }
	endpoints := func(ctx context.Context) error {
		_, err := s.Endpoints(ctx, endpoint.Query{Domain: k.Domain, Limit: 10})
		return err
	}
	secret := func(ctx context.Context) error { _, _, err := s.EndpointSecret(ctx, k); return err }
	waiting := func(ctx context.Context) error { _, err := s.WaitingPushes(ctx, k, push.Cursor{}, 10); return err }
	lists, others := []read{pushes, endpoints}, []read{secret, waiting}
	for _, test := range []struct {
		name          string
		pool          *sql.DB
		blocked, free []read
	}{{"lists", s.reader.lists, lists, others}, {"others", s.reader.db, others, lists}} {
		t.Run(test.name, func(t *testing.T) {
			for range test.pool.Stats().MaxOpenConnections {
				c, err := test.pool.Conn(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				defer c.Close()
			}
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
			defer cancel()
			for i, f := range test.blocked {
				if err := f(ctx); !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("read %d = %v, want it to wait for a connection", i, err)
				}
			}
			for i, f := range test.free {
				if err := f(t.Context()); err != nil {
					t.Errorf("read %d of the others = %v", i, err)
				}
			}
		})
	}
}
