package store

import (
	"context"

	"signalbox/internal/events/webhook"
	"signalbox/internal/store/direct"
	"signalbox/internal/store/query"
)

// CreateWebhook implements webhook.Store.
func (s *Store) CreateWebhook(ctx context.Context, w webhook.Webhook) (cursor int64, err error) {
	err = s.try(ctx, func(t *tx) (err error) {
		cursor, err = t.insertWebhook(w)
		return err
	}, webhook.ErrTooMany)
	return cursor, err
}

// ChangeWebhook implements webhook.Store.
func (s *Store) ChangeWebhook(ctx context.Context, id string, change func(*webhook.Webhook) error) (webhook.Webhook, error) {
	var w webhook.Webhook
	var refused error
	err := s.try(ctx, func(t *tx) (err error) {
		if w, err = t.findWebhook(id); err != nil {
			return err
		}
		if refused = change(&w); refused != nil {
			return nil
		}
		return t.updateWebhook(w)
	}, webhook.ErrUnknown)
	if err == nil {
		err = refused
	}
	return w, err
}

// DeleteWebhook implements webhook.Store.
func (s *Store) DeleteWebhook(ctx context.Context, id string) error {
	return s.try(ctx, func(t *tx) error { return t.deleteWebhook(id) }, webhook.ErrUnknown)
}

// Webhook implements webhook.Store.
func (s *Store) Webhook(ctx context.Context, id string) (webhook.Webhook, error) {
	return query.One(ctx, s.reader.findWebhook, webhookColumns, webhookOf, webhook.ErrUnknown, id)
}

// Webhooks implements webhook.Store.
func (s *Store) Webhooks(ctx context.Context) ([]webhook.Webhook, error) {
	return query.List(ctx, s.reader.listWebhooks, webhookColumns, webhookOf)
}

// SaveWebhookProgress implements webhook.Store.
func (s *Store) SaveWebhookProgress(ctx context.Context, id string, p webhook.Progress) error {
	op := &try{step: func(t *tx) error { return t.saveProgress(id, p) }}
	return s.doSized(ctx, op, 1+len(p.Deliveries)+len(p.Aside)+len(p.Settled))
}

// WebhookDeliveries implements webhook.Store.
func (s *Store) WebhookDeliveries(ctx context.Context, id string, q webhook.DeliveryQuery) ([]webhook.Delivery, error) {
	return query.List(ctx, s.reader.listDeliveries, deliveryColumns, deliveryOf, id, direct.Flag(q.Failed), q.Before, q.Limit)
}

// WebhookAside implements webhook.Store.
func (s *Store) WebhookAside(ctx context.Context, id string) ([]webhook.Aside, error) {
	return query.List(ctx, s.reader.listAside, asideColumns, asideOf, id)
}

// ReviveWebhookAside implements webhook.Store.
func (s *Store) ReviveWebhookAside(ctx context.Context, id string) (n int, err error) {
	err = s.try(ctx, func(t *tx) error {
		changed, err := t.webhook.revive.Exec(id)
		n = int(changed)
		return err
	})
	return n, err
}
