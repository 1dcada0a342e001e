package webhooks

import (
	"context"
	"database/sql"

	"signalbox/internal/events/webhook"
	"signalbox/internal/store/direct"
	"signalbox/internal/store/query"
)

// Reader reads on connections that see what is committed. All methods may be called concurrently.
type Reader struct {
	find, list, deliveries, aside *sql.Stmt
}

// NewReader prepares the queries.
func NewReader(ctx context.Context, db *sql.DB) (*Reader, error) {
	r := &Reader{}
	return r, query.Prepare(ctx, db, map[string]**sql.Stmt{
		selectWebhook + " WHERE id = ?": &r.find, selectWebhook + " ORDER BY id": &r.list, queryDeliveries: &r.deliveries, queryAside: &r.aside,
	})
}

// Webhook returns one, or webhook.ErrUnknown.
func (r *Reader) Webhook(ctx context.Context, id string) (webhook.Webhook, error) {
	return query.One(ctx, r.find, webhookColumns, webhookOf, webhook.ErrUnknown, id)
}

// Webhooks returns all, in the order of their ids.
func (r *Reader) Webhooks(ctx context.Context) ([]webhook.Webhook, error) {
	return query.List(ctx, r.list, webhookColumns, webhookOf)
}

// Deliveries returns attempts, the newest first.
func (r *Reader) Deliveries(ctx context.Context, id string, q webhook.DeliveryQuery) ([]webhook.Delivery, error) {
	return query.List(ctx, r.deliveries, deliveryColumns, deliveryOf, id, direct.Flag(q.Failed), q.Before, q.Limit)
}

// Aside returns what is set aside, in the order of the events.
func (r *Reader) Aside(ctx context.Context, id string) ([]webhook.Aside, error) {
	return query.List(ctx, r.aside, asideColumns, asideOf, id)
}
