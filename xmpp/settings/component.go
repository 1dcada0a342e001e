package settings

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"signalbox/internal/link"
	"signalbox/xmpp/component"
)

// componentFactor is how much more than one endpoint a component may send: it speaks for many.
const componentFactor = 10

// CheckComponents names the mistakes in what belongs to components: their names below the server's domain, and the addresses of listen.component, where without
// component_ca secrets cross the wire in a form that can be replayed against a weak one.
func (c Config) CheckComponents(domain string, addrs []string) error {
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(c.Components)) {
		if _, err := component.FullName(name, domain); err != nil {
			errs = append(errs, fmt.Errorf("components.%s: %w", name, err))
		}
		if c.Components[name] == "" {
			errs = append(errs, fmt.Errorf("components.%s: has no file with its secret", name))
		}
	}
	if len(c.Components) == 0 && len(addrs) > 0 {
		errs = append(errs, errors.New("components: names none, but listen.component opens a port for them"))
	}
	for _, addr := range addrs {
		if c.ComponentCA == "" && link.CheckLoopback(addr) != nil {
			errs = append(errs, fmt.Errorf("component_ca: must be set for listen.component %s, which is not a loopback address such as 127.0.0.1:5347", addr))
		}
	}
	return errors.Join(errs...)
}

// ComponentLimits are those of endpoints, but for the rate.
func (c Config) ComponentLimits() component.Limits {
	return component.Limits{
		Login: c.LoginLimits(), Stanza: c.StanzaLimits(), Transport: c.Transport(),
		LoginStanzas: 1, LoginBytes: c.MaxLoginBytes,
		StanzasPerSec: componentFactor * c.StanzasPerSec, BytesPerSec: componentFactor * c.BytesPerSec,
		LoginTimeout: c.LoginTimeout, StanzaTimeout: c.StanzaTimeout, Shutdown: c.ShutdownTimeout,
	}
}
