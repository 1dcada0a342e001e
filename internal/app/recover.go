package app

import (
	"context"
	"errors"
	"fmt"
	"time"

	"signalbox/internal/push"
	"signalbox/internal/telemetry"
	"signalbox/xmpp/kept"
)

// recover makes what is stored true again after the last run, and its sessions resumable. It waits for a disk that is full or busy: the server stays up and says so.
func (a *App) recover(ctx context.Context) error {
	sessions := a.loadSessions()
	defer func() { a.xmpp.Restore(sessions) }() // also where the server stops before all is mended: then they are kept again
	again := time.NewTicker(time.Second)
	defer again.Stop()
	for {
		err := a.tryRecover(ctx, sessions)
		if !errors.Is(err, push.ErrNoSpace) && !errors.Is(err, push.ErrBusy) {
			return err
		}
		a.log.Error("the state of the last run cannot be mended yet", telemetry.Cause(err))
		select {
		case <-again.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// loadSessions returns those of the last run. Without them all goes on as after a crash.
func (a *App) loadSessions() []kept.Session {
	all, err := a.shelf().Load()
	if err != nil {
		a.log.Warn("the sessions of the last run cannot be resumed; their endpoints log in again", telemetry.Cause(err))
		return nil
	}
	ours, now, fresh := kept.Of(a.cfg.Domain, all), time.Now(), 0
	for i := range ours {
		if ours[i].Fresh(now) {
			fresh++
		}
	}
	if len(all) > 0 {
		a.log.Info("sessions of the last run can be resumed", telemetry.Count(fresh), telemetry.Dropped(len(all)-fresh))
	}
	return ours
}

func (a *App) tryRecover(ctx context.Context, sessions []kept.Session) error {
	if err := a.endpoint.Recover(ctx); err != nil {
		return err
	}
	if err := a.pushes.Recover(ctx, kept.Carried(sessions, time.Now())); err != nil {
		return fmt.Errorf("recover pushes of the last run: %w", err)
	}
	if a.accounts != nil {
		return a.accounts.Load(ctx)
	}
	return nil
}
