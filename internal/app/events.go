package app

import (
	"context"
	"path/filepath"

	"signalbox/certs"
	"signalbox/internal/events"
	"signalbox/internal/telemetry"
)

// buildEvents builds what tells of what happens, and what finds out what there is to tell of certificates.
func (a *App) buildEvents(context.Context) (err error) {
	a.refusals = events.NewRefusals(a.store, a.log)
	a.certWatch = events.NewCertWatch(certEvents{a.certs}, a.store, a.log)
	a.events, err = events.NewHub(a.cfg.Events.Config, a.store, a.log, a.registry)
	return err
}

// tellStarted says that endpoints are let in from now on. That it cannot be said keeps none out.
func (a *App) tellStarted(ctx context.Context) {
	data, err := events.Encode(map[string]string{"version": a.version.Version, "domain": a.cfg.Domain})
	if err == nil {
		_, err = a.store.AddEvent(ctx, events.Notice{Type: events.ServerStarted, Data: data})
	}
	if err != nil && ctx.Err() == nil {
		a.log.Warn("the event of the start was not written", telemetry.Cause(err))
	}
}

// certEvents are the certificates of endpoints, as events tell of them.
type certEvents struct{ store *certs.Store }

// Changed implements events.Certificates.
func (c certEvents) Changed() <-chan struct{} { return c.store.Changed() }

// Certificates implements events.Certificates.
func (c certEvents) Certificates() (all []events.Certificate) {
	for _, b := range c.store.Bundles() {
		all = append(all, events.Certificate{
			File: filepath.Base(b.Path), Names: b.Names, SHA256: certs.Fingerprints(b.Certificate).SHA256, NotAfter: b.NotAfter.UTC(),
		})
	}
	return all
}
