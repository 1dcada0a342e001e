package endpoint

import (
	"context"
	"fmt"
	"time"

	"go.uber.org/zap"

	"signalbox/internal/telemetry"
)

// tellPeriod is between two looks for presences that events have to tell of.
const tellPeriod = time.Second

// Recover makes the stored presences true after a start: nobody is online. Endpoints have the grace to come back before events tell of it.
func (r *Registry) Recover(ctx context.Context) error {
	now := time.Now()
	if err := r.store.EndPresences(ctx, ReasonRestarted, now, now.Add(r.cfg.OfflineGrace)); err != nil {
		return fmt.Errorf("end presences of the last run: %w", err)
	}
	r.recovered.Store(true)
	return nil
}

// Run writes the events of presences when their time has come and forgets what is over, until ctx is done. It writes nothing before Recover has succeeded. An event that
// cannot be written is tried again; log gets one line for all tries.
func (r *Registry) Run(ctx context.Context, log *zap.Logger) error {
	ticks, sweeps := time.NewTicker(tellPeriod), time.NewTicker(habitsSweep)
	defer ticks.Stop()
	defer sweeps.Stop()
	for failing := false; ; {
		select {
		case <-ctx.Done():
			return nil
		case <-sweeps.C:
			r.forgetHabits()
		case <-ticks.C:
			if !r.recovered.Load() {
				continue
			}
			err := r.store.TellPresences(ctx, clock())
			if err != nil && !failing && ctx.Err() == nil {
				log.Warn("events of presences cannot be written; they are tried again", telemetry.Cause(err))
			}
			failing = err != nil
		}
	}
}
