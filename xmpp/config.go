package xmpp

import "signalbox/xmpp/settings"

// Config is the section xmpp of the configuration.
type Config = settings.Config

// Who may write to whom, see settings.Config.Routing.
const (
	RoutingManaged = settings.RoutingManaged
	RoutingOpen    = settings.RoutingOpen
)

// Default returns the configuration that suits managed endpoints.
func Default() Config { return settings.Default() }
