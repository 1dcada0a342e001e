package feature

import (
	"strings"
	"testing"

	"mellium.im/xmpp/stanza"

	"signalbox/xmpp/scan"
)

func ask(t *testing.T, set bool, toServer bool, payload string) Answer {
	t.Helper()
	st, err := scan.Parse([]byte(payload), scan.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	s := NewSet([]string{"urn:extra"}, Ping(), Version("1 & 2"), ManagedRoster(), LegacySession())
	a := s.Answer(&Request{Set: set, Payload: st.Element(), ToServer: toServer})
	if len(a.Payload) > 0 { // every answer must stand in a stream of strict readers
		if _, err := scan.Parse(a.Payload, scan.Limits{}); err != nil {
			t.Errorf("%s answers %s: %v", payload, a.Payload, err)
		}
	}
	return a
}

func TestAnswers(t *testing.T) {
	const get, set, server, account = false, true, true, false
	for _, tc := range []struct {
		name      string
		set, to   bool
		payload   string
		condition stanza.Condition
		contains  []string
	}{
		{"ping", get, server, "<ping xmlns='urn:xmpp:ping'/>", "", nil},
		{"ping of the account", get, account, "<ping xmlns='urn:xmpp:ping'/>", "", nil},
		{"ping by set", set, server, "<ping xmlns='urn:xmpp:ping'/>", stanza.ServiceUnavailable, nil},
		{"unknown", get, server, "<x xmlns='urn:none'/>", stanza.ServiceUnavailable, nil},
		{"known namespace, other name", get, server, "<pong xmlns='urn:xmpp:ping'/>", stanza.ServiceUnavailable, nil},
		{"version", get, server, "<query xmlns='jabber:iq:version'/>", "", []string{"<name>Signalbox</name>", "<version>1 &amp; 2</version>"}},
		{"version of the account", get, account, "<query xmlns='jabber:iq:version'/>", stanza.ServiceUnavailable, nil},
		{"roster", get, account, "<query xmlns='jabber:iq:roster'/>", "", []string{"<query xmlns='jabber:iq:roster'/>"}},
		{"roster of the server", get, server, "<query xmlns='jabber:iq:roster'/>", stanza.ServiceUnavailable, nil},
		{"roster by set", set, account, "<query xmlns='jabber:iq:roster'/>", stanza.NotAllowed, nil},
		{"session", set, server, "<session xmlns='urn:ietf:params:xml:ns:xmpp-session'/>", "", nil},
		{"info", get, server, "<query xmlns='http://jabber.org/protocol/disco#info'/>", "",
			[]string{"category='server'", "var='urn:xmpp:ping'", "var='urn:extra'", "var='http://jabber.org/protocol/disco#info'"}},
		{"info of the account", get, account, "<query xmlns='http://jabber.org/protocol/disco#info'/>", "", []string{"category='account'"}},
		{"info of a node", get, server, "<query xmlns='http://jabber.org/protocol/disco#info' node='x'/>", stanza.ItemNotFound, nil},
		{"items", get, server, "<query xmlns='http://jabber.org/protocol/disco#items' node='a&apos;b'/>", "", []string{"node='a&apos;b'"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			a := ask(t, tc.set, tc.to, tc.payload)
			if a.Condition != tc.condition {
				t.Errorf("condition = %q, want %q", a.Condition, tc.condition)
			}
			for _, piece := range tc.contains {
				if !strings.Contains(string(a.Payload), piece) {
					t.Errorf("answer = %s, want %s in it", a.Payload, piece)
				}
			}
		})
	}
}

// TestInfoIsInOrder: features are unique and sorted, so that hashes over them are stable (XEP-0115).
func TestInfoIsInOrder(t *testing.T) {
	info := string(ask(t, false, true, "<query xmlns='http://jabber.org/protocol/disco#info'/>").Payload)
	last := ""
	for _, piece := range strings.Split(info, "<feature var='")[1:] {
		v, _, _ := strings.Cut(piece, "'")
		if v <= last {
			t.Errorf("%s stands behind %s", v, last)
		}
		last = v
	}
	if last == "" {
		t.Errorf("no features: %s", info)
	}
}
