package scan

import (
	"errors"
	"testing"
)

const (
	openClient = `<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' to='example.com' version='1.0'>`
	decl       = `<?xml version='1.0'?>`
)

// corpus holds one input for each known way in which XML parsers differ. Each follows a stream header unless whole is set.
var corpus = []struct {
	name  string
	input string
	whole bool
	// pending: neither accepted nor refused yet.
	pending bool
	want    Condition // 0: accepted
}{
	{name: "plain", input: `<message to='a'><body>hi</body></message>`},
	{name: "invalid UTF-8 before a quote", input: "<a b='\xC3'/>", want: NotWellFormed},
	{name: "overlong less-than", input: "<a>\xC0\xBC</a>", want: NotWellFormed},
	{name: "truncated sequence before a tag end", input: "<a>\xE2\x82</a>", want: NotWellFormed},
	{name: "truncated sequence before >", input: "<a\xE2\x82></a>", want: NotWellFormed},
	{name: "tag name ends in a truncated sequence", input: "<a\xC3 b=''/>", want: NotWellFormed},
	{name: "surrogate", input: "<a>\xED\xA0\x80</a>", want: NotWellFormed},
	{name: "beyond U+10FFFF", input: "<a>\xF4\x90\x80\x80</a>", want: NotWellFormed},
	{name: "NUL", input: "<a>\x00</a>", want: NotWellFormed},
	{name: "control character", input: "<a>\x1B</a>", want: NotWellFormed},
	{name: "U+FFFE", input: "<a>\uFFFE</a>", want: NotWellFormed},
	{name: "U+FFFF in a value", input: "<a b='\uFFFF'/>", want: NotWellFormed},
	{name: "U+FFFD", input: "<a>\uFFFD</a>"},
	{name: "reference to NUL", input: `<a>&#0;</a>`, want: NotWellFormed},
	{name: "reference to a control character", input: `<a>&#x1;</a>`, want: NotWellFormed},
	{name: "reference to U+FFFE", input: `<a>&#xFFFE;</a>`, want: NotWellFormed},
	{name: "reference to a surrogate", input: `<a>&#xD800;</a>`, want: NotWellFormed},
	{name: "reference beyond Unicode", input: `<a>&#x110000;</a>`, want: NotWellFormed},
	{name: "reference that wraps 32 bits", input: `<a>&#4294967361;</a>`, want: NotWellFormed},
	{name: "reference with leading zeros", input: `<a>&#x00000000000000000041;</a>`},
	{name: "reference without digits", input: `<a>&#;</a>`, want: NotWellFormed},
	{name: "hexadecimal reference without digits", input: `<a>&#x;</a>`, want: NotWellFormed},
	{name: "hexadecimal reference with capital X", input: `<a>&#X41;</a>`, want: NotWellFormed},
	{name: "bare ampersand", input: `<a>a & b</a>`, want: NotWellFormed},
	{name: "predefined entities", input: `<a b='&lt;&gt;&amp;&apos;&quot;'>&lt;&gt;&amp;&apos;&quot;</a>`},
	{name: "document type with an entity", whole: true, input: `<!DOCTYPE x [<!ENTITY e 'v'>]>` + openClient, want: RestrictedXML},
	{name: "document type in content", input: `<a><!DOCTYPE x></a>`, want: RestrictedXML},
	{name: "document type between stanzas", input: `<!DOCTYPE x>`, want: RestrictedXML},
	{name: "undefined entity", input: `<a>&foo;</a>`, want: RestrictedXML},
	{name: "undefined entity in a value", input: `<a b='&foo;'/>`, want: RestrictedXML},
	{name: "nbsp", input: `<a>&nbsp;</a>`, want: RestrictedXML},
	{name: "comment", input: `<a><!-- x --></a>`, want: RestrictedXML},
	{name: "comment between stanzas", input: `<!-- x -->`, want: RestrictedXML},
	{name: "comment before the header", whole: true, input: decl + `<!-- x -->` + openClient, want: RestrictedXML},
	{name: "processing instruction", input: `<a><?x y?></a>`, want: RestrictedXML},
	{name: "processing instruction named like xml", input: `<?xml-stylesheet href='x'?>`, want: RestrictedXML},
	{name: "processing instruction before the header", whole: true, input: `<?x y?>` + openClient, want: RestrictedXML},
	{name: "CDATA", input: `<a><![CDATA[<&]]>]]&gt;</a>`},
	{name: "CDATA between stanzas", input: `<![CDATA[x]]>`, want: NotWellFormed},
	{name: "CDATA in lower case", input: `<a><![cdata[x]]></a>`, want: NotWellFormed},
	{name: "illegal character in CDATA", input: "<a><![CDATA[\x00]]></a>", want: NotWellFormed},
	{name: "undeclared prefix", input: `<x:a/>`, want: NotWellFormed},
	{name: "undeclared prefix of an attribute", input: `<a x:b=''/>`, want: NotWellFormed},
	{name: "prefix used outside of its element", input: `<a><b xmlns:x='u'/><x:c/></a>`, want: NotWellFormed},
	{name: "xmlns as element prefix", input: `<xmlns:a/>`, want: NotWellFormed},
	{name: "end tag with another prefix of the same namespace", input: `<x:a xmlns:x='u' xmlns:y='u'></y:a>`, want: NotWellFormed},
	{name: "xmlns:xml rebound", input: `<a xmlns:xml='u'/>`, want: NotWellFormed},
	{name: "xmlns:xml as it is", input: `<a xmlns:xml='http://www.w3.org/XML/1998/namespace'/>`},
	{name: "another prefix for xml", input: `<a xmlns:x='http://www.w3.org/XML/1998/namespace'/>`, want: NotWellFormed},
	{name: "xml as default namespace", input: `<a xmlns='http://www.w3.org/XML/1998/namespace'/>`, want: NotWellFormed},
	{name: "xmlns:xmlns", input: `<a xmlns:xmlns='u'/>`, want: NotWellFormed},
	{name: "namespace of xmlns", input: `<a xmlns:x='http://www.w3.org/2000/xmlns/'/>`, want: NotWellFormed},
	{name: "xml:lang", input: `<a xml:lang='de'/>`},
	{name: "name with two colons", input: `<a:b:c xmlns:a='u'/>`, want: NotWellFormed},
	{name: "attribute with two colons", input: `<a xmlns:b:c='u'/>`, want: NotWellFormed},
	{name: "leading colon", input: `<:x/>`, want: NotWellFormed},
	{name: "trailing colon", input: `<x: xmlns:x='u'/>`, want: NotWellFormed},
	{name: "local part starts with a digit", input: `<x:1 xmlns:x='u'/>`, want: NotWellFormed},
	{name: "duplicate attribute", input: `<a b='1' b='2'/>`, want: NotWellFormed},
	{name: "duplicate default namespace", input: `<a xmlns='u' xmlns='u'/>`, want: NotWellFormed},
	{name: "duplicate attribute by two prefixes", input: `<a xmlns:x='u' xmlns:y='u' x:b='1' y:b='2'/>`, want: NotWellFormed},
	{name: "duplicate attribute by escaped namespace", input: `<a xmlns:x='u' xmlns:y='&#117;' x:b='1' y:b='2'/>`, want: NotWellFormed},
	{name: "duplicate attribute by a prefix of the header", input: `<a xmlns:x='http://etherx.jabber.org/streams' x:b='1' stream:b='2'/>`, want: NotWellFormed},
	{name: "duplicate attribute by two prefixes of the header", whole: true, want: NotWellFormed,
		input: `<s:stream xmlns:s='http://etherx.jabber.org/streams' xmlns:x='u' xmlns:y='u'><a x:b='1' y:b='2'/>`},
	{name: "same local name in two namespaces", input: `<a xmlns:x='u' xmlns:y='v' x:b='1' y:b='2' b='3'/>`},
	{name: "unquoted attribute", input: `<a b=1/>`, want: NotWellFormed},
	{name: "attribute without value", input: `<a b/>`, want: NotWellFormed},
	{name: "less-than in an attribute", input: `<a b='<'/>`, want: NotWellFormed},
	{name: "greater-than in an attribute", input: `<a b='>'/>`},
	{name: "no space between attributes", input: `<a b='1'c='2'/>`, want: NotWellFormed},
	{name: "white space around =", input: "<a b\n=\t'1' />"},
	{name: "]]> in text", input: `<a>]]></a>`, want: NotWellFormed},
	{name: "]]]> in text", input: `<a>]]]></a>`, want: NotWellFormed},
	{name: "brackets behind CDATA", input: `<a><![CDATA[x]]>></a>`},
	{name: "wrong end tag", input: `<a></b>`, want: NotWellFormed},
	{name: "end tag that goes on", input: `<a></ab>`, want: NotWellFormed},
	{name: "end tag with white space", input: "<a></a\n>"},
	{name: "end tag with attribute", input: `<a></a b=''>`, want: NotWellFormed},
	{name: "end tag of the stream inside a stanza", input: `<a></stream:stream>`, want: NotWellFormed},
	{name: "end tag of a stream with another name", input: `</x:stream>`, want: NotWellFormed},
	{name: "XML declaration in content", input: `<a><?xml version='1.0'?></a>`, want: NotWellFormed},
	{name: "XML declaration between stanzas", input: decl, want: NotWellFormed},
	{name: "XML declaration behind white space", whole: true, input: ` ` + decl + openClient, want: NotWellFormed},
	{name: "two XML declarations", whole: true, input: decl + decl + openClient, want: NotWellFormed},
	{name: "full XML declaration", whole: true, input: "\uFEFF<?xml version=\"1.0\" encoding='utf-8' standalone = 'yes' ?>\n" + openClient},
	{name: "latin-1", whole: true, input: `<?xml version='1.0' encoding='iso-8859-1'?>` + openClient, want: UnsupportedEncoding},
	{name: "UTF-16 declared", whole: true, input: `<?xml version='1.0' encoding='UTF-16'?>` + openClient, want: UnsupportedEncoding},
	{name: "malformed encoding", whole: true, input: `<?xml version='1.0' encoding='8'?>` + openClient, want: NotWellFormed},
	{name: "XML 1.1", whole: true, input: `<?xml version='1.1'?>` + openClient, want: NotWellFormed},
	{name: "no version", whole: true, input: `<?xml encoding='utf-8'?>` + openClient, want: NotWellFormed},
	{name: "unknown pseudo attribute", whole: true, input: `<?xml version='1.0' x='1'?>` + openClient, want: NotWellFormed},
	{name: "standalone maybe", whole: true, input: `<?xml version='1.0' standalone='maybe'?>` + openClient, want: NotWellFormed},
	{name: "prefix undeclared", input: `<a xmlns:p='u'><b xmlns:p=''/></a>`, want: NotWellFormed},
	{name: "default namespace undeclared", input: `<a><b xmlns=''/></a>`},
	{name: "name starts with a digit", input: `<1a/>`, want: NotWellFormed},
	{name: "name of the fifth edition only", input: "<\u0132/>", want: NotWellFormed},
	{name: "name beyond the basic plane", input: "<a\U00010000/>", want: NotWellFormed},
	{name: "name with umlaut", input: "<\u00e4\u0301/>"},
	{name: "attribute name with a quote", input: `<a b'='1'/>`, want: NotWellFormed},
	{name: "namespace name with a line feed", input: "<a xmlns='u\nv'/>", want: NotWellFormed},
	{name: "namespace name with an escaped line feed", input: "<a xmlns='u&#10;v'/>", want: NotWellFormed},
	{name: "namespace name with a brace", input: `<a xmlns='u}v'/>`, want: NotWellFormed},
	{name: "namespace name with an escaped brace", input: `<a xmlns:x='u&#x7d;v'/>`, want: NotWellFormed},
	{name: "namespace name of the header with a brace", whole: true, want: NotWellFormed,
		input: `<s:stream xmlns:s='http://etherx.jabber.org/streams' xmlns:x='{u}'>`},
	{name: "namespace name with all that a URI may hold", input: `<a xmlns="a1%-._~:/?#[]@!$&amp;'()*+,;="/>`},
	{name: "namespace name beyond ASCII", input: "<a xmlns='u\u00e9\U0001F600'/>"},
	{name: "two roots", input: `</stream:stream><a/>`, want: NotWellFormed},
	{name: "text after the root", input: `</stream:stream>x`, want: NotWellFormed},
	{name: "text between stanzas", input: `<a/>x`, want: NotWellFormed},
	{name: "second stream header", input: openClient, want: InvalidXML},
	{name: "stream header that closes itself", whole: true, input: `<stream:stream xmlns:stream='http://etherx.jabber.org/streams'/>`, want: InvalidXML},
	{name: "stream header without declaration", whole: true, input: `<stream:stream>`, want: NotWellFormed},
	{name: "HTTP request", whole: true, input: "GET / HTTP/1.1\r\n\r\n", want: NotWellFormed},
	{name: "TLS ClientHello", whole: true, input: "\x16\x03\x01\x02\x00\x01\x00", want: NotWellFormed},
	{name: "UTF-16", whole: true, input: "\xFF\xFE<\x00s\x00", want: NotWellFormed},
	{name: "cut byte-order mark", whole: true, input: "\xEF\xBB<a>", want: NotWellFormed},
	{name: "byte-order mark between stanzas", input: "\uFEFF<a/>", want: NotWellFormed},
	{name: "value that is never closed", input: `<a b='1`, pending: true},
	{name: "quote behind the attributes", input: `<a b='1' '`, want: NotWellFormed},
	{name: "quote in an end tag", input: `<a></a '`, want: NotWellFormed},
	{name: "two equals signs", input: `<a b=='1'/>`, want: NotWellFormed},
	{name: "slash without end", input: `<a / >`, want: NotWellFormed},
	{name: "space before the name", input: `< a/>`, want: NotWellFormed},
	{name: "empty tag", input: `<>`, want: NotWellFormed},
	{name: "tag inside a tag", input: `<a <b/>`, want: NotWellFormed},
}

// wholeInput returns the input with the stream header that it goes with.
func wholeInput(input string, whole bool) string {
	if whole {
		return input
	}
	return openClient + input
}

func TestCorpus(t *testing.T) {
	for _, tt := range corpus {
		t.Run(tt.name, func(t *testing.T) {
			s := New(Limits{})
			_, err := drain(&s, []byte(wholeInput(tt.input, tt.whole)))
			if got := conditionOf(t, err); got != tt.want {
				t.Errorf("%q: %v, want %v", tt.input, err, tt.want)
			}
			if pending := s.work != nil; pending != tt.pending {
				t.Errorf("%q: pending = %t, want %t", tt.input, pending, tt.pending)
			}
		})
	}
}

func conditionOf(t *testing.T, err error) Condition {
	t.Helper()
	if err == nil {
		return 0
	}
	var e *Error
	if !errors.As(err, &e) {
		t.Fatalf("%T is no *Error", err)
	}
	return e.Condition
}
