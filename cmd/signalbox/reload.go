package main

import (
	"context"
	"os"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"signalbox/internal/config"
	"signalbox/internal/notify"
	"signalbox/internal/telemetry"
)

// reloader puts in force what can change without a restart.
type reloader struct {
	settings settings
	running  config.Config // what the server was started with
	log      *zap.Logger
	level    zap.AtomicLevel
	certs    func(context.Context) error
	manager  *notify.Manager
}

// run reloads at each hang-up until ctx ends.
func (r *reloader) run(ctx context.Context, hangups <-chan os.Signal) {
	for {
		select {
		case <-hangups:
			r.manager.Reload(func() { r.reload(ctx) })
		case <-ctx.Done():
			return
		}
	}
}

// reload reads everything again. What is bad leaves what it would replace as it is.
func (r *reloader) reload(ctx context.Context) {
	if err := r.certs(ctx); err != nil {
		r.log.Warn("certificates were read again and are not all good", telemetry.Cause(err))
	}
	cfg, _, err := r.settings.load()
	if err != nil {
		r.log.Warn("the configuration was read again and stays as it was", telemetry.Cause(err))
		return
	}
	if level, err := zapcore.ParseLevel(cfg.Log.Level); err == nil { // it is valid
		r.level.SetLevel(level)
	}
	for _, path := range config.Changed(r.running, cfg) {
		if path != "log.level" {
			r.log.Warn("changed in the configuration, needs a restart", telemetry.Key(path))
		}
	}
	r.log.Info("reloaded")
}
