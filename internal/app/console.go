package app

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"time"

	"signalbox/internal/access/technician"
	"signalbox/internal/api"
	"signalbox/internal/audit"
	"signalbox/internal/console"
	"signalbox/internal/endpoint"
	"signalbox/internal/remote"
	"signalbox/internal/signalling"
)

// buildConsole builds the accounts of technicians, and the console if it shall be there.
func (a *App) buildConsole() (err error) {
	a.technicians = technician.NewService(a.cfg.Console.Config, a.cfg.Domain, a.store, technicianAudit{a.audit, a.cfg.Domain}, a.log, a.registry, time.Now)
	a.technicians.OnGone(func(t technician.Technician) { a.remote.TechnicianDisabled(t.Domain, t.ID) })
	if !a.cfg.Console.Enabled {
		return nil
	}
	a.console, err = console.New(console.Deps{
		Domain: a.cfg.Domain, Version: a.version.Version, Technicians: a.technicians, Endpoints: endpoint.NewDirectory(a.store, a.endpoint), Registry: a.endpoint,
		Events: a.events, Why: a.why, Diagnosis: api.ShowDiagnosis, Sessions: a.remote, Seats: seats{a.remote}, Base: a.consoleURL, Files: console.Pages(),
	}, a.log, a.registry)
	if err != nil {
		return err
	}
	a.endpoint.Watch(a.console.Watcher())
	return nil
}

// consoleURL is where technicians find the console: as configured, else where HTTP on the shared port is found.
func (a *App) consoleURL() string {
	if a.cfg.Console.URL != "" {
		return a.cfg.Console.URL
	}
	return a.webURL()
}

// tellPages tells open pages of the console what changes.
func (a *App) tellPages(ctx context.Context) error {
	if a.console != nil {
		return a.console.Run(ctx)
	}
	<-ctx.Done()
	return nil
}

// technicianAudit is technician.Audit.
type technicianAudit struct {
	log    *audit.Log
	domain string
}

// Record implements technician.Audit.
func (t technicianAudit) Record(ctx context.Context, e technician.Entry) error {
	detail, err := json.Marshal(e.Detail)
	if err != nil {
		return fmt.Errorf("encode audit entry: %w", err)
	}
	if e.Detail == nil {
		detail = nil
	}
	return t.log.Record(ctx, audit.Entry{Domain: t.domain, Actor: e.Actor, Action: e.Action, Subject: e.Subject, Detail: detail})
}

// seats is console.Seats.
type seats struct{ broker *remote.Service }

// Attach implements console.Seats.
func (s seats) Attach(ctx context.Context, a signalling.Attach, from netip.Addr, send func(signalling.Message) bool, closed func(string)) (console.Seat, error) {
	t, err := s.broker.Attach(ctx, a, from, send, closed)
	if err != nil {
		return nil, err
	}
	return t, nil
}

// Refused implements console.Seats.
func (s seats) Refused(from netip.Addr, code signalling.Code) { s.broker.RefusedStranger(from, code) }
