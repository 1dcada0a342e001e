package app

import (
	"context"

	"signalbox/internal/events"
)

// buildEvents builds what hands on what happens.
func (a *App) buildEvents(context.Context) (err error) {
	a.events, err = events.NewHub(a.cfg.Events.Config, a.store, a.log, a.registry)
	return err
}
