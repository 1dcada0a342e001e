package app

import (
	"fmt"

	"signalbox/certs"
	"signalbox/internal/listen"
	"signalbox/xmpp/component"
)

// buildComponents builds what speaks with the programs that serve domains beside ours.
func (a *App) buildComponents() error {
	cfg := a.cfg.XMPP
	secrets, err := component.LoadSecrets(cfg.Components, a.cfg.Domain)
	if err != nil {
		return fmt.Errorf("%w: xmpp.components: %w", ErrConfig, err)
	}
	if cfg.ComponentCA != "" {
		authorities, err := certs.NewClientCA(cfg.ComponentCA)
		if err != nil {
			return fmt.Errorf("%w: xmpp.component_ca: %w", ErrConfig, err)
		}
		a.listen.DemandComponentCertificates(authorities)
	}
	a.components = component.New(a.cfg.Domain, secrets, cfg.ComponentLimits(), a.log, a.registry)
	a.listen.Register(listen.Component, a.components)
	return nil
}
