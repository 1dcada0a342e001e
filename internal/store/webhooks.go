package store

import (
	"context"
	"encoding/json"
	"fmt"

	"signalbox/internal/events/webhook"
	"signalbox/internal/store/direct"
	"signalbox/internal/store/outbox"
)

// CreateWebhook implements webhook.Store.
func (s *Store) CreateWebhook(ctx context.Context, w webhook.Webhook) (int64, error) {
	return outcome(ctx, s, func(t *tx) (int64, error) { return t.insertWebhook(w) }, webhook.ErrTooMany)
}

// ChangeWebhook implements webhook.Store.
func (s *Store) ChangeWebhook(ctx context.Context, id string, change func(*webhook.Webhook) error) (webhook.Webhook, error) {
	type changed struct {
		webhook webhook.Webhook
		refused error
	}
	c, err := outcome(ctx, s, func(t *tx) (c changed, err error) {
		if c.webhook, err = t.webhook.Find(id); err != nil {
			return c, err
		}
		if c.refused = change(&c.webhook); c.refused != nil {
			return c, nil
		}
		return c, t.updateWebhook(c.webhook)
	}, webhook.ErrUnknown)
	if err == nil {
		err = c.refused
	}
	return c.webhook, err
}

// DeleteWebhook implements webhook.Store.
func (s *Store) DeleteWebhook(ctx context.Context, id string) error {
	return s.try(ctx, func(t *tx) error { return t.deleteWebhook(id) }, webhook.ErrUnknown)
}

// Webhook implements webhook.Store.
func (s *Store) Webhook(ctx context.Context, id string) (webhook.Webhook, error) {
	return s.reader.webhooks.Webhook(ctx, id)
}

// Webhooks implements webhook.Store.
func (s *Store) Webhooks(ctx context.Context) ([]webhook.Webhook, error) {
	return s.reader.webhooks.Webhooks(ctx)
}

// SaveWebhookProgress implements webhook.Store.
func (s *Store) SaveWebhookProgress(ctx context.Context, id string, p webhook.Progress) error {
	op := &try{step: func(t *tx) error { return t.saveProgress(id, p) }}
	return s.doSized(ctx, op, 1+len(p.Deliveries)+len(p.Aside)+len(p.Settled))
}

// WebhookDeliveries implements webhook.Store.
func (s *Store) WebhookDeliveries(ctx context.Context, id string, q webhook.DeliveryQuery) ([]webhook.Delivery, error) {
	return s.reader.webhooks.Deliveries(ctx, id, q)
}

// WebhookAside implements webhook.Store.
func (s *Store) WebhookAside(ctx context.Context, id string) ([]webhook.Aside, error) {
	return s.reader.webhooks.Aside(ctx, id)
}

// ReviveWebhookAside implements webhook.Store.
func (s *Store) ReviveWebhookAside(ctx context.Context, id string) (int, error) {
	n, err := outcome(ctx, s, func(t *tx) (int64, error) { return t.webhook.Revive(id) })
	return int(n), err
}

// readerName is the name under which a receiver is registered as one that must not miss events.
func readerName(id string) string { return "webhook " + id }

// insertWebhook stores w and returns its cursor, behind what was written before, or webhook.ErrTooMany.
func (t *tx) insertWebhook(w webhook.Webhook) (int64, error) {
	n, err := t.webhook.Count()
	if err != nil {
		return 0, err
	}
	if w.ID != webhook.Management && n >= webhook.MaxWebhooks {
		return 0, webhook.ErrTooMany
	}
	if err := t.readNumbers(); err != nil {
		return 0, err
	}
	w.Cursor = t.lastEvent
	if w.Enabled {
		if err := t.outbox.MoveReader(readerName(w.ID), w.Cursor); err != nil {
			return 0, err
		}
	}
	return w.Cursor, t.webhook.Insert(&w)
}

// updateWebhook stores w. Events are kept for those receivers alone that are enabled.
func (t *tx) updateWebhook(w webhook.Webhook) error {
	if err := t.webhook.Update(&w); err != nil {
		return err
	}
	if !w.Enabled {
		return t.outbox.ForgetReader(readerName(w.ID))
	}
	return t.outbox.MoveReader(readerName(w.ID), w.Cursor)
}

// deleteWebhook removes a receiver with all that is kept of it, or returns webhook.ErrUnknown.
func (t *tx) deleteWebhook(id string) error {
	if err := t.webhook.Delete(id); err != nil {
		return err
	}
	return t.outbox.ForgetReader(readerName(id))
}

// saveProgress stores what became of deliveries, unless the receiver was deleted meanwhile.
func (t *tx) saveProgress(id string, p webhook.Progress) error {
	if _, err := t.webhook.Find(id); err != nil {
		return expected(new(error), err, webhook.ErrUnknown)
	}
	if err := t.webhook.SaveProgress(id, &p); err != nil || p.State == nil {
		return err
	}
	read, err := t.webhook.SaveState(id, p.State, p.Disable)
	switch {
	case err != nil:
		return err
	case !p.Disable:
		return t.outbox.MoveReader(readerName(id), read)
	}
	if err := t.outbox.ForgetReader(readerName(id)); err != nil {
		return err
	}
	return t.disabledEvent(id, p.State)
}

// disabledEvent tells the others that a receiver gets nothing any more.
func (t *tx) disabledEvent(id string, s *webhook.State) error {
	data, err := json.Marshal(map[string]string{"webhook": id, "code": s.Fault.Code, "reason": s.Disabled})
	if err != nil {
		return fmt.Errorf("encode event: %w", err)
	}
	return t.insertEvent(outbox.Event{At: direct.Micros(t.now), Kind: outbox.WebhookDisabled, Data: string(data)})
}
