package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"

	"signalbox/internal/events/webhook"
	"signalbox/internal/store/failure"
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
		var rows [webhookColumns]any
		dest := make([]any, webhookColumns)
		for i := range rows {
			dest[i] = &rows[i]
		}
		err := db.QueryRowContext(ctx, selectWebhook+" WHERE id = ?", id).Scan(dest...)
		if errors.Is(err, sql.ErrNoRows) {
			return webhook.ErrUnknown
		}
		if err != nil {
			return fmt.Errorf("read the receivers of events in %s: %w", path, failure.Of(err))
		}
		row := make([]driver.Value, webhookColumns)
		for i, v := range rows {
			row[i] = v
		}
		w, err := webhookOf(row)
		if err != nil {
			return err
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
