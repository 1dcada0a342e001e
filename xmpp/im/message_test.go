package im

import (
	"context"
	"strings"
	"testing"

	"mellium.im/xmpp/stanza"

	"signalbox/xmpp/feature"
	"signalbox/xmpp/scan"
)

// TestRefusedMessageLeavesNothing: what an account must not send because it blocks the recipient is in no archive and no copy of it goes to anybody.
func TestRefusedMessageLeavesNothing(t *testing.T) {
	w := newWorld(t)
	alice, other := w.bind("alice", "pc"), w.bind("alice", "phone")
	other.state.Set(feature.Carbons, true)
	w.asks(alice, true, block("bob@x.test"))
	if a := w.says(alice, "<message to='bob@x.test' type='chat'><body>x</body></message>"); a.Condition != stanza.NotAcceptable {
		t.Errorf("answer: %+v", a)
	}
	if got := w.archived("alice"); len(got) > 0 {
		t.Errorf("archived: %v", got)
	}
	if got := other.take(); got != "" {
		t.Errorf("the other client got %s", got)
	}
}

// TestSpellingsOfTheServer: nobody else says what the server says, however it writes the server's name.
func TestSpellingsOfTheServer(t *testing.T) {
	w := newWorld(t)
	alice, bob := w.bind("alice", "pc"), w.bind("bob", "pc")
	for _, name := range []string{"x.test", "X.test", "x.test.", "x.test/r", "x&#46;test", "\uff58.test", "x\u3002test", "bob@X.TEST", "BOB@x.test/r"} {
		w.says(alice, "<message to='bob@x.test/pc'><delay xmlns='urn:xmpp:delay' from='"+name+"' stamp='2026-01-01T00:00:00Z'/></message>")
		if got := bob.take(); !strings.Contains(got, "<message") || strings.Contains(got, "delay") {
			t.Errorf("a delay from %q arrives: %s", name, got)
		}
		w.says(alice, "<message to='bob@x.test/pc'><stanza-id xmlns='urn:xmpp:sid:0' by='"+name+"' id='1'/></message>")
		if got := bob.take(); !strings.Contains(got, "<message") || strings.Contains(got, "stanza-id") {
			t.Errorf("a stanza id by %q arrives: %s", name, got)
		}
	}
}

// TestStanzaIDNamesWhatIsKept: a message has the id of the archive only if it is there.
func TestStanzaIDNamesWhatIsKept(t *testing.T) {
	for _, tc := range []struct {
		name, preferences string
		from              string
		kept              bool
	}{
		{"all", "<prefs xmlns='urn:xmpp:mam:2' default='always'/>", "carol", true},
		{"none", "<prefs xmlns='urn:xmpp:mam:2' default='never'/>", "bob", false},
		{"contacts, from one", "<prefs xmlns='urn:xmpp:mam:2' default='roster'/>", "bob", true},
		{"contacts, from a stranger", "<prefs xmlns='urn:xmpp:mam:2' default='roster'/>", "carol", false},
		{"all but one", "<prefs xmlns='urn:xmpp:mam:2' default='always'><never><jid>bob@x.test</jid></never></prefs>", "bob", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t)
			alice, from := w.bind("alice", "pc"), w.bind(tc.from, "pc")
			if a := w.asks(alice, true, tc.preferences); a.Condition != "" {
				t.Fatalf("answer: %+v", a)
			}
			w.says(from, "<message to='alice@x.test/pc'><body>x</body></message>")
			got, ids := alice.take(), w.archived("alice")
			if (len(ids) == 1) != tc.kept || strings.Contains(got, "stanza-id") != tc.kept || tc.kept && !strings.Contains(got, "id='"+ids[0]+"'") {
				t.Errorf("archived: %v, arrived: %s", ids, got)
			}
		})
	}
}

// TestStopDoesWhatIsLeft: sessions that end with the server leave their messages to their accounts.
func TestStopDoesWhatIsLeft(t *testing.T) {
	w := newWorld(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	bob := w.bind("bob", "pc")
	w.Ended(bob, [][]byte{[]byte("<message from='alice@x.test/pc' to='bob@x.test' type='chat'><body>x</body></message>")})
	if err := w.Run(ctx); err != nil {
		t.Fatal(err)
	}
	if n, err := w.accounts.CountOffline(t.Context(), key("bob")); n != 1 || err != nil {
		t.Errorf("%d messages wait, %v", n, err)
	}
}

// TestRequestToDetachedClient: who asks a client that lost its connection hears so, and does not wait for somebody who may never come back.
func TestRequestToDetachedClient(t *testing.T) {
	w := newWorld(t)
	alice, bob := w.bind("alice", "pc"), w.bind("bob", "pc")
	bob.state.Set(feature.Detached, true)
	el, err := scan.ParseInStream([]byte("<iq type='get' id='1' to='bob@x.test/pc'><ping xmlns='urn:xmpp:ping'/></iq>"), scan.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if a := w.Request(alice, &el, Address{key("bob"), "pc"}); a.Condition != stanza.ServiceUnavailable || bob.take() != "" {
		t.Errorf("answer: %+v", a)
	}
}
