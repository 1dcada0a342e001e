package settings

import (
	"fmt"
	"net/url"
	"strings"
)

// validateWebSocket names the mistakes in the addresses of WebSockets (RFC 7395).
func (c Config) validateWebSocket() (errs []error) {
	for i, o := range c.WebSocketOrigins {
		u, err := url.Parse(o)
		if err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") || !strings.EqualFold(o, u.Scheme+"://"+u.Host) {
			errs = append(errs, fmt.Errorf("websocket_origins[%d]: %q is no origin such as https://console.example.com or https://console.example.com:8443", i, o))
		}
	}
	if c.WebSocketURL == "" {
		return errs
	}
	u, err := url.Parse(c.WebSocketURL)
	if err != nil || u.Scheme != "wss" || u.Hostname() == "" || u.User != nil || u.Fragment != "" {
		errs = append(errs, fmt.Errorf("websocket_url: %q is not an address such as wss://xmpp.example.com/xmpp-websocket", c.WebSocketURL))
	}
	return errs
}
