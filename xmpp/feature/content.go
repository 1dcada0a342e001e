package feature

import "signalbox/xmpp/scan"

// Content is what a message holds, as far as features decide by it: its children are read once, not by each of them.
type Content struct {
	Body    bool // something to read
	Answers bool // a receipt or marker, which its recipient waits for (XEP-0184, XEP-0333)
	Typing  bool // a chat state (XEP-0085)
	Private bool // not for the sender's other clients (XEP-0280 section 6.3)
	Rules   bool // of XEP-0079

	// The wishes of XEP-0334.
	NoPermanentStore bool // not into an archive
	NoStore          bool // not into any store
	NoCopy           bool // to the addressed client alone
	Store            bool // keep it, though it may not look worth it
}

// Read takes one child of a message into account.
func (t *Content) Read(c scan.Element) {
	switch string(c.Namespace()) {
	case scan.NamespaceClient:
		t.Body = t.Body || string(c.Local()) == "body"
	case "urn:xmpp:receipts", "urn:xmpp:chat-markers:0":
		t.Answers = true
	case "http://jabber.org/protocol/chatstates":
		t.Typing = true
	case nsCarbons:
		t.Private = t.Private || string(c.Local()) == "private"
	case nsProcessing:
		t.Rules = t.Rules || string(c.Local()) == "amp"
	case "urn:xmpp:hints":
		t.hint(string(c.Local()))
	}
}

func (t *Content) hint(name string) {
	switch name {
	case "no-permanent-store":
		t.NoPermanentStore = true
	case "no-store":
		t.NoStore = true
	case "no-copy":
		t.NoCopy = true
	case "store":
		t.Store = true
	}
}
