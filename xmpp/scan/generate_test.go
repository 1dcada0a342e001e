package scan

import (
	"math/rand/v2"
	"slices"
)

// generator makes streams that are right, nearly right, or wrong, always the same for the same seed.
type generator struct{ *rand.Rand }

func newGenerator(seed uint64) *generator {
	return &generator{rand.New(rand.NewPCG(seed, 0))}
}

func (g *generator) pick(list []string) string { return list[g.IntN(len(list))] }

var (
	generatedHeaders = []string{
		openClient, decl + openClient, decl + "\n" + openWithPrefix,
		`<s:stream xmlns:s='http://etherx.jabber.org/streams' xmlns:j='urn:j' xmlns:p='urn:p'>`,
		`<s:stream xmlns='urn:other' xmlns:c='jabber:client' xmlns:s='http://etherx.jabber.org/streams'>`,
		"\uFEFF" + openClient,
		`<stream xmlns='http://etherx.jabber.org/streams' xml:lang='en'>`,
	}
	generatedNames    = []string{"message", "iq", "presence", "a", "b", "body", "_", "a-1", "\u00e9", "xml", "from"}
	generatedPrefixes = []string{"", "", "", "", "p:", "q:", "p:", "j:", "xml:", "stream:"}
	generatedSpaces   = []string{" ", " ", " ", "\n", "\t ", "\r\n"}
	generatedURIs     = []string{"", "u", "u", "v", "jabber:client", "http://etherx.jabber.org/streams", "&#117;", "a&amp;b", "{u}"}
	generatedText     = []string{"x", "hello", " ", "\n", "\r\n", "\r", "\t", "&lt;", "&amp;", "&#65;", "&#x1F600;", "&#13;", "&#10;",
		"\u00fc", "\U0001F600", "]]", "]", "'", "\"", "=", "/", "<![CDATA[<a>\r\n&amp;]]]>", "<![CDATA[]]>", "\u0085", "\u2028"}
	generatedValues = []string{"", "1", "x>y", "&quot;&apos;", "\r\n", "\t", "&#10;", "\u00fc", "a b", "/>", "="}
	mistakes        = []string{"<", ">", "&", "'", "\"", ":", "=", "/", "!", "?", " ", "]]>", "<!--x-->", "<?x?>", "<!DOCTYPE a>", "&x;",
		"xmlns", "xmlns:p='u'", " xmlns='u'", " p:a='1'", "\x00", "\xFF", "\xC3", "\xE2\x82", "\uFFFE", "\xED\xA0\x80", "<![CDATA[", "]]",
		decl, "0", "-", ".", "x", "&#0;", "&#", ";", "</a>", "<a>", "\u00b7", "\u0132", "\u0300", "\x7f", "\x1f", "\xEF\xBB\xBF"}
)

// document returns a stream; most of them have at most a few mistakes.
func (g *generator) document() []byte {
	var doc []byte
	if g.IntN(8) == 0 {
		c := corpus[g.IntN(len(corpus))]
		doc = []byte(wholeInput(c.input, c.whole) + "</stream:stream>")
	} else {
		header := g.pick(generatedHeaders)
		doc = []byte(header)
		for range g.IntN(3) {
			doc = append(g.element(doc, 0), g.pick([]string{"", "", " ", "\n"})...)
		}
		doc = append(doc, closing(header)...)
	}
	if g.IntN(3) > 0 {
		for range g.IntN(3) {
			doc = g.spoil(doc)
		}
	}
	return doc
}

func closing(header string) string {
	for _, name := range []string{"stream:stream", "s:stream"} {
		if slices.Contains(headerNames(header), name) {
			return "</" + name + ">"
		}
	}
	return "</stream>"
}

func headerNames(header string) []string {
	var names []string
	for i := range header {
		if header[i] == '<' {
			end, _, _ := skipQName([]byte(header), i+1)
			names = append(names, header[i+1:end])
		}
	}
	return names
}

func (g *generator) element(doc []byte, depth int) []byte {
	name := g.pick(generatedPrefixes) + g.pick(generatedNames)
	doc = append(doc, '<')
	doc = append(doc, name...)
	for _, p := range []string{"p", "q", "j"} {
		if g.IntN(2) == 0 {
			doc = append(doc, " xmlns:"+p+"="...)
			doc = g.quoted(doc, g.pick(generatedURIs))
		}
	}
	for _, a := range g.Perm(len(generatedNames))[:g.IntN(4)] {
		doc = append(doc, g.pick(generatedSpaces)...)
		doc = append(doc, g.pick(generatedPrefixes)+generatedNames[a]+"="...)
		doc = g.quoted(doc, g.pick(generatedValues))
	}
	if g.IntN(3) == 0 {
		doc = append(doc, " xmlns="...)
		doc = g.quoted(doc, g.pick(generatedURIs))
	}
	if g.IntN(4) == 0 {
		return append(doc, "/>"...)
	}
	doc = append(doc, '>')
	for range g.IntN(4) {
		if depth < 4 && g.IntN(2) == 0 {
			doc = g.element(doc, depth+1)
		} else {
			doc = append(doc, g.pick(generatedText)...)
		}
	}
	doc = append(doc, "</"...)
	doc = append(doc, name...)
	return append(doc, g.pick([]string{">", ">", ">", " >", "\n>"})...)
}

func (g *generator) quoted(doc []byte, value string) []byte {
	quote := g.pick([]string{"'", "\""})
	return append(doc, quote+value+quote...)
}

// spoil changes one place.
func (g *generator) spoil(doc []byte) []byte {
	i := g.IntN(len(doc))
	j := min(len(doc), i+1+g.IntN(6))
	switch g.IntN(4) {
	case 0:
		return slices.Delete(doc, i, j)
	case 1:
		return slices.Insert(doc, i, []byte(g.pick(mistakes))...)
	case 2:
		return slices.Replace(doc, i, j, []byte(g.pick(mistakes))...)
	default:
		return slices.Insert(doc, g.IntN(len(doc)), slices.Clone(doc[i:j])...)
	}
}
