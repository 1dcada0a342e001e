package webhook

import (
	"context"

	"signalbox/internal/events"
)

// Progress is what a receiver's deliveries came to since they were stored last.
type Progress struct {
	State      *State     // nil: it stays
	Disable    bool       // with State, which says why
	Deliveries []Delivery // for the log; their ids are given out when they are stored
	Aside      []Aside    // new or changed
	Settled    []int64    // numbers of those set aside that need no attempt any more
}

// DeliveryQuery selects deliveries, the newest first.
type DeliveryQuery struct {
	Before int64 // only those with a smaller id; 0: from the newest
	Limit  int   // 1..1000
	Failed bool  // only those that failed
}

// Store is durable storage of webhooks. All methods may be called concurrently; those that write have written when they return nil.
type Store interface {
	// CreateWebhook stores w, whose cursor it sets behind the newest event and returns, or returns ErrTooMany.
	CreateWebhook(ctx context.Context, w Webhook) (cursor int64, err error)
	// ChangeWebhook applies change to the stored webhook, cursor and state included, and returns what is stored then; ErrUnknown, or the error of change. It may call
	// change more than once.
	ChangeWebhook(ctx context.Context, id string, change func(*Webhook) error) (Webhook, error)
	// DeleteWebhook removes a webhook with its log, or returns ErrUnknown.
	DeleteWebhook(ctx context.Context, id string) error
	// Webhook returns one webhook, or ErrUnknown.
	Webhook(ctx context.Context, id string) (Webhook, error)
	// Webhooks returns all webhooks in the order of their ids.
	Webhooks(ctx context.Context) ([]Webhook, error)
	// SaveWebhookProgress stores p; of a webhook that was deleted meanwhile nothing. With p.Disable it is disabled, and that is an event.
	SaveWebhookProgress(ctx context.Context, id string, p Progress) error
	// WebhookDeliveries returns the log of a webhook, which is bounded: what is oldest in it goes.
	WebhookDeliveries(ctx context.Context, id string, q DeliveryQuery) ([]Delivery, error)
	// WebhookAside returns what a webhook has set aside, in the order of the numbers.
	WebhookAside(ctx context.Context, id string) ([]Aside, error)
	// ReviveWebhookAside has what was given up of a webhook tried again, and returns how much that is.
	ReviveWebhookAside(ctx context.Context, id string) (int, error)
}

// Outbox is what this package needs of the outbox of events; events.Store fulfils it.
type Outbox interface {
	ReadEvents(ctx context.Context, after int64, limit int) ([]events.Event, error)
	EventBounds(ctx context.Context) (events.Bounds, error)
}
