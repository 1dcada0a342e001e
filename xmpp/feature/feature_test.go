package feature

import (
	"crypto/sha1"
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"mellium.im/xmpp/stanza"

	"signalbox/xmpp/scan"
)

func ask(t *testing.T, set bool, toServer bool, payload string) Answer {
	t.Helper()
	st, err := scan.Parse([]byte(payload), scan.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	s := NewSet([]string{"urn:extra"}, Ping(), Version("1 & 2"), ManagedRoster(), LegacySession(), Time(), Uptime(time.Now().Add(-time.Hour)))
	to := Own
	if toServer {
		to = Server
	}
	a := s.Answer(t.Context(), &Query{Set: set, Payload: st.Element(), To: to})
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
		{"time", get, server, "<time xmlns='urn:xmpp:time'/>", "", []string{"<tzo>+00:00</tzo>", "Z</utc>"}},
		{"uptime", get, server, "<query xmlns='jabber:iq:last'/>", "", []string{"seconds='3600'"}},
		{"last activity of the account", get, account, "<query xmlns='jabber:iq:last'/>", stanza.ServiceUnavailable, nil},
		{"session", set, server, "<session xmlns='urn:ietf:params:xml:ns:xmpp-session'/>", "", nil},
		{"info", get, server, "<query xmlns='http://jabber.org/protocol/disco#info'/>", "",
			[]string{"category='server'", "var='urn:xmpp:ping'", "var='urn:extra'", "var='http://jabber.org/protocol/disco#info'"}},
		{"info of the account", get, account, "<query xmlns='http://jabber.org/protocol/disco#info'/>", "", []string{"category='account'"}},
		{"info of a node", get, server, "<query xmlns='http://jabber.org/protocol/disco#info' node='x'/>", stanza.ItemNotFound, nil},
		{"items", get, server, "<query xmlns='http://jabber.org/protocol/disco#items'/>", "", []string{"<query xmlns='http://jabber.org/protocol/disco#items'/>"}},
		{"items of a node", get, server, "<query xmlns='http://jabber.org/protocol/disco#items' node='a&apos;b'/>", stanza.ItemNotFound, nil},
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

// TestCaps: the hash is that of the example in XEP-0115 section 5.2, and who asks for it gets what the server offers.
func TestCaps(t *testing.T) {
	got := capsHash([]Identity{{"client", "pc", "Exodus 0.9.1"}}, []string{
		"http://jabber.org/protocol/caps", "http://jabber.org/protocol/disco#info", "http://jabber.org/protocol/disco#items", "http://jabber.org/protocol/muc",
	})
	if want := "QgayPKawpkPSDYmwT/WM94uAlu0="; got != want {
		t.Errorf("capsHash = %s, want %s", got, want)
	}
	s := NewSet(nil, Ping())
	_, ver, _ := strings.Cut(s.Stream(), "ver='")
	ver, _, _ = strings.Cut(ver, "'")
	if sum, err := base64.StdEncoding.DecodeString(ver); err != nil || len(sum) != sha1.Size {
		t.Fatalf("stream feature %s has no hash", s.Stream())
	}
	st, err := scan.Parse([]byte("<query xmlns='http://jabber.org/protocol/disco#info' node='"+capsNode+"#"+ver+"'/>"), scan.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	a := s.Answer(t.Context(), &Query{Payload: st.Element(), To: Server})
	if !strings.Contains(string(a.Payload), "node='"+capsNode+"#"+ver+"'") || !strings.Contains(string(a.Payload), "var='"+nsCaps+"'") {
		t.Errorf("the node of the hash = %s", a.Payload)
	}
}
