package doctor

import "testing"

func TestNamesOfRoles(t *testing.T) {
	const base = "lab.example"
	own := []string{"ok signalbox.yaml", "ok " + domain, "ok _xmpps-client", "ok _xmpp-client"}
	for _, tc := range []struct {
		name string
		role Role
		edit func(*examination)
		want []string
	}{
		{"whom the server needs", ForServer, func(x *examination) {
			x.dns = zone{domain: nil, "itsm.lab.example": nil}
			x.Config.Events.Host = "itsm.lab.example:8443"
			x.Config.TURN.Servers = []string{"turn:gone.lab.example", "turn:192.0.2.7"}
			x.Config.TURN.Control.URL = "tls://broken.example:3479"
		}, []string{
			"ok itsm.lab.example: the management server: resolves to", "wrong broken.example: the TURN server on another host: cannot be looked up",
			"wrong gone.lab.example: a server of turn.servers, of which clients are told: does not resolve",
		}},
		{"an address that is set", ForServer, func(x *examination) { x.Config.Events.Host, x.Config.Events.Address = "itsm.lab.example", "192.0.2.9" }, nil},
		{"a viewer", ForViewer, func(x *examination) {
			x.Config.BaseDomain = base
			x.dns = zone{domain: nil, "itsm.lab.example": nil, "dl.lab.example": nil}
		}, []string{"ok itsm.lab.example", "ok dl.lab.example: downloads", "warning rtdc-relay-01.lab.example: the relay of remote control: does not resolve, so the viewer"}},
		{"either name", ForEndpoint, func(x *examination) {
			x.Config.BaseDomain = base
			x.dns = zone{domain: nil, "itsm.lab.example": nil, "bip.lab.example": nil, "rmm-api.lab.example": nil, "auditlogs-api.lab.example": nil, "rtdc-api.lab.example": nil,
				"rtdc-relay-01.lab.example": nil, "plugins-api.lab.example": nil}
		}, []string{"ok itsm.", "ok bip.", "ok rmm-api.", "ok auditlogs-api.", "ok rtdc-api.", "ok rtdc-relay-01.", "ok plugins-api.lab.example: plug-ins"}},
		{"no base domain", ForEndpoint, func(*examination) {}, []string{"warning names for the endpoint: not checked: base_domain is not set"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			x := example(t)
			x.dns, x.Role = zone{domain: nil}, tc.role
			tc.edit(x)
			x.take(t.Context(), []Step{DNS})
			wantLines(t, x, append(append([]string{}, own...), tc.want...)...)
		})
	}
}
