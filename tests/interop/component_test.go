package interop

import (
	"net"
	"slices"
	"testing"

	"signalbox/tests/harness"
)

// TestSlixmppComponent has a library that knows nothing of us as component: an endpoint finds it, looks at it and talks with it.
func TestSlixmppComponent(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Components)
	s.Call(t, "POST", "/v1/endpoints", `{"id":"pc-1","secret":"s3cret-1"}`, 201)
	host, port, err := net.SplitHostPort(s.Addr("component"))
	if err != nil {
		t.Fatal(err)
	}
	const name = "bot." + harness.Domain
	p := startPython(t, "testdata/component.py", host, port, name, harness.ComponentSecret)
	p.await("online")
	if got := p.await("info").Features; !slices.Contains(got, "urn:xmpp:ping") {
		t.Errorf("features of the server = %v, want ping among them", got)
	}
	pc := s.Connect(t, "pc-1")
	pc.Login("pc-1", "s3cret-1", "r")
	pc.Send("<iq type='get' id='items' to='" + harness.Domain + "'><query xmlns='http://jabber.org/protocol/disco#items'/></iq>")
	pc.Want("type='result'", "<item jid='"+name+"'/>")
	pc.Send("<iq type='get' id='info' to='" + name + "'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>")
	pc.Want(`type="result"`, "from='"+name+"'", `category="client"`, `type="bot"`)
	pc.Send("<iq type='get' id='version' to='" + name + "'><query xmlns='jabber:iq:version'/></iq>")
	pc.Want(`type="result"`, "jabber:iq:version")
	pc.Send("<message type='chat' to='room@" + name + "'><body>hello</body></message>")
	pc.Want("from='room@"+name, "<body>HELLO</body>")
	if got := p.await("message"); got.JID != "pc-1@"+harness.Domain+"/r" || got.Why != "hello" {
		t.Errorf("the component got %q of %s", got.Why, got.JID)
	}
	if bad := p.mistakes(); bad != nil {
		t.Errorf("component.py saw %+v", bad)
	}
}

// TestSlixmppComponentRefused: with a wrong secret the library is told why.
func TestSlixmppComponentRefused(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Components)
	host, port, err := net.SplitHostPort(s.Addr("component"))
	if err != nil {
		t.Fatal(err)
	}
	p := startPython(t, "testdata/component.py", host, port, "bot."+harness.Domain, "another secret")
	if got := p.await("stream_error").Condition; got != "not-authorized" {
		t.Errorf("condition = %s, want not-authorized", got)
	}
}
