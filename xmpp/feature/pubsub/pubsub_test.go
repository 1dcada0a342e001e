package pubsub

import (
	"strings"
	"testing"

	"mellium.im/xmpp/stanza"

	"signalbox/internal/account"
	"signalbox/xmpp/feature"
)

// TestAccess: whoever may read a node may by every way, and nobody else by any.
func TestAccess(t *testing.T) {
	w := newWorld(t)
	owner := w.clients["pc-1"].key
	if _, err := w.accounts.SetItem(t.Context(), owner, "pc-2@x.test", "", []string{"Lab"}); err != nil {
		t.Fatal(err)
	}
	for _, access := range []string{"presence", "open", "whitelist", "roster"} {
		w.publish(access, "i", "access_model", access, "roster_groups_allowed", "Lab")
		if _, err := w.accounts.Affiliate(t.Context(), owner, access, "pc-4@x.test", account.Outcast); err != nil {
			t.Fatal(err)
		}
		w.clients["pc-1"].sent = nil
	}
	w.publish("member", "i", "access_model", "whitelist")
	if _, err := w.accounts.Affiliate(t.Context(), owner, "member", "pc-3@x.test", account.Member); err != nil {
		t.Fatal(err)
	}
	for id, may := range map[string]string{
		"pc-1": "presence open whitelist roster member", "pc-2": "presence open roster", "pc-3": "open member", "pc-4": "",
	} {
		listed := w.did(id, false, "<query xmlns='http://jabber.org/protocol/disco#items'/>")
		for _, node := range []string{"presence", "open", "whitelist", "roster", "member"} {
			want := strings.Contains(may, node)
			info := w.ask(id, false, "<query xmlns='http://jabber.org/protocol/disco#info' node='"+node+"'/>")
			names := w.ask(id, false, "<query xmlns='http://jabber.org/protocol/disco#items' node='"+node+"'/>")
			items := w.ask(id, false, "<pubsub xmlns='"+nsPubSub+"'><items node='"+node+"'/></pubsub>")
			one := w.ask(id, false, "<pubsub xmlns='"+nsPubSub+"'><items node='"+node+"'><item id='i'/></items></pubsub>")
			subscribed := w.ask(id, true, "<pubsub xmlns='"+nsPubSub+"'><subscribe node='"+node+"' jid='"+id+"@x.test'/></pubsub>")
			w.got(id)
			for way, got := range map[string]bool{
				"list of nodes": strings.Contains(listed, "node='"+node+"'"), "node": info.Condition == "", "list of items": strings.Contains(string(names.Payload), "name='i'"),
				"items": items.Condition == "", "item": one.Condition == "", "subscription": subscribed.Condition == "",
			} {
				if got != want {
					t.Errorf("%s reads %s by %s: %v, want %v", id, node, way, got, want)
				}
			}
		}
	}
	// What is published reaches those who may read it, and are subscribed.
	for _, node := range []string{"presence", "open", "whitelist", "roster", "member"} {
		for id := range w.clients {
			w.clients[id].state.SetPresence(feature.Presence{Available: true})
		}
		w.did("pc-1", true, "<pubsub xmlns='"+nsPubSub+"'><publish node='"+node+"'><item id='j'><x xmlns='urn:x'/></item></publish></pubsub>")
		for id, may := range map[string]string{"pc-2": "presence open roster", "pc-3": "open member", "pc-4": ""} {
			if got := len(w.got(id)) == 1; got != strings.Contains(may, node) {
				t.Errorf("%s hears of %s: %v", id, node, got)
			}
		}
	}
}

func TestNotifications(t *testing.T) {
	w := newWorld(t)
	w.publish("news", "1")
	w.publish("silent", "1", "send_last_published_item", "never")
	w.publish("passing", "1", "persist_items", "false")
	for _, id := range []string{"pc-1", "pc-2", "pc-3"} {
		w.available(id, "news", "silent", "passing")
	}
	for id, want := range map[string]int{"pc-1": 1, "pc-2": 1, "pc-3": 0} {
		if got := w.got(id); len(got) != want || want == 1 && !strings.Contains(got[0], "<delay xmlns='urn:xmpp:delay'") {
			t.Errorf("%s was sent %s on its presence, want the last item of one node", id, got)
		}
	}
	w.hears("pc-3", "pc-1")
	w.set.Revealed(t.Context(), w.clients["pc-1"].key, w.clients["pc-3"].key)
	if got := w.got("pc-3"); len(got) != 1 {
		t.Errorf("a new contact was sent %s, want the last item of one node", got)
	}
	if _, err := w.accounts.RemoveItem(t.Context(), w.clients["pc-3"].key, "pc-1@x.test"); err != nil {
		t.Fatal(err)
	}
	w.did("pc-2", true, "<pubsub xmlns='"+nsPubSub+"'><subscribe node='news' jid='pc-2@x.test'/></pubsub>")
	w.got("pc-2")
	for what, event := range map[string]string{
		"<pubsub xmlns='" + nsPubSub + "'><publish node='news'><item id='2'><x xmlns='urn:x'/></item></publish></pubsub>":    "<item id='2'><x xmlns='urn:x'/></item>",
		"<pubsub xmlns='" + nsPubSub + "'><publish node='passing'><item id='2'><x xmlns='urn:x'/></item></publish></pubsub>": "<items node='passing'><item id='2'>",
	} {
		w.did("pc-1", true, what)
		for id, want := range map[string]int{"pc-1": 1, "pc-2": 1, "pc-3": 0} {
			if got := w.got(id); len(got) != want || want == 1 && !strings.Contains(got[0], event) {
				t.Errorf("%s: %s was sent %s, want %d with %s", what, id, got, want, event)
			}
		}
	}
	for _, tc := range []struct{ what, event string }{
		{"<pubsub xmlns='" + nsPubSub + "'><retract node='news'><item id='2'/></retract></pubsub>", "<items node='news'><retract id='2'/></items>"},
		{"<pubsub xmlns='" + nsOwner + "'><purge node='news'/></pubsub>", "<purge node='news'/>"},
		{"<pubsub xmlns='" + nsOwner + "'><delete node='news'/></pubsub>", "<delete node='news'/>"},
	} {
		w.did("pc-1", true, tc.what)
		if got := w.got("pc-2"); len(got) != 1 || !strings.Contains(got[0], tc.event) {
			t.Errorf("%s: the contact was sent %s, want %s", tc.what, got, tc.event)
		}
	}
	if _, err := w.accounts.Block(t.Context(), w.clients["pc-2"].key, "pc-1@x.test"); err != nil {
		t.Fatal(err)
	}
	w.publish("news", "3")
	if got := w.got("pc-2"); len(got) != 0 {
		t.Errorf("who blocks the owner hears of it: %s", got)
	}
}

// TestBlockedClient: who blocks one client of a contact tells it nothing, in no way.
func TestBlockedClient(t *testing.T) {
	w := newWorld(t)
	w.publish("news", "1")
	w.available("pc-2", "news")
	w.did("pc-2", true, "<pubsub xmlns='"+nsPubSub+"'><subscribe node='news' jid='pc-2@x.test'/></pubsub>")
	w.got("pc-2")
	if _, err := w.accounts.Block(t.Context(), w.clients["pc-1"].key, "pc-2@x.test/r"); err != nil {
		t.Fatal(err)
	}
	w.publish("news", "2")
	if got := w.got("pc-2"); len(got) != 0 {
		t.Errorf("a blocked client hears of a publication: %s", got)
	}
	w.clients["pc-2"].State().SetPresence(feature.Presence{})
	w.available("pc-2", "news")
	if got := w.got("pc-2"); len(got) != 0 {
		t.Errorf("a blocked client gets the last item when it comes: %s", got)
	}
}

// TestMissed: a client that had no connection when something was published gets it when it resumes, once.
func TestMissed(t *testing.T) {
	w := newWorld(t)
	w.available("pc-2", "news")
	c := w.clients["pc-2"]
	c.gone = true
	w.publish("news", "1")
	c.gone = false
	for i, want := range []int{1, 0} {
		w.set.Arrived(t.Context(), c)
		if got := w.got("pc-2"); len(got) != want {
			t.Errorf("resumed %d times, the client was sent %s, want %d", i+1, got, want)
		}
	}
}

func TestRefusals(t *testing.T) {
	w := newWorld(t)
	w.publish("n", "i")
	pub := func(inner string) string { return "<pubsub xmlns='" + nsPubSub + "'>" + inner + "</pubsub>" }
	own := func(inner string) string { return "<pubsub xmlns='" + nsOwner + "'>" + inner + "</pubsub>" }
	item := "<item><x xmlns='urn:x'/></item>"
	for _, tc := range []struct {
		name      string
		set       bool
		payload   string
		condition stanza.Condition
		detail    string
	}{
		{"nothing asked", true, pub(""), stanza.FeatureNotImplemented, ""},
		{"unknown", false, pub("<options node='n'/>"), stanza.FeatureNotImplemented, ""},
		{"items of no node", false, pub("<items/>"), stanza.BadRequest, "nodeid-required"},
		{"items of a missing node", false, pub("<items node='m'/>"), stanza.ItemNotFound, ""},
		{"no number of items", false, pub("<items node='n' max_items='0'/>"), stanza.BadRequest, ""},
		{"more than can be named", false, pub("<items node='n'>" + strings.Repeat("<item id='i'/>", maxNamed+1) + "</items>"), stanza.NotAcceptable, ""},
		{"page behind a missing item", false, pub("<items node='n'/><set xmlns='" + nsPaging + "'><after>x</after></set>"), stanza.ItemNotFound, ""},
		{"publish to no node", true, pub("<publish>" + item + "</publish>"), stanza.BadRequest, "nodeid-required"},
		{"publish nothing", true, pub("<publish node='n'/>"), stanza.BadRequest, "item-required"},
		{"publish two", true, pub("<publish node='n'>" + item + item + "</publish>"), stanza.BadRequest, ""},
		{"no payload", true, pub("<publish node='n'><item/></publish>"), stanza.BadRequest, "payload-required"},
		{"two payloads", true, pub("<publish node='n'><item><x/><x/></item></publish>"), stanza.BadRequest, "invalid-payload"},
		{"a stanza as payload", true, pub("<publish node='n'><item><message xmlns='jabber:client'/></item></publish>"), stanza.NotAcceptable, "invalid-payload"},
		{"payload too large", true, pub("<publish node='n'><item><x xmlns='urn:x'>" + strings.Repeat("x", account.MaxPayloadBytes) + "</x></item></publish>"),
			stanza.NotAcceptable, "payload-too-big"},
		{"condition that does not hold", true, pub("<publish node='n'>" + item + "</publish><publish-options>" + submit(publishOptions, "access_model", "open") +
			"</publish-options>"), stanza.Conflict, "precondition-not-met"},
		{"condition that is unknown", true, pub("<publish node='n'>" + item + "</publish><publish-options>" + submit(publishOptions, "moon_phase", "full") +
			"</publish-options>"), stanza.Conflict, "precondition-not-met"},
		{"conditions in a form of another kind", true, pub("<publish node='n'>" + item + "</publish><publish-options>" + submit(nodeConfig) + "</publish-options>"),
			stanza.BadRequest, "invalid-options"},
		{"retract nothing", true, pub("<retract node='n'/>"), stanza.BadRequest, "item-required"},
		{"retract what is missing", true, pub("<retract node='n'><item id='x'/></retract>"), stanza.ItemNotFound, ""},
		{"create without a name", true, pub("<create/>"), stanza.NotAcceptable, "nodeid-required"},
		{"create again", true, pub("<create node='n'/>"), stanza.Conflict, ""},
		{"access model of others", true, pub("<create node='m'/><configure>" + submit(nodeConfig, "access_model", "authorize") + "</configure>"), stanza.NotAcceptable,
			"unsupported-access-model"},
		{"publishing for all", true, own("<configure node='n'>" + submit(nodeConfig, "publish_model", "open") + "</configure>"), stanza.NotAcceptable, ""},
		{"no items at all", true, own("<configure node='n'>" + submit(nodeConfig, "max_items", "0") + "</configure>"), stanza.NotAcceptable, ""},
		{"no form", true, own("<configure node='n'/>"), stanza.BadRequest, "invalid-options"},
		{"configure a missing node", true, own("<configure node='m'>" + submit(nodeConfig, "title", "x") + "</configure>"), stanza.ItemNotFound, ""},
		{"subscribe somebody else", true, pub("<subscribe node='n' jid='pc-2@x.test'/>"), stanza.BadRequest, "invalid-jid"},
		{"unsubscribe without subscription", true, pub("<unsubscribe node='n' jid='pc-1@x.test'/>"), stanza.UnexpectedRequest, "not-subscribed"},
		{"affiliation of no JID", true, own("<affiliations node='n'><affiliation jid='@' affiliation='member'/></affiliations>"), stanza.BadRequest, ""},
		{"unknown affiliation", true, own("<affiliations node='n'><affiliation jid='a@b' affiliation='owner'/></affiliations>"), stanza.NotAcceptable, ""},
		{"delete a missing node", true, own("<delete node='m'/>"), stanza.ItemNotFound, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w.t = t
			a := w.ask("pc-1", tc.set, tc.payload)
			if a.Condition != tc.condition || tc.detail != "" && !strings.Contains(a.Detail, "<"+tc.detail+" ") {
				t.Errorf("%s is answered with %q %q, want %q %q", tc.payload, a.Condition, a.Detail, tc.condition, tc.detail)
			}
			if stranger := w.ask("pc-3", tc.set, tc.payload); stranger.Condition == stanza.ItemNotFound || stranger.Condition == stanza.Conflict {
				t.Errorf("a stranger learns %q", stranger.Condition)
			}
		})
	}
}

func TestOwnerRequests(t *testing.T) {
	w := newWorld(t)
	own := func(inner string) string { return "<pubsub xmlns='" + nsOwner + "'>" + inner + "</pubsub>" }
	w.did("pc-1", true, "<pubsub xmlns='"+nsPubSub+"'><create node='n'/><configure>"+submit(nodeConfig, "title", "a &lt; b", "max_items", "max", "unknown", "x")+"</configure></pubsub>")
	for _, tc := range []struct {
		set     bool
		payload string
		want    []string
	}{
		{false, own("<configure node='n'/>"), []string{"<value>a &lt; b</value>", "<value>100</value>", "<value>presence</value>"}},
		{false, own("<default/>"), []string{"<default>", "var='pubsub#max_items' type='text-single'><value>1</value>"}},
		{true, own("<configure node='n'><x xmlns='jabber:x:data' type='cancel'/></configure>"), nil},
		{true, own("<configure node='n'>" + submit(nodeConfig, "access_model", "whitelist", "publish_model", "publishers", "deliver_payloads", "true") + "</configure>"), nil},
		{false, own("<configure node='n'/>"), []string{"<value>a &lt; b</value>", "<value>whitelist</value><option>"}},
		{true, own("<subscriptions node='n'><subscription jid='pc-2@x.test' subscription='subscribed'/></subscriptions>"), nil},
		{false, own("<subscriptions node='n'/>"), []string{"<subscription jid='pc-2@x.test' subscription='subscribed'/>"}},
		{true, own("<subscriptions node='n'><subscription jid='pc-2@x.test' subscription='none'/></subscriptions>"), nil},
		{false, own("<subscriptions node='n'/>"), []string{"<subscriptions node='n'></subscriptions>"}},
		{true, own("<affiliations node='n'><affiliation jid='pc-2@x.test/r' affiliation='member'/></affiliations>"), nil},
		{false, own("<affiliations node='n'/>"), []string{"jid='pc-1@x.test' affiliation='owner'", "jid='pc-2@x.test' affiliation='member'"}},
		{false, "<pubsub xmlns='" + nsPubSub + "'><affiliations/></pubsub>", []string{"<affiliation node='n' affiliation='owner'/>"}},
	} {
		got := w.did("pc-1", tc.set, tc.payload)
		for _, piece := range tc.want {
			if !strings.Contains(got, piece) {
				t.Errorf("%s is answered with %s, want %s in it", tc.payload, got, piece)
			}
		}
	}
	for id, want := range map[string]stanza.Condition{"pc-2": stanza.Forbidden, "pc-3": stanza.ServiceUnavailable} {
		for _, payload := range []string{own("<configure node='n'/>"), own("<default/>"), own("<affiliations node='n'/>"), own("<subscriptions node='n'/>")} {
			if a := w.ask(id, false, payload); a.Condition != want {
				t.Errorf("%s asks %s: %q, want %q", id, payload, a.Condition, want)
			}
		}
	}
}

// TestPages: an answer holds no more than it should, and the rest is got page by page in both directions (XEP-0059).
func TestPages(t *testing.T) {
	w := newWorld(t)
	for _, id := range []string{"1", "2", "3", "4"} {
		w.publish("n", id, "max_items", "max")
	}
	for _, tc := range []struct{ items, set, want, count string }{
		{"<items node='n'/>", "", "4321", ""},
		{"<items node='n' max_items='2'/>", "", "43", ""},
		{"<items node='n'><item id='1'/><item id='x'/></items>", "", "1", ""},
		{"<items node='n'/>", "<max>3</max>", "432", "4"},
		{"<items node='n'/>", "<max>3</max><after>2</after>", "1", "4"},
		{"<items node='n'/>", "<after>1</after>", "", "4"},
		{"<items node='n'/>", "<max>2</max><before/>", "21", "4"},
		{"<items node='n'/>", "<max>2</max><before>2</before>", "43", "4"},
		{"<items node='n'/>", "<max>0</max>", "", "4"},
	} {
		set := ""
		if tc.set != "" {
			set = "<set xmlns='" + nsPaging + "'>" + tc.set + "</set>"
		}
		got := w.did("pc-2", false, "<pubsub xmlns='"+nsPubSub+"'>"+tc.items+set+"</pubsub>")
		ids := ""
		for _, piece := range strings.Split(got, "<item id='")[1:] {
			ids += piece[:1]
		}
		if ids != tc.want || tc.count != "" != strings.Contains(got, "<count>"+tc.count+"</count>") {
			t.Errorf("%s %s gives items %s: %s", tc.items, tc.set, ids, got)
		}
	}
	for i := range 5 {
		w.did("pc-1", true, "<pubsub xmlns='"+nsPubSub+"'><publish node='n'><item id='b"+string(rune('0'+i))+"'><x xmlns='urn:x'>"+strings.Repeat("x", 65000)+"</x></item></publish></pubsub>")
	}
	if got := w.did("pc-2", false, "<pubsub xmlns='"+nsPubSub+"'><items node='n'/></pubsub>"); len(got) > maxAnswerBytes+2000 || !strings.Contains(got, "<last>b1</last>") {
		t.Errorf("an answer has %d bytes: %s", len(got), got[len(got)-200:])
	}
}

// TestSubscriptionsOfOneAccount: nobody takes the room of others.
func TestSubscriptionsOfOneAccount(t *testing.T) {
	w := newWorld(t)
	w.publish("n", "i", "access_model", "open")
	for i := range maxSubscriptions + 1 {
		a := w.ask("pc-3", true, "<pubsub xmlns='"+nsPubSub+"'><subscribe node='n' jid='pc-3@x.test/"+string(rune('a'+i))+"'/></pubsub>")
		if got := a.Condition == ""; got != (i < maxSubscriptions) {
			t.Errorf("subscription %d: %s", i, a.Condition)
		}
	}
	w.did("pc-3", true, "<pubsub xmlns='"+nsPubSub+"'><unsubscribe node='n' jid='pc-3@x.test/a'/></pubsub>")
	w.did("pc-3", true, "<pubsub xmlns='"+nsPubSub+"'><subscribe node='n' jid='pc-3@x.test'/></pubsub>")
}
