package xmpp

import (
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"

	"signalbox/internal/push"
	"signalbox/xmpp/transport"
)

var randomParts = regexp.MustCompile(` id='[A-Za-z0-9_-]{22}'| token='[A-Za-z0-9_-]{43}'| expiry='[^']*'`)

// conversation is what the stream answers to bytes that arrive in these pieces, without what is random in it.
func conversation(t testing.TB, pieces []string) string {
	b := newBench(t)
	b.cfg.FailureDelay = 0 // less than the configuration allows: no test waits for it
	k := b.connect(t)
	for _, p := range pieces {
		k.feed(p)
	}
	out := randomParts.ReplaceAllString(k.wire.take(), " id='*'")
	k.lose()
	b.answers.mu.Lock()
	defer b.answers.mu.Unlock()
	return out + "\n" + strings.Join(b.answers.text, "\n")
}

func split(s string, size int) (pieces []string) {
	for len(s) > size {
		pieces = append(pieces, s[:size])
		s = s[size:]
	}
	return append(pieces, s)
}

// cut cuts a text at places that a seed chooses, into short and long pieces.
func cut(s string, seed uint64) (pieces []string) {
	r := rand.New(rand.NewPCG(seed, 0))
	for len(s) > 0 {
		n := min(len(s), 1+r.IntN(1<<r.IntN(10)))
		pieces, s = append(pieces, s[:n]), s[n:]
	}
	return pieces
}

// TestAnySplitGivesTheSameConversation: what a stream does depends on the bytes and not on how the network cuts them.
func TestAnySplitGivesTheSameConversation(t *testing.T) {
	for name, text := range conversations {
		t.Run(name, func(t *testing.T) {
			want := conversation(t, []string{text})
			for _, size := range []int{1, 2, 3, 7, 64, 300} {
				if got := conversation(t, split(text, size)); got != want {
					t.Errorf("in pieces of %d:\n%s\nwhole:\n%s", size, got, want)
				}
			}
		})
	}
}

var conversations = map[string]string{
	"login":      login1 + enable + "<presence/>" + receipt(5) + ask + "</stream:stream>",
	"header":     strings.Replace(header, testDomain, "elsewhere", 1),
	"failure":    header + strings.Replace(authPC1, "AHBj", "AHBk", 1) + authPC1 + header,
	"comment":    login1 + "<message><!-- --></message>" + receipt(1),
	"no resume":  header + authPC1 + header + "<resume xmlns='urn:xmpp:sm:3' previd='x' h='0'/>" + bindAgent,
	"newlines":   header + authPC1 + "\n \n<?xml version='1.0'?>" + header + bindAgent,
	"not xml":    "GET / HTTP/1.1\r\n\r\n",
	"impatience": header + "<message/>" + authPC1,
	"questions": login1 + "<iq type='get' id='1'><ping xmlns='urn:xmpp:ping'/></iq><iq type='get' id='&lt;' to='" + testDomain + "'><ping xmlns='urn:xmpp:ping'/></iq>" +
		"<iq type='set' id='2'><ping xmlns='urn:xmpp:ping'/></iq><iq type='get'/><iq type='get' id='3'><a/><b/></iq><iq type='result' id='4'/><iq type='x' id='5'/>" + bindAgent,
	"addresses": login1 + "<message to='pc-2@" + testDomain + "/r'/><message to='pc-1@" + testDomain + "/agent'/><message to='PC-1@" + testDomain + "'/><message to='@'/>" +
		"<iq type='get' id='1' to='a@b'><x/></iq><iq type='get' id='2' to='" + testDomain + "/x'><x/></iq><message from='pc-1@" + testDomain + "' type='error'/><presence to='a@b'/>" +
		"<message from='pc-2@" + testDomain + "'/>",
	"results": login1 + enable + "<message to='" + testDomain + "'><result xmlns='urn:signalbox:push:1' id='" + push.ID(5).String() + "' status='ok'><json xmlns='urn:xmpp:json:0'>" +
		"[1]</json></result><result xmlns='urn:signalbox:push:1' id='" + push.ID(6).String() + "' status='failed'/><result xmlns='urn:signalbox:push:1' id='x' status='ok'/></message>" +
		"<message to='" + testDomain + "'><result xmlns='urn:signalbox:push:1' id='" + push.ID(7).String() + "' status='odd'/></message>",
	"acks": login1 + enable + "<a xmlns='urn:xmpp:sm:3' h='0'/>" + ask + "<active xmlns='urn:xmpp:csi:0'/><presence/><presence type='unavailable'/><a xmlns='urn:xmpp:sm:3' h='1'/>",
	"SASL2": header + request2(authenticatePC1, client+"<bind xmlns='urn:xmpp:bind:0'><tag>a&lt;b</tag>"+enable+"<active xmlns='urn:xmpp:csi:0'/></bind>"+
		"<resume xmlns='urn:xmpp:sm:3' previd='x' h='0'/><request-token xmlns='urn:xmpp:fast:0' mechanism='HT-SHA-256-NONE'/><odd xmlns='urn:odd'/>") + "<presence/>" + ask,
	"SASL2 without bind": header + request2(authenticatePC1, "") + bindAgent + enable,
	"SASL2 refused": header + request2("AHBjLTEAd3Jvbmc=", client) + request2("!", "") + request2(authenticatePC1, "<user-agent id='x'/>") + request2(authenticatePC1, "<fast xmlns='urn:xmpp:fast:0'/>") +
		request2(authenticatePC1, client+"<fast xmlns='urn:xmpp:fast:0' count='-1'/>"),
	"SASL2 in steps": header + "<authenticate xmlns='urn:xmpp:sasl:2' mechanism='PLAIN'/><abort xmlns='urn:xmpp:sasl:2'/><authenticate xmlns='urn:xmpp:sasl:2' mechanism='PLAIN'/>" +
		"<response xmlns='urn:xmpp:sasl:2'>" + authenticatePC1 + "</response>" + request2(authenticatePC1, ""),
	"SASL2 and SASL": header + "<authenticate xmlns='urn:xmpp:sasl:2' mechanism='PLAIN'/>" + authPC1,
	"SASL and SASL2": header + "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'/>" + request2(authenticatePC1, "") + authPC1 + header,
	"no ack":         login1 + enable + "<a xmlns='urn:xmpp:sm:3' h='-1'/>",
	"SCRAM": header + "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='SCRAM-SHA-256'>bj1wYy0xLHI9YWJj</auth>" +
		"<abort xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/><auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'/>" +
		"<response xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>AHBjLTEAczNjcmV0LTE=</response>" + header + bindAgent,
}

// FuzzStream feeds a stream with anything, whole and cut anywhere: it never panics, never writes after its end, and cuts make no difference.
func FuzzStream(f *testing.F) {
	for _, text := range conversations {
		f.Add(text, uint64(1), true)
		f.Add(strings.TrimPrefix(text, login1), uint64(2), false)
	}
	f.Fuzz(func(t *testing.T, text string, cuts uint64, fresh bool) {
		if len(text) > 4<<10 {
			return
		}
		if !fresh {
			text = login1 + text
		}
		pieces := cut(text, cuts)
		want := conversation(t, []string{text})
		if got := conversation(t, pieces); got != want {
			t.Errorf("cut into %q:\n%s\nwhole:\n%s", pieces, got, want)
		}
	})
}

var _ transport.Handler = (*stream)(nil)
