package app

import (
	"context"
	"path/filepath"
	"runtime"
	"slices"

	"signalbox/certs"
	"signalbox/internal/api"
)

// Version says which program runs.
type Version struct {
	Version string // release, "devel" without one
	Commit  string
}

func (v Version) api() api.Version {
	return api.Version{Version: v.Version, Commit: v.Commit, Go: runtime.Version(), OS: runtime.GOOS, Arch: runtime.GOARCH}
}

// health answers /readyz.
type health struct{ app *App }

// Checks implements api.Health.
func (h health) Checks(ctx context.Context) []api.Check {
	return slices.Concat(h.conditions(ctx), h.turn(), h.management(ctx), h.laboratory())
}

// conditions are the checks without which the server is not ready; the others only tell.
func (h health) conditions(ctx context.Context) []api.Check {
	serving := api.Check{Name: "certificate", OK: true}
	if ok, why := h.app.certs.Serving(); !ok {
		serving = api.Check{Name: "certificate", Reason: why.Error()}
	}
	store := api.Check{Name: "store", OK: true}
	if err := h.app.store.Ready(ctx); err != nil {
		store = api.Check{Name: "store", Reason: err.Error()}
	}
	running := api.Check{Name: "running", OK: h.app.recovery.Load() && !h.app.stopping.Load()}
	switch {
	case h.app.stopping.Load():
		running.Reason = "the server is stopping"
	case !running.OK:
		running.Reason = "the state of the last run is being mended; wait"
	}
	return []api.Check{running, h.app.drainer.check(), serving, store}
}

// bundles answers /v1/certs.
type bundles struct{ store *certs.Store }

// Certificates implements api.Certs.
func (b bundles) Certificates() []api.Certificate {
	report := b.store.Report()
	list := make([]api.Certificate, 0, len(report.Files))
	byPath := map[string]*certs.Bundle{}
	for _, bundle := range b.store.Bundles() {
		byPath[bundle.Path] = bundle
	}
	for _, f := range report.Files {
		c := api.Certificate{File: filepath.Base(f.Path), Names: f.Names, NotBefore: f.NotBefore, NotAfter: f.NotAfter}
		if bundle := byPath[f.Path]; bundle != nil {
			prints := certs.Fingerprints(bundle.Certificate)
			c.Issuer, c.SHA1, c.SHA256, c.Serving = bundle.Certificate.Issuer.String(), prints.SHA1, prints.SHA256, true
		}
		for _, p := range slices.Concat(f.Problems, f.Warnings) {
			c.Problems = append(c.Problems, p.Error())
		}
		list = append(list, c)
	}
	return list
}
