package websocket

import (
	"strings"
	"testing"

	"signalbox/xmpp/scan"
)

var testLimits = scan.Limits{Bytes: 10000, Depth: 64, Attributes: 64, Namespaces: 64}

const (
	openIn = "<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' to='a.example' version='1.0'/>"
	// streamIn is what it stands for.
	streamIn = "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' to='a.example' version='1.0'>"
)

func TestInward(t *testing.T) {
	for _, tc := range []struct{ name, in, want string }{
		{"open", openIn, streamIn},
		{"open with everything", "<f:open xmlns:f='urn:ietf:params:xml:ns:xmpp-framing' xml:lang='de' from='x&apos;>' to=\"a\" version='1.0'></f:open>",
			"<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' to='a' from='x&apos;&gt;' version='1.0' xml:lang='de'>"},
		{"close", "<close xmlns='urn:ietf:params:xml:ns:xmpp-framing'/>", "</stream:stream>"},
		{"stanza", "<iq xmlns='jabber:client' type='get' id='1'><ping xmlns='urn:xmpp:ping'/></iq>", "<iq xmlns='jabber:client' type='get' id='1'><ping xmlns='urn:xmpp:ping'/></iq>"},
		{"no namespace", "<iq type='get' id='1'><ping xmlns='urn:xmpp:ping'/></iq>", "<iq xmlns='' type='get' id='1'><ping xmlns='urn:xmpp:ping'/></iq>"},
		{"no namespace inside", "<c:message xmlns:c='jabber:client'><body/></c:message>", "<c:message xmlns='' xmlns:c='jabber:client'><body/></c:message>"},
		{"prefix of its own", "<stream:features xmlns:stream='http://etherx.jabber.org/streams'/>", "<stream:features xmlns:stream='http://etherx.jabber.org/streams'/>"},
		{"a name like the framing's", "<open xmlns='urn:x'/>", "<open xmlns='urn:x'/>"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, closes, err := inward([]byte(tc.in), testLimits)
			if err != nil || string(got) != tc.want || closes != (tc.name == "close") {
				t.Errorf("inward(%s) =\n%s, %v, %v, want\n%s", tc.in, got, closes, err, tc.want)
			}
		})
	}
}

func TestInwardRefuses(t *testing.T) {
	for _, tc := range []struct {
		name, in string
		want     scan.Condition
	}{
		{"nothing", "", scan.NotWellFormed},
		{"white space", " ", scan.NotWellFormed},
		{"white space first", " <presence xmlns='jabber:client'/>", scan.NotWellFormed},
		{"white space behind", "<presence xmlns='jabber:client'/>\n", scan.NotWellFormed},
		{"text", "hello", scan.NotWellFormed},
		{"text behind", "<presence xmlns='jabber:client'/>hello", scan.NotWellFormed},
		{"half", "<presence xmlns='jabber:client'>", scan.NotWellFormed},
		{"end tag alone", "</stream:stream>", scan.NotWellFormed},
		{"two elements", "<a xmlns='u'/><b xmlns='u'/>", scan.NotWellFormed},
		{"element and stream header", "<a xmlns='u'/>" + streamIn, scan.NotWellFormed},
		{"open and element", openIn + "<a xmlns='u'/>", scan.NotWellFormed},
		{"stream header", streamIn, scan.InvalidXML},
		{"stream as an element", streamIn + "<a/></stream:stream>", scan.InvalidXML},
		{"stream by another prefix", "<s:stream xmlns:s='http://etherx.jabber.org/streams'/>", scan.InvalidXML},
		{"stream without prefix", "<stream xmlns='http://etherx.jabber.org/streams'/>", scan.InvalidXML},
		{"undeclared prefix", "<stream:features/>", scan.NotWellFormed},
		{"XML declaration", "<?xml version='1.0'?><presence xmlns='jabber:client'/>", scan.NotWellFormed},
		{"processing instruction", "<a xmlns='u'><?x y?></a>", scan.RestrictedXML},
		{"comment", "<!-- --><a xmlns='u'/>", scan.RestrictedXML},
		{"DOCTYPE", "<!DOCTYPE x [<!ENTITY a 'b'>]><x xmlns='u'>&a;</x>", scan.RestrictedXML},
		{"byte order mark", "\xef\xbb\xbf<a xmlns='u'/>", scan.NotWellFormed},
		{"not UTF-8", "<a xmlns='u'>\xff</a>", scan.NotWellFormed},
		{"NUL", "<a xmlns='u'>\x00</a>", scan.NotWellFormed},
		{"too long", "<a xmlns='u'>" + strings.Repeat("x", 10000) + "</a>", scan.PolicyViolation},
		{"too deep", strings.Repeat("<a>", 100) + strings.Repeat("</a>", 100), scan.PolicyViolation},
		{"other framing", "<restart xmlns='urn:ietf:params:xml:ns:xmpp-framing'/>", scan.InvalidXML},
		{"open with an inside", "<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' to='a'><a/></open>", scan.InvalidXML},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, _, err := inward([]byte(tc.in), testLimits)
			if err == nil {
				t.Fatalf("inward(%s) = %s, want %v", tc.in, got, tc.want)
			}
			if e := err.(*scan.Error); e.Condition != tc.want {
				t.Errorf("inward(%s) = %v, want %v", tc.in, err, tc.want)
			}
			wantRefused(t, refusal(err), tc.want)
		})
	}
}

// wantRefused feeds a stream that waits for its header, and one that has it, with the text that stands for a refused message.
func wantRefused(t *testing.T, text string, want scan.Condition) {
	t.Helper()
	if text[0] != '<' {
		t.Errorf("%s does not begin as every message must", text)
	}
	widest := scan.Limits{Bytes: 2 << 20, Depth: 256, Attributes: 64, Namespaces: 64}
	for name, before := range map[string]string{"header": "", "inside": streamIn} {
		sc := scan.New(widest)
		if before != "" {
			if _, _, err := sc.Next([]byte(before)); err != nil {
				t.Fatal(err)
			}
		}
		_, _, err := sc.Next([]byte(text))
		if e, ok := err.(*scan.Error); !ok || e.Condition != want {
			t.Errorf("%s: %.60s is refused with %v, want %v", name, text, err, want)
		}
	}
}

// FuzzInward: whatever a client sends, the stream finds exactly the element that the message is, a header, or the end, or it refuses.
func FuzzInward(f *testing.F) {
	for _, s := range []string{openIn, "<close xmlns='urn:ietf:params:xml:ns:xmpp-framing'/>", "<iq type='get'><a/></iq>", "<a xmlns='u'/><b/>", streamIn, " ", "<!DOCTYPE a>",
		"<c:message xmlns:c='jabber:client'><body/></c:message>", "<a xmlns:stream='u'><stream:b xmlns='v'/></a>", "<o:open xmlns:o='urn:ietf:params:xml:ns:xmpp-framing' to='&#9;&apos;'/>"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, message []byte) {
		text, closes, err := inward(message, testLimits)
		if err != nil {
			wantRefused(t, refusal(err), err.(*scan.Error).Condition)
			return
		}
		el, err := scan.Parse(message, testLimits)
		if err != nil {
			t.Fatalf("%q was let in and is no element: %v", message, err)
		}
		framing := string(el.Namespace()) == nsFraming
		sc := scan.New(scan.Limits{Bytes: 20000, Depth: 64, Attributes: 65, Namespaces: 65})
		if !framing || closes {
			if _, _, err := sc.Next([]byte(streamIn)); err != nil {
				t.Fatal(err)
			}
		}
		ev, n, err := sc.Next(text)
		if err != nil || n != len(text) {
			t.Fatalf("%q became %q, of which the stream takes %d bytes: %v", message, text, n, err)
		}
		switch {
		case closes:
			if ev.Kind != scan.StreamClose {
				t.Errorf("%q became %v", message, ev.Kind)
			}
		case framing:
			if ev.Kind != scan.StreamOpen || ev.Header.To != string(el.To()) || ev.Header.Default != scan.NamespaceClient || !ev.Header.IsStream() {
				t.Errorf("%q became %v, %+v", message, ev.Kind, ev.Header)
			}
		default:
			got := ev.Stanza
			if ev.Kind != scan.TopLevel || string(got.Namespace()) != string(el.Namespace()) || string(got.Local()) != string(el.Local()) || got.Kind != el.Kind ||
				got.Children != el.Children || string(got.ChildNamespace()) != string(el.ChildNamespace()) || string(got.ID()) != string(el.ID()) || got.InheritsDefault || got.NeedsRedeclare() {
				t.Errorf("%q became %q: %v {%s}%s", message, text, ev.Kind, got.Namespace(), got.Local())
			}
		}
	})
}
