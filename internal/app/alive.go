package app

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// Ready is closed when the server has announced where it listens, and takes endpoints as far as its certificates let it.
func (a *App) Ready() <-chan struct{} { return a.announced }

// Alive returns nil when the store's writer has answered, which may take until ctx is done, and each open port has somebody who accepts.
func (a *App) Alive(ctx context.Context) error {
	return errors.Join(a.listen.Alive(), a.store.Pulse(ctx))
}

// Status is a line on how the server is: how many streams it has, or why it is not ready.
func (a *App) Status(ctx context.Context) string {
	var why []string
	for _, c := range (health{a}).Checks(ctx) {
		if !c.OK {
			why = append(why, c.Name+": "+c.Reason)
		}
	}
	if len(why) > 0 {
		return fmt.Sprintf("not ready: %s; streams: %d", strings.Join(why, "; "), a.xmpp.Streams())
	}
	return fmt.Sprintf("ready; streams: %d", a.xmpp.Streams())
}
