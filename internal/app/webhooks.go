package app

import (
	"context"
	"fmt"
	"time"

	"signalbox/internal/api"
	"signalbox/internal/events/webhook"
)

// buildWebhooks builds what hands events to the management server and to webhooks.
func (a *App) buildWebhooks() (err error) {
	a.webhooks, err = webhook.New(a.cfg.Events.Webhooks, webhook.Deps{
		Store: a.store, Outbox: a.store, Wake: a.store.WatchEvents(), Listeners: a.Addrs, DataDir: a.cfg.DataDir,
	}, a.log, a.registry)
	if err != nil {
		return fmt.Errorf("%w: events: %w", ErrConfig, err)
	}
	return nil
}

// sendEvents hands events to their receivers once what is stored is true: a receiver that is told of a start reads presence at once.
func (a *App) sendEvents(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case <-a.recovered:
		return a.webhooks.Run(ctx)
	}
}

// healthTimeout bounds how long the readiness waits to hear of the management server.
const healthTimeout = time.Second

// management tells whether the management server gets its events. It is no condition of readiness: endpoints are served without it, and events wait.
func (h health) management(ctx context.Context) []api.Check {
	if h.app.cfg.Events.Host == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, healthTimeout)
	defer cancel()
	check := api.Check{Name: "management", OK: true}
	all, err := h.app.webhooks.Troubles(ctx)
	if err != nil {
		check.Reason = "it is not known whether the management server gets its events: " + err.Error()
	}
	for _, t := range all {
		if t.Webhook == webhook.Management {
			check.Reason = t.Sentence()
		}
	}
	return []api.Check{check}
}
