package app

import (
	"strings"

	"signalbox/internal/audit"
)

// buildAudit builds the audit trail, whose heads are signed with the key by which this server is known.
func (a *App) buildAudit() {
	a.audit = audit.New(a.store, a.identity, a.identity.Public().String(), a.log, a.registry)
}

// webURL is the beginning of URLs of HTTP on the shared port: where clients find the WebSocket.
func (a *App) webURL() string {
	host, _, _ := strings.Cut(strings.TrimPrefix(a.websocketURL(), "wss://"), "/")
	return "https://" + host
}
