package feature

import (
	"context"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"signalbox/xmpp/scan"
)

// capsWorld is the feature with what it told of wishes.
type capsWorld struct {
	t      *testing.T
	f      Feature
	wanted map[string]string // by the client's id
}

func newCapsWorld(t *testing.T) *capsWorld {
	w := &capsWorld{t: t, wanted: map[string]string{}}
	w.f = ClientCaps(&fakeHost{}, func(_ context.Context, c Client, nodes []string) {
		w.wanted[c.Key().ID] += strings.Join(nodes, " ") + ";"
	})
	return w
}

// shows sends a presence and answers the query that it may cause; it reports whether there was one.
func (w *capsWorld) shows(c *fakeClient, attributes, info string) bool {
	w.t.Helper()
	c.State().SetPresence(Presence{Available: true})
	w.f.Present(w.t.Context(), c, parsed(w.t, "<presence><c xmlns='"+nsCaps+"' "+attributes+"/></presence>"))
	sent := c.take()
	if len(sent) == 0 {
		return false
	}
	id := string(parsed(w.t, sent[0]).ID())
	c.State().Answered(w.t.Context(), "x.test", parsed(w.t, "<iq type='result' id='"+id+"'><query xmlns='http://jabber.org/protocol/disco#info'>"+info+"</query></iq>"))
	return true
}

func sha1Of(text string) string {
	sum := sha1.Sum([]byte(text))
	return base64.StdEncoding.EncodeToString(sum[:])
}

const (
	infoNews = "<identity category='client' type='pc' name='c'/><feature var='urn:b+notify'/><feature var='urn:a+notify'/>"
	textNews = "client/pc//c<urn:a+notify<urn:b+notify<"
)

func TestClientCaps(t *testing.T) {
	sum := sha256.Sum256([]byte(textNews))
	good := "hash='sha-1' node='n' ver='" + sha1Of(textNews) + "'"
	for _, tc := range []struct {
		name, claim, info string
		wanted            string
		asksNext          bool // the next client with the same claim
	}{
		{"sha-1", good, infoNews, "urn:a urn:b;", false},
		{"sha-256", "hash='sha-256' node='n' ver='" + base64.StdEncoding.EncodeToString(sum[:]) + "'", infoNews, "urn:a urn:b;", false},
		{"wrong hash", "hash='sha-1' node='n' ver='" + sha1Of("x") + "'", infoNews, "urn:a urn:b;", true},
		{"algorithm that proves nothing", "hash='md5' node='n' ver='1B2M2Y8AsgTpgAmY7PhCfg=='", infoNews, "urn:a urn:b;", true},
		{"old style, without hash", "node='n' ver='0.9' ext='a b'", infoNews, "urn:a urn:b;", true},
		{"nothing wanted", good, "<feature var='urn:a'/><feature var='+notify'/>", "", true},
		{"feature twice", "hash='sha-1' node='n' ver='" + sha1Of("urn:a+notify<urn:a+notify<") + "'", "<feature var='urn:a+notify'/><feature var='urn:a+notify'/>", "urn:a;", true},
		{"cut otherwise, with the same hash", good, "<feature var='client/pc//c&lt;urn:a+notify&lt;urn:b+notify'/>", "urn:a urn:b;", false},
		{"too many", "node='n' ver='1'", manyWishes(), "", true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newCapsWorld(t)
			if !w.shows(newFake("pc-1"), tc.claim, tc.info) {
				t.Fatal("the client is not asked")
			}
			if w.wanted["pc-1"] != tc.wanted {
				t.Errorf("wanted %q, want %q", w.wanted["pc-1"], tc.wanted)
			}
			if asked := w.shows(newFake("pc-2"), tc.claim, ""); asked != tc.asksNext {
				t.Errorf("the next client is asked: %v, want %v", asked, tc.asksNext)
			}
			if !tc.asksNext && w.wanted["pc-2"] != tc.wanted {
				t.Errorf("the next client wants %q, want %q", w.wanted["pc-2"], tc.wanted)
			}
		})
	}
}

func manyWishes() string {
	var b strings.Builder
	for i := range maxWishes + 1 {
		fmt.Fprintf(&b, "<feature var='urn:%d+notify'/>", i)
	}
	return b.String()
}

// TestClientCapsChange: a client is asked when it claims something else, and what it wanted already is not told again until it was away.
func TestClientCapsChange(t *testing.T) {
	w, c := newCapsWorld(t), newFake("pc-1")
	w.shows(c, "node='n' ver='1'", infoNews)
	if w.shows(c, "node='n' ver='1'", "") || !c.State().Wishes("urn:a") || c.State().Wishes("urn:c") {
		t.Error("the same claim is asked for again, or its answer forgotten")
	}
	w.shows(c, "node='n' ver='2'", "<feature var='urn:a+notify'/><feature var='urn:c+notify'/>")
	if got := w.wanted["pc-1"]; got != "urn:a urn:b;urn:c;" || c.State().Wishes("urn:b") {
		t.Errorf("wanted %q, and still urn:b: %v", got, c.State().Wishes("urn:b"))
	}
	c.State().SetPresence(Presence{})
	if c.State().Wishes("urn:a") {
		t.Error("a client that is not available wants something")
	}
	w.shows(c, "node='n' ver='2'", "<feature var='urn:a+notify'/>")
	if got := w.wanted["pc-1"]; got != "urn:a urn:b;urn:c;urn:a;" {
		t.Errorf("wanted %q after it came back", got)
	}
}

// TestClientCapsAskedAgain: a client that could not be asked is asked with its next presence.
func TestClientCapsAskedAgain(t *testing.T) {
	w, c := newCapsWorld(t), newFake("pc-1")
	c.gone = true
	if w.shows(c, "node='n' ver='1'", infoNews) {
		t.Fatal("a client without a connection is asked")
	}
	c.gone = false
	if !w.shows(c, "node='n' ver='1'", infoNews) || w.wanted["pc-1"] != "urn:a urn:b;" {
		t.Errorf("wanted %q after the connection came back", w.wanted["pc-1"])
	}
}

// TestVerification is the example of XEP-0115 section 5.3.
func TestVerification(t *testing.T) {
	info := parsed(t, `<iq><query xmlns='http://jabber.org/protocol/disco#info'>
		<identity xml:lang='en' category='client' name='Psi 0.11' type='pc'/><identity xml:lang='el' category='client' name='Ψ 0.11' type='pc'/>
		<feature var='http://jabber.org/protocol/caps'/><feature var='http://jabber.org/protocol/disco#info'/><feature var='http://jabber.org/protocol/disco#items'/>
		<feature var='http://jabber.org/protocol/muc'/>
		<x xmlns='jabber:x:data' type='result'><field var='FORM_TYPE' type='hidden'><value>urn:xmpp:dataforms:softwareinfo</value></field>
		<field var='ip_version'><value>ipv4</value><value>ipv6</value></field><field var='os'><value>Mac</value></field>
		<field var='os_version'><value>10.5.1</value></field><field var='software'><value>Psi</value></field><field var='software_version'><value>0.11</value></field></x>
		</query></iq>`)
	text, sound := verification(info.Element().Child("http://jabber.org/protocol/disco#info", "query"))
	if !sound || !proves(text, "sha-1", "q07IKJEyjvHSyhy//CH0CxmKi8w=") {
		t.Errorf("verification = %q, %v", text, sound)
	}
	two := parsed(t, `<iq><query xmlns='http://jabber.org/protocol/disco#info'><x xmlns='jabber:x:data'><field var='FORM_TYPE' type='hidden'><value>a</value><value>b</value>
		</field></x></query></iq>`)
	if _, sound := verification(two.Element().Child("http://jabber.org/protocol/disco#info", "query")); sound {
		t.Error("a form of two types proves something")
	}
}

func TestCapsCacheIsBounded(t *testing.T) {
	var c capsCache
	for i := range 3 * maxCaps {
		c.add("sha-1", fmt.Sprint(i), []string{strings.Repeat("x", i%(maxWishesSize))})
	}
	bytes := 0
	for k, w := range c.byVer {
		bytes += capsBytes(k, w)
	}
	if len(c.byVer) > maxCaps || bytes > maxCapsBytes || bytes != c.bytes || len(c.byVer) < 10 {
		t.Errorf("%d entries of %d bytes, counted as %d", len(c.byVer), bytes, c.bytes)
	}
	if _, ok := c.find("sha-1", fmt.Sprint(3*maxCaps-1)); !ok {
		t.Error("the last entry is not there")
	}
}

// FuzzVerification: whatever a client answers, its wishes are those that stand in the string which is hashed, in order.
func FuzzVerification(f *testing.F) {
	f.Add([]byte("<iq>" + infoNews + "<x xmlns='jabber:x:data'><field var='FORM_TYPE' type='hidden'><value>a</value></field><field var='b'><value>c+notify</value></field></x></iq>"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		st, err := scan.ParseInStream(raw, scan.Limits{})
		if err != nil {
			t.Skip()
		}
		text, _ := verification(st.Element())
		last := ""
		for _, w := range wishesOf(text) {
			if w <= last || !strings.Contains(text, w+"+notify<") {
				t.Errorf("%q wishes for %q after %q", text, w, last)
			}
			last = w
		}
	})
}
