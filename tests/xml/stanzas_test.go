package xml

import (
	"fmt"
	"strings"
)

// headers begin the sender's stream. Each declares p and q, which stanzas may use without declaring them.
var headers = map[string]string{
	"plain": `<?xml version='1.0'?><stream:stream to='D' version='1.0' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' ` +
		`xmlns:p='urn:p' xmlns:q='urn:q'>`,
	"double quotes and line feeds": "<?xml version=\"1.0\" encoding='utf-8'?>\r\n<stream:stream\r\n\txmlns:p=\"urn:p?a=1&amp;b=2\"\nversion = \"1.0\" xmlns:stream =\n" +
		"\"http://etherx.jabber.org/streams\" xml:lang=\"de\" to=\"D\" xmlns:q=\"urn:&apos;\u00fc\U0001F600&#39;\"\n\txmlns=\"jabber&#x3a;client\" >",
	"one namespace, many prefixes": `<stream:stream to='D' version='1.0' xmlns:q='jabber:client' xmlns='jabber:client' xmlns:p='http://www.w3.org/1999/xhtml' ` +
		`xmlns:stream='http://etherx.jabber.org/streams' xmlns:streams='urn:s' xmlns:xm='urn:xm' xmlns:` + "e\u0301" + `='urn:e' xmlns:` + "\u00e9" + `='urn:e'>`,
	"many declarations": `<stream:stream to='D' version='1.0' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' xmlns:p='` +
		strings.Repeat("p", 200) + `' xmlns:q='urn:q'` + declarations("n", 50) + `>`,
}

// declarations declares n prefixes.
func declarations(prefix string, n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, " xmlns:%s%d='u:%s%d'", prefix, i, prefix, i)
	}
	return b.String()
}

func attributes(prefix string, n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, " %s%d='%d'", prefix, i, i)
	}
	return b.String()
}

func nested(depth int, open, inside, end string) string {
	return strings.Repeat(open, depth) + inside + strings.Repeat(end, depth)
}

// wholeStanzas are valid and unusual. TO and FROM stand for the addresses of the two endpoints.
var wholeStanzas = []string{
	`<message to='TO'><body>hi</body></message>`,
	`<message to='TO'/>`,
	`<message to='TO'></message>`,
	"<message\n\tto\r\n=\n\"TO\"\tid = \"x\"\n><body\n/></message\t\r\n>",
	`<message id="it's" to="TO" type="chat" ><body>double</body></message >`,
	`<message id='&quot;&apos;&lt;&gt;&amp;' to='TO' xml:lang='&lt;"&gt;'/>`,
	`<message id="'/>&lt;message to='x" to='TO'/>`,
	`<message id='' to='TO' xml:lang=''/>`,
	"<message id=' a\tb\nc\r\nd\re&#9;&#10;&#13;&#32; ' to='TO'/>",
	// whom it is from
	`<message from='FROM' to='TO'/>`,
	`<message to='TO' from="FROM"/>`,
	"<message to='TO' from\n = 'FROM'\n></message>",
	`<message from='&#x70;c-a@xmpp.signalbox.test' to='TO'/>`,
	`<message from='' to='TO'/>`,
	`<message p:from='mallory@example.com' to='TO'/>`,
	`<message xmlns:from='urn:from' from:from='mallory@example.com' to='TO'/>`,
	`<message xfrom='1' from-='2' _from='3' From='4' to='TO'/>`,
	`<message xmlns:f='urn:f' f:from='1' from='FROM' f:to='2' to='TO'/>`,
	`<message id=" from='mallory@example.com' " to='TO'/>`,
	// to whom
	`<message to='pc-b&#64;xmpp.signalbox.test'/>`,
	`<message to='pc-b@XMPP.Signalbox.test/wire'/>`,
	`<message to='PC-B@xmpp.signalbox.test'/>`,
	// the stanza's own namespace
	`<message xmlns='jabber:client' to='TO'><body/></message>`,
	`<message xmlns="jabber&#58;client" to='TO'><body/></message>`,
	`<c:message xmlns:c='jabber:client' to='TO'><body/><c:body/></c:message>`,
	`<c:message xmlns:c='jabber:client' xmlns='urn:other' to='TO'><body/><c:body/></c:message>`,
	`<c:message xmlns:c='jabber:client' xmlns='' to='TO'><body/><c:body/></c:message>`,
	`<stream:message xmlns:stream='jabber:client' to='TO'><stream:body/></stream:message>`,
	`<message to='TO' xmlns:stream='urn:not-streams'><stream:features/><x stream:y='1'/></message>`,
	`<message to='TO' stream:x='1'><body stream:x='2'/></message>`,
	`<p:message xmlns:p='jabber:client' to='TO' p:a='1' a='2'><q:x xmlns:q='jabber:client' p:b='3'/></p:message>`,
	// other kinds
	`<iq type='get' id='1' to='TO/wire'><query xmlns='urn:x'/></iq>`,
	`<iq type='set' id='2' to='TO/wire'><p:query/></iq>`,
	`<iq type='result' id='3' to='TO/wire'/>`,
	"<iq type='result' id='4' to='TO/wire'>\n <a/>\n <b/>\n</iq>",
	`<message type='error' to='TO'><error type='cancel'><gone xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'>xmpp:a@b</gone></error></message>`,
	// as much as is allowed
	`<message to='TO'` + attributes("a", 63) + `/>`,
	`<message to='TO'` + declarations("m", 60) + `><m59:x m0:a='1' m1:a='2'/></message>`,
	`<message to='TO'>` + nested(255, "<a>", "x", "</a>") + `</message>`,
	`<message to='TO'>` + nested(127, "<p:a><a>", "x", "</a\n></p:a >") + `</message>`,
	`<message to='TO'><body>` + strings.Repeat("0123456789 \u00e4\U0001F600&amp;", 4000) + `</body></message>`,
	`<message to='TO'><x a='` + strings.Repeat("&#xe9;\t", 4000) + `'/></message>`,
	`<message to='TO'>` + strings.Repeat("<a/>", 2000) + `</message>`,
}

// payloads are valid inside a stanza.
var payloads = []string{
	// text
	`]]&gt;`, `]]&#62;`, `]&gt;]]&gt;>`, `] ]>`, `]>`, `>`, `]]`, `x > y`,
	`<![CDATA[]]>`, `<![CDATA[<&>"']]>`, `<![CDATA[]]]]><![CDATA[>]]>`, `<![CDATA[a]]>b<![CDATA[c]]>`, `<![CDATA[</message>]]>`, "<![CDATA[\r\n&amp;&#10;]]>", `<![CDATA[]]]>`,
	`<![CDATA[<![CDATA[]]>`, `<![CDATA[<!-- --><?x?><!DOCTYPE a>]]>`,
	`&lt;!-- --&gt;`, `&amp;lt;body/&amp;gt;`, `&amp;#0;`, `&amp;amp;`, `&lt;/message&gt;`,
	`&lt;&gt;&amp;&apos;&quot;`, `'"`, `&#9;&#10;&#13;&#32;`, `&#xA;&#xD;&#xa;&#xd;`, `&#0000000000000065;`, `&#x1F600;&#128512;&#x10FFFF;&#xFFFD;&#xE000;&#xD7FF;`,
	"a\nb", "a\r\nb", "a\rb", "a\n\rb\r\r\nc", "\t a \t", "\u0085\u2028\u2029\u00a0\u3000",
	"\u00e9 e\u0301 \u212b \u00c5 \ufb01", "\U0001F600\U00010000\U0010FFFD", "\ufeff\ufffd\ue000", "\ufdd0\U0001FFFE\U0010FFFF", "\x7f\u0080\u009f", "\u202e\u200d\u200b",
	"\u0e01\u0e33 \u05d0\u0627 \U0001F468\u200d\U0001F469",
	// mixed
	`a<b/>c<b></b>d<![CDATA[e]]>f&#103;`, "\n <a/>\n <b/>\n", `<a>1<b>2<c>3</c>4</b>5</a>6`,
	// attributes
	`<a b='"' c="'" d='&apos;' e="&quot;"/>`, "<a b=' x \t\n\r\r\n y '/>", `<a b='&#9;&#10;&#13;&#32;'/>`, `<a b='>' c="/>" d='=' e="]]>"/>`, `<a b='&lt;c d="1"&gt;'/>`,
	`<a xml:lang='de-CH' xml:space='preserve' xml:base='urn:b' xml:id='i'/>`, `<a xml:lang='&quot;&lt;&amp;'/>`,
	"<a \u00e9='1' e\u0301='2'/>", `<a xmlnsx='1' _xmlns='2' xmlns.a='3' xml='4' Xml='5'/>`, `<a b='1' B='2' b-='3' b.='4' b_='5'/>`,
	`<a p:b='1' q:b='2' b='3'/>`, `<a xmlns:v='urn:v' xmlns:w='urn:w' v:b='1' w:b='2' b='3'/>`, `<p:a p:b='1' b='2'/>`,
	"<a\tb='1'\nc='2'\rd='3'\r\ne='4' />", `<a b = '1' c= "2" d ='3'/>`,
	// names
	"<\u00e9/><e\u0301/>", "<a-b.c_d\u00b7/>", `<_/>`, `<xmlns/>`, `<xml/>`, `<message/><iq/><presence/>`, `<parsererror>x</parsererror>`,
	`<` + strings.Repeat("n", 3000) + ` ` + strings.Repeat("a", 3000) + `='1'/>`,
	// namespaces
	`<a xmlns=''/>`, `<a xmlns=''><b xmlns='jabber:client'><c xmlns=''/></b></a>`, `<a xmlns='urn:a'><b xmlns=''><c/></b><d/></a>`,
	`<p:a xmlns=''><b/></p:a>`, `<a xmlns='urn:a' xmlns:p='urn:other'><p:b p:c='1'><d/></p:b></a><p:e/>`, `<a xmlns:p='urn:1'><p:b xmlns:p='urn:2'><p:c/></p:b><p:d/></a>`,
	`<a xmlns='jabber:client'/>`, `<a xmlns:xml='http://www.w3.org/XML/1998/namespace' xml:lang='x'/>`, `<a xmlns='jabber:server'><message/></a>`,
	`<v:a xmlns:v='urn:v' xmlns:w='urn:v'><w:a><v:a/></w:a></v:a>`, `<a xmlns:unused='urn:u'/>`, `<a xmlns="urn:'a'&#x26;"/>`,
	"<a xmlns='urn:\u00e9\U0001F600'/>", `<a xmlns="a1%-._~:/?#[]@!$&amp;'()*+,;="/>`, `<a xmlns='` + strings.Repeat("u", 2000) + `'/>`,
	`<stream:a xmlns:stream='urn:not-streams'/>`, `<x xmlns='http://www.w3.org/1999/xhtml'><script>alert(1)</script><p>&lt;b&gt;<br/></p></x>`,
	`<svg xmlns='http://www.w3.org/2000/svg' xmlns:xlink='http://www.w3.org/1999/xlink'><a xlink:href='javascript:alert(1)'/></svg>`,
	`<forwarded xmlns='urn:xmpp:forward:0'><message xmlns='jabber:client' from='mallory@example.com' to='x@y'><body>&lt;</body></message></forwarded>`,
}

// valid returns every stanza of the corpus for these addresses.
func valid(from, to string) (stanzas []string) {
	fill := strings.NewReplacer("FROM", from, "TO", to).Replace
	for _, s := range wholeStanzas {
		stanzas = append(stanzas, fill(s))
	}
	for _, p := range payloads {
		stanzas = append(stanzas, "<message to='"+to+"'><x>"+p+"</x></message>", `<message id="1" to="`+to+`">`+p+`<p:x xmlns="urn:x">`+p+`</p:x></message >`)
	}
	return stanzas
}
