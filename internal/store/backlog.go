package store

import (
	"context"
	"database/sql"
	"fmt"

	"signalbox/internal/events/webhook"
	"signalbox/internal/store/failure"
	"signalbox/internal/store/webhooks"
)

// Backlog is what waits for a receiver of events.
type Backlog struct {
	webhook.State
	Pending int64 // events, at most
}

// InspectBacklog looks at what waits for a receiver in the database file at path, which Locate returns, beside a server that uses it or not. It changes nothing. Where
// the receiver is not known yet it is webhook.ErrUnknown.
func InspectBacklog(ctx context.Context, path, id string) (b Backlog, err error) {
	err = onFile(ctx, path, func(db *sql.DB) error {
		r, err := webhooks.NewReader(ctx, db)
		if err != nil {
			return fmt.Errorf("read the receivers of events in %s: %w", path, failure.Of(err))
		}
		w, err := r.Webhook(ctx, id)
		if err != nil {
			return fmt.Errorf("read the receivers of events in %s: %w", path, err)
		}
		var newest int64
		if err := db.QueryRowContext(ctx, "SELECT last_event FROM meta").Scan(&newest); err != nil {
			return fmt.Errorf("read the newest event in %s: %w", path, failure.Of(err))
		}
		b = Backlog{State: w.State, Pending: max(newest-w.Cursor, 0)}
		return nil
	})
	return b, err
}
