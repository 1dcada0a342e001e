package app

import (
	"signalbox/internal/api"
	"signalbox/internal/telemetry"
)

// buildLaboratory has the listener open the one port on which clients log in without TLS, if the operator asks for it.
func (a *App) buildLaboratory() error {
	addr := a.cfg.XMPP.InsecurePlaintext
	if addr == "" {
		return nil
	}
	a.log.Warn("xmpp.insecure_plaintext is set: clients log in without TLS there, secrets cross it in clear; for laboratories only", telemetry.Detail(addr))
	return a.listen.AllowPlaintext(addr)
}

// laboratory names the unsafe listener among the conditions of readiness: it keeps nobody from work, and nobody should miss it.
func (h health) laboratory() []api.Check {
	if addr := h.app.cfg.XMPP.InsecurePlaintext; addr != "" {
		return []api.Check{{Name: "insecure_plaintext", OK: true, Reason: "unsafe: clients log in without TLS on " + addr + "; empty xmpp.insecure_plaintext"}}
	}
	return nil
}
