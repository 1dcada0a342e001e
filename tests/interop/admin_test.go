package interop

import (
	"slices"
	"testing"

	"signalbox/internal/config"
	"signalbox/tests/harness"
)

// TestSlixmppAdministers has an XMPP library that knows nothing of us run ad-hoc commands, as an administrator and as nobody in particular.
func TestSlixmppAdministers(t *testing.T) {
	t.Parallel()
	const addUser = "http://jabber.org/protocol/admin#add-user"
	for name, admins := range map[string][]string{"administrator": {"pc-1"}, "endpoint": nil} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := harness.Start(t, func(cfg *config.Config) { cfg.XMPP.Admins = admins })
			s.Call(t, "POST", "/v1/endpoints", `{"id":"pc-1","secret":"s3cret-1"}`, 201)
			p := startPeer(t, s, "direct", "scram")
			p.await("online")
			p.tell("commands")
			if got := p.await("commands").Commands; slices.Contains(got, addUser) != (admins != nil) {
				t.Errorf("finds %v", got)
			}
			p.tell("add pc-2@" + harness.Domain + " s3cret-2")
			if admins == nil {
				if got := p.await("refused").Condition; got != "forbidden" {
					t.Errorf("refused as %q, want forbidden", got)
				}
				s.Call(t, "GET", "/v1/endpoints/pc-2", "", 404)
			} else {
				if got := p.await("command"); got.Status != "completed" || len(got.Notes) > 0 {
					t.Errorf("add-user ends with %+v", got)
				}
				s.Connect(t, "pc-2").Login("pc-2", "s3cret-2", "new")
			}
			if bad := p.mistakes(); bad != nil {
				t.Errorf("endpoint.py saw %+v", bad)
			}
		})
	}
}
