package feature

import (
	"context"

	"mellium.im/xmpp/stanza"
)

const nsRoster = "jabber:iq:roster"

// ManagedRoster answers RFC 6121 section 2 where the server manages rosters: they are empty, and users cannot edit them.
func ManagedRoster() Feature {
	refuse := func(context.Context, *Query) Answer { return Refuse(stanza.Cancel, stanza.NotAllowed) }
	return Feature{Requests: []Request{{Namespace: nsRoster, Local: "query", To: Own, Get: constant("<query xmlns='" + nsRoster + "'/>"), Set: refuse}}}
}
