package xml

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"signalbox/tests/harness"
)

// foreign is one input for each way in which parsers are known to differ.
var foreign = []struct {
	name  string
	input string // inside a message to the other endpoint, unless it says where it stands
	where place
	want  string // condition of the stream error; empty: it is valid
}{
	{name: "invalid UTF-8 before a quote", input: "<a b='\xC3'/>", want: "not-well-formed"},
	{name: "overlong less-than", input: "\xC0\xBC", want: "not-well-formed"},
	{name: "truncated sequence before >", input: "<a\xE2\x82></a>", want: "not-well-formed"},
	{name: "tag name that ends in a truncated sequence", input: "<a\xC3 b=''/>", want: "not-well-formed"},
	{name: "surrogate", input: "\xED\xA0\x80", want: "not-well-formed"},
	{name: "NUL", input: "\x00", want: "not-well-formed"},
	{name: "reference to NUL", input: `&#0;`, want: "not-well-formed"},
	{name: "reference to U+0001", input: `&#x1;`, want: "not-well-formed"},
	{name: "reference to U+FFFE", input: `&#xFFFE;`, want: "not-well-formed"},
	{name: "DOCTYPE with an entity", where: asHeader, input: `<!DOCTYPE x [<!ENTITY e 'v'>]>` + plainHeader[len("<?xml version='1.0'?>"):], want: "restricted-xml"},
	{name: "DOCTYPE in content", input: `<!DOCTYPE x>`, want: "restricted-xml"},
	{name: "undefined entity", input: `&foo;`, want: "restricted-xml"},
	{name: "nbsp", input: `&nbsp;`, want: "restricted-xml"},
	{name: "comment", input: `<!-- x -->`, want: "restricted-xml"},
	{name: "processing instruction", input: `<?x y?>`, want: "restricted-xml"},
	{name: "CDATA", input: `<![CDATA[<a>&b;]]>`},
	{name: "undeclared prefix", input: `<x:a/>`, want: "not-well-formed"},
	{name: "end tag with another prefix of the same namespace", input: `<x:a xmlns:x='u' xmlns:y='u'></y:a>`, want: "not-well-formed"},
	{name: "xmlns:xml rebound", input: `<a xmlns:xml='u'/>`, want: "not-well-formed"},
	{name: "xmlns:xmlns", input: `<a xmlns:xmlns='u'/>`, want: "not-well-formed"},
	{name: "name with two colons", input: `<x:b:c xmlns:x='u'/>`, want: "not-well-formed"},
	{name: "leading colon", input: `<:x/>`, want: "not-well-formed"},
	{name: "trailing colon", input: `<x: xmlns:x='u'/>`, want: "not-well-formed"},
	{name: "duplicate attribute", input: `<a b='1' b='2'/>`, want: "not-well-formed"},
	{name: "duplicate attribute by two prefixes", input: `<a xmlns:x='u' xmlns:y='u' x:b='1' y:b='2'/>`, want: "not-well-formed"},
	{name: "unquoted attribute", input: `<a b=1/>`, want: "not-well-formed"},
	{name: "less-than in an attribute", input: `<a b='<'/>`, want: "not-well-formed"},
	{name: "no space between attributes", input: `<a b='1'c='2'/>`, want: "not-well-formed"},
	{name: "]]> in text", input: `]]>`, want: "not-well-formed"},
	{name: "wrong end tag", input: `<a></b>`, want: "not-well-formed"},
	{name: "XML declaration in content", input: `<?xml version='1.0'?>`, want: "not-well-formed"},
	{name: "latin-1", where: asHeader, input: strings.Replace(plainHeader, "?>", " encoding='iso-8859-1'?>", 1), want: "unsupported-encoding"},
	{name: "XML 1.1", where: asHeader, input: strings.Replace(plainHeader, "1.0", "1.1", 1), want: "not-well-formed"},
	{name: "prefix undeclared", input: `<a xmlns:p='u'><b xmlns:p=''/></a>`, want: "not-well-formed"},
	{name: "name that starts with a digit", input: `<1a/>`, want: "not-well-formed"},
	{name: "attribute name with a quote", input: `<a b'='1'/>`, want: "not-well-formed"},
	{name: "namespace name with a line feed", input: "<a xmlns='u\nv'/>", want: "not-well-formed"},
	{name: "two roots", where: betweenStanzas, input: plainHeader[len("<?xml version='1.0'?>"):], want: "invalid-xml"},
	{name: "text after a stanza", where: betweenStanzas, input: "x", want: "not-well-formed"},
	// beyond the corpus
	{name: "namespace name with a brace, which xml.etree refuses", input: "<a xmlns='u}v'/>", want: "not-well-formed"},
	{name: "stream error inside", input: "<stream:error/>", want: "invalid-xml"},
	{name: "stream error in other words", input: "<error xmlns='http://etherx.jabber.org/streams'/>", want: "invalid-xml"},
	{name: "DOCTYPE between stanzas", where: betweenStanzas, input: `<!DOCTYPE x [<!ENTITY e 'v'>]>`, want: "restricted-xml"},
	{name: "stanza of servers", where: betweenStanzas, input: "<message xmlns='jabber:server' to='pc-b@" + harness.Domain + "'/>", want: "unsupported-stanza-type"},
	{name: "forged sender", where: betweenStanzas, input: "<message from='pc-b@" + harness.Domain + "' to='pc-b@" + harness.Domain + "'/>", want: "invalid-from"},
	{name: "nested too deeply", input: nested(256, "<a>", "", "</a>"), want: "policy-violation"},
	{name: "too many attributes", input: "<a" + attributes("a", 65) + "/>", want: "policy-violation"},
	{name: "too many declarations", input: "<a" + declarations("n", 33) + "><b" + declarations("m", 32) + "/></a>", want: "policy-violation"},
}

// place says where an input stands in a stream.
type place int

const (
	inMessage place = iota
	betweenStanzas
	asHeader
)

var streamError = regexp.MustCompile(`<stream:error><([a-z-]+) xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error></stream:stream>$`)

// TestMalformedEndsTheSenderAlone: the stream that is malformed is told so and closed; who was written to has got nothing of it and lives on, and the sender may
// come back.
func TestMalformedEndsTheSenderAlone(t *testing.T) {
	t.Parallel()
	s := startOpen(t)
	b := online(t, s, "pc-b", plainHeader)
	const to = "<message to='pc-b@" + harness.Domain + "'"
	var arrived []string
	for i, tc := range foreign {
		t.Run(tc.name, func(t *testing.T) {
			got := sendForeign(t, s, tc.where, tc.input, to+" id='bad'><x>", "</x></message>")
			if got != tc.want {
				t.Errorf("the sender's stream ended with %q, want %q", got, tc.want)
			}
			if tc.want == "" {
				arrived = append(arrived, "bad")
			}
			id := fmt.Sprintf("good-%d", i)
			again := online(t, s, "pc-a", plainHeader)
			again.say(to + " id='" + id + "'/>")
			again.ping()
			b.t = t
			b.ping() // alive
			arrived = append(arrived, id)
		})
	}
	b.t = t
	forEachParser(t, [][]byte{b.received()}, func(t *testing.T, answers []answer) {
		var ids []string
		for _, item := range answers[0].Items {
			if item.Name == "{jabber:client}message" {
				ids = append(ids, item.Attrs["{}id"])
			}
		}
		if !slices.Equal(ids, arrived) {
			t.Errorf("the receiver got %q, want %q", ids, arrived)
		}
	})
}

// sendForeign sends an input on a stream of its own and returns the condition with which the server ended that, empty if it did not.
func sendForeign(t *testing.T, s *harness.Server, where place, input, before, behind string) string {
	t.Helper()
	if where == asHeader {
		a := connect(t, s, "pc-a")
		a.say(input)
		return condition(t, a)
	}
	a := online(t, s, "pc-a", plainHeader)
	if where == inMessage {
		input = before + input + behind
	}
	a.say(input + "<iq type='get' id='alive'><ping xmlns='urn:xmpp:ping'/></iq></stream:stream>")
	return condition(t, a)
}

// condition reads the end of a stream.
func condition(t *testing.T, w *wire) string {
	t.Helper()
	text := w.last()
	found := streamError.FindStringSubmatch(text)
	if found == nil {
		if !strings.Contains(text, "id='alive'") || !strings.HasSuffix(text, streamsEnd) {
			t.Errorf("the stream ended with %q, want an error, or an answer to the ping", text[max(0, len(text)-300):])
		}
		return ""
	}
	if strings.Contains(text, "id='alive'") {
		t.Errorf("what came behind the mistake was answered: %s", text)
	}
	return found[1]
}
