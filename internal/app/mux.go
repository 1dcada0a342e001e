package app

import (
	"net"
	"net/http"
	"strings"

	"signalbox/internal/console"
	"signalbox/internal/identity"
	"signalbox/internal/upload"
	"signalbox/relay"
	"signalbox/xmpp/websocket"
)

// mux is everything that is served on the shared port by HTTP (SPEC section 3). The API, its compatible paths and the metrics are not.
func (a *App) mux() *http.ServeMux {
	url := a.websocketURL()
	mux := http.NewServeMux()
	mux.Handle("GET "+websocket.Path, a.websocket)
	mux.Handle("GET "+websocket.HostMetaPath, websocket.HostMeta(url))
	mux.Handle("GET "+websocket.HostMetaJSONPath, websocket.HostMetaJSON(url))
	mux.Handle("POST "+identity.EnrolPath, a.enrol)
	mux.Handle("GET "+relay.Path, a.relays)
	if a.uploads != nil {
		mux.Handle(upload.Path, a.uploads)
	}
	if a.console != nil {
		for _, pattern := range []string{"/{$}", "/console", console.Path} {
			mux.Handle(pattern, a.console)
		}
	}
	return mux
}

// uploadBase is where clients put and get files: as configured, else where they find the WebSocket.
func (a *App) uploadBase() string {
	if a.cfg.Upload.URL != "" {
		return a.cfg.Upload.URL
	}
	host, _, _ := strings.Cut(strings.TrimPrefix(a.websocketURL(), "wss://"), "/")
	return "https://" + host
}

// websocketURL is where clients find the WebSocket: as configured, else our domain and the port of the first TLS listener.
func (a *App) websocketURL() string {
	if a.cfg.XMPP.WebSocketURL != "" {
		return a.cfg.XMPP.WebSocketURL
	}
	host := a.cfg.Domain
	if addrs := a.Addrs()["tls"]; len(addrs) > 0 {
		if _, port, err := net.SplitHostPort(addrs[0]); err == nil && port != "443" {
			host = net.JoinHostPort(host, port)
		}
	}
	return "wss://" + host + websocket.Path
}
