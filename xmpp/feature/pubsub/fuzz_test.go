package pubsub

import (
	"testing"

	"signalbox/xmpp/scan"
)

// FuzzRequests: whatever the owner, a contact and a stranger ask, nothing breaks, and what comes out is well-formed: answers, and what the others are sent.
func FuzzRequests(f *testing.F) {
	for _, payload := range []string{
		"<pubsub xmlns='" + nsPubSub + "'><publish node='n'><item id='1'><p:x xmlns:p='urn:p' p:a='&lt;'>]]&gt;<y xmlns=''/></p:x></item></publish><publish-options>" +
			submit(publishOptions, "access_model", "open", "max_items", "max") + "</publish-options></pubsub>",
		"<pubsub xmlns='" + nsPubSub + "'><items node='n' max_items='2'/><set xmlns='" + nsPaging + "'><max>1</max><before/></set></pubsub>",
		"<pubsub xmlns='" + nsPubSub + "'><create node='m'/><configure>" + submit(nodeConfig, "title", "&lt;", "roster_groups_allowed", "a") + "</configure></pubsub>",
		"<pubsub xmlns='" + nsPubSub + "'><retract node='n'><item id='1'/></retract></pubsub>",
		"<pubsub xmlns='" + nsPubSub + "'><subscribe node='n' jid='pc-2@x.test/r'/></pubsub>",
		"<pubsub xmlns='" + nsOwner + "'><configure node='n'>" + submit(nodeConfig, "access_model", "roster") + "</configure></pubsub>",
		"<pubsub xmlns='" + nsOwner + "'><affiliations node='n'><affiliation jid='a@b' affiliation='member'/></affiliations></pubsub>",
		"<query xmlns='http://jabber.org/protocol/disco#items' node='n'/>",
		"<query xmlns='http://jabber.org/protocol/disco#info'/>",
	} {
		f.Add([]byte("<iq xmlns:q='urn:q'>" + payload + "</iq>"))
	}
	w := newWorld(f)
	w.available("pc-2", "n", "m")
	f.Fuzz(func(t *testing.T, raw []byte) {
		el, err := scan.ParseInStream(raw, scan.Limits{})
		if err != nil || el.Children != 1 {
			t.Skip()
		}
		inner := &world{t: t, accounts: w.accounts, pep: w.pep, set: w.set, clients: w.clients}
		for _, id := range []string{"pc-1", "pc-2", "pc-3"} {
			for _, set := range []bool{true, false} {
				inner.answer(w.clients[id], set, &el)
			}
		}
		for id := range w.clients {
			inner.got(id)
		}
	})
}
