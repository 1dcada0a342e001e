package xmpp

import "signalbox/xmpp/transport"

func newRate(cfg Config) transport.Rate { return transport.NewRate(cfg.StanzasPerSec, cfg.BytesPerSec) }

// loginRate is what a stranger may send: a login has a dozen elements.
func loginRate(cfg Config) transport.Rate {
	return transport.NewRate(min(10, cfg.StanzasPerSec), min(cfg.MaxLoginBytes, cfg.BytesPerSec))
}
