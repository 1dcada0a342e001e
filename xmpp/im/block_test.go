package im

import (
	"strings"
	"testing"

	"mellium.im/xmpp/stanza"

	"signalbox/internal/account"
)

func block(addresses ...string) string {
	items := ""
	for _, a := range addresses {
		items += "<item jid='" + a + "'/>"
	}
	return "<block xmlns='urn:xmpp:blocking'>" + items + "</block>"
}

// TestBlockingIsSeenOnce: whom an account blocks sees its client go, and nothing of it afterwards.
func TestBlockingIsSeenOnce(t *testing.T) {
	for _, tc := range []struct{ name, blocked string }{
		{"bare JID", "bob@x.test"}, {"full JID", "bob@x.test/pc"}, {"domain", "x.test"}, {"domain with resource", "x.test/pc"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t)
			bob, alice := w.bind("bob", "pc"), w.bind("alice", "phone")
			w.says(bob, "<presence/>")
			w.says(alice, "<presence/>")
			bob.take()
			if a := w.asks(alice, true, block(tc.blocked)); a.Condition != "" {
				t.Fatalf("answer: %+v", a)
			}
			if got := bob.take(); got != "<presence type='unavailable' from='alice@x.test/phone'/>" {
				t.Errorf("when he was blocked bob got %q", got)
			}
			w.says(alice, "<presence><show>away</show></presence>")
			w.says(alice, "<presence to='bob@x.test/pc'/>")
			w.end(alice)
			w.work()
			if got := bob.take(); got != "" {
				t.Errorf("bob is blocked, and got %q", got)
			}
		})
	}
}

// TestBlockedAfterDirectedPresence: a stranger that was shown a presence sees it end when it is blocked, and not later.
func TestBlockedAfterDirectedPresence(t *testing.T) {
	w := newWorld(t)
	carol, alice := w.bind("carol", "pc"), w.bind("alice", "pc")
	w.says(alice, "<presence/>")
	w.says(alice, "<presence to='carol@x.test/pc'/>")
	carol.take()
	w.asks(alice, true, block("carol@x.test"))
	if got := carol.take(); got != aliceGone {
		t.Errorf("when she was blocked carol got %q", got)
	}
	w.end(alice)
	w.work()
	if got := carol.take(); got != "" {
		t.Errorf("carol is blocked, and got %q", got)
	}
}

// TestBlockThatFails: whom an account could not block goes on seeing it.
func TestBlockThatFails(t *testing.T) {
	w := newWorld(t, func(c *account.Config) { c.Blocked = 1 })
	bob, alice := w.bind("bob", "pc"), w.bind("alice", "pc")
	w.says(bob, "<presence/>")
	w.says(alice, "<presence/>")
	bob.take()
	if a := w.asks(alice, true, block("bob@x.test", "carol@x.test")); a.Condition != stanza.ResourceConstraint {
		t.Fatalf("answer: %+v", a)
	}
	if got := bob.take(); got != "" {
		t.Errorf("bob is not blocked, and got %q", got)
	}
}

// TestBlockedAsk: to ask somebody who blocks the asker is to ask nobody (XEP-0191 section 3.3), also where the answer was given before.
func TestBlockedAsk(t *testing.T) {
	w := newWorld(t)
	alice, bob := w.bind("alice", "pc"), w.bind("bob", "pc")
	w.says(alice, "<presence/>")
	w.says(alice, "<presence to='carol@x.test' type='subscribed'/>") // before she asks
	w.asks(alice, true, block("bob@x.test", "carol@x.test"))
	alice.take()
	carol := w.bind("carol", "pc")
	w.says(carol, "<presence/>")
	for _, who := range []*client{bob, carol} {
		w.says(who, "<presence/>")
		who.take()
		w.says(who, "<presence to='alice@x.test' type='subscribe'/>")
		if got := who.take(); strings.Contains(got, "subscribed") {
			t.Errorf("%s is blocked, and got %q", who.key, got)
		}
	}
	if got := alice.take(); got != "" {
		t.Errorf("alice got %q", got)
	}
}

// TestUnblocking: both see again what they did not see of each other while one was blocked.
func TestUnblocking(t *testing.T) {
	for _, tc := range []struct {
		name string
		gone bool // bob goes while he is blocked
		want string
	}{
		{"still there", false, "<presence from='bob@x.test/pc'><show>away</show></presence>"},
		{"gone", true, "<presence type='unavailable' from='bob@x.test' to='alice@x.test'/>"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t)
			bob, alice := w.bind("bob", "pc"), w.bind("alice", "pc")
			w.says(bob, "<presence/>")
			w.says(alice, "<presence/>")
			w.asks(alice, true, block("bob@x.test"))
			w.says(bob, "<presence><show>away</show></presence>")
			if tc.gone {
				w.end(bob)
				w.work()
			}
			alice.take()
			bob.take()
			if a := w.asks(alice, true, "<unblock xmlns='urn:xmpp:blocking'><item jid='bob@x.test'/></unblock>"); a.Condition != "" {
				t.Fatalf("answer: %+v", a)
			}
			if got := alice.take(); got != tc.want {
				t.Errorf("alice got %q, want %q", got, tc.want)
			}
			if got := bob.take(); !tc.gone && got != aliceHere {
				t.Errorf("bob got %q", got)
			}
		})
	}
}
