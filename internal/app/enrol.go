package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"path/filepath"
	"time"

	"signalbox/internal/access/enrolment"
	"signalbox/internal/audit"
	"signalbox/internal/identity"
)

// identityFile is the key by which this server is known, in data_dir.
const identityFile = "identity.key"

// loadIdentity reads the server's key, or makes it at the first start. Another key than the one that the state knows is a lost file: endpoints that enrolled would take this
// server for a stranger, so it does not start with it.
func (a *App) loadIdentity(ctx context.Context) error {
	path := filepath.Join(a.cfg.DataDir, identityFile)
	known, err := a.store.Identity(ctx)
	if err != nil {
		return fmt.Errorf("read which identity key the state was kept with: %w", err)
	}
	load := identity.LoadOrCreate
	if known != "" && !a.cfg.Enrolment.NewIdentity {
		load = identity.Load
	}
	a.identity, err = load(path)
	a.identityKnown = a.identity.Public().String() == known
	if errors.Is(err, fs.ErrNotExist) || err == nil && !a.identityKnown && known != "" && !a.cfg.Enrolment.NewIdentity {
		return fmt.Errorf("%w: %s does not hold the key that this server had: restore the file from a backup; if it is lost, set enrolment.new_identity for one start, and enrol all endpoints anew",
			ErrConfig, path)
	}
	return err
}

// keepIdentity has the key noted with the state. The store must run.
func (a *App) keepIdentity(ctx context.Context) error {
	if a.identityKnown {
		return nil
	}
	if err := a.store.KeepIdentity(ctx, a.identity.Public().String()); err != nil {
		return fmt.Errorf("note the identity key with the state: %w", err)
	}
	return nil
}

// buildEnrolment builds what makes enrolment tokens and enrols endpoints.
func (a *App) buildEnrolment() {
	a.enrolments = enrolment.New(enrolment.Deps{
		Domain: a.cfg.Domain, Key: a.identity, Store: a.store, Sessions: a.endpoint, Audit: enrolmentAudit{a.audit, a.cfg.Domain}, Now: time.Now, Log: a.log,
	})
	a.enrol = enrolment.NewHandler(a.enrolments, a.enrolmentAddresses, a.registry)
}

// enrolmentAddresses is where endpoints that enrol find this server: as configured, else our domain with the ports of the listeners.
func (a *App) enrolmentAddresses() []string {
	if len(a.cfg.Enrolment.Addresses) > 0 {
		return a.cfg.Enrolment.Addresses
	}
	all := []string{}
	bound := a.Addrs()
	for _, name := range []string{"tls", "xmpp"} {
		if addrs := bound[name]; len(addrs) > 0 {
			if _, port, err := net.SplitHostPort(addrs[0]); err == nil {
				all = append(all, net.JoinHostPort(a.cfg.Domain, port))
			}
		}
	}
	return all
}

// enrolmentAudit has the audit trail tell of enrolments.
type enrolmentAudit struct {
	log    *audit.Log
	domain string
}

// Record implements enrolment.Audit. What goes wrong is in the log of the trail; the enrolment stands.
func (e enrolmentAudit) Record(ctx context.Context, entry enrolment.Entry) {
	detail, err := json.Marshal(entry.Detail)
	if err != nil || entry.Detail == nil {
		detail = nil
	}
	kind := "enrolment"
	switch entry.Action {
	case enrolment.ActionCreated, enrolment.ActionRevoked:
		kind = "token"
	case enrolment.ActionRefused:
		if entry.Actor == "" {
			kind, entry.Actor = "stranger", entry.Detail["from"]
		}
	}
	_ = e.log.Record(ctx, audit.Entry{Domain: e.domain, Actor: kind + ":" + entry.Actor, Action: entry.Action, Subject: entry.Subject, Detail: detail})
}
