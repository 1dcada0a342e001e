package app

import (
	"context"
)

// tellPresences writes the events of endpoints that did not come back in time.
func (a *App) tellPresences(ctx context.Context) error {
	return a.endpoint.Run(ctx, a.log.Named("endpoint"))
}
