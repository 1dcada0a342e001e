package xml

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
)

// generator writes stanzas that are valid, always the same for the same seed: it makes up what they mean and how that is written.
type generator struct {
	*rand.Rand
	b strings.Builder
}

func newGenerator(seed uint64) *generator { return &generator{Rand: rand.New(rand.NewPCG(seed, 1))} }

func pick[T any](g *generator, list []T) T { return list[g.IntN(len(list))] }

var (
	someNames = []string{"message", "iq", "a", "b", "body", "x", "_", "a-1", "\u00e9", "e\u0301", "xml", "from", "to", "id", "type", "lang"}
	someURIs  = []string{"urn:1", "urn:1", "urn:2", "jabber:client", "urn:ietf:params:xml:ns:xmpp-stanzas", "a?b&c'd", "\u00fc", "http://www.w3.org/1999/xhtml"}
	// someChars are what can be written in many ways, and what parsers are known to differ in.
	someChars = []rune("ab <>&'\"]]]>>\t\n\r\u00e9\u0301\u0085\u2028\u00a0\ufeff\ufffd\ufdd0\U0001F600\U0010FFFF\x7f=/!?-[#x;")
	someSpace = []string{" ", " ", " ", "\n", "\t", "\r\n", "  "}
)

// stanza returns a message with a random inside, for a stream that declares p and q.
func (g *generator) stanza(to string) string {
	g.b.Reset()
	start := "<message" + g.space() + "to=" + g.quote() // the address is written plainly, the rest as it comes
	g.b.WriteString(start + to + start[len(start)-1:])
	g.attributes([]string{"p", "q"})
	g.content([]string{"p", "q"}, 0, "message")
	return g.b.String()
}

func (g *generator) space() string { return pick(g, someSpace) }

func (g *generator) maybeSpace() string { return pick(g, []string{"", "", "", g.space()}) }

func (g *generator) quote() string { return pick(g, []string{"'", `"`}) }

// attributes writes attributes of different local names, some of them in namespaces.
func (g *generator) attributes(prefixes []string) {
	for _, i := range g.Perm(len(someNames))[:g.IntN(4)] {
		name := someNames[i]
		switch g.IntN(4) {
		case 0:
			name = pick(g, prefixes) + ":" + name
		case 1:
			name = "xml:" + name
		default:
			if slices.Contains([]string{"from", "to", "type", "id"}, name) {
				name += "-"
			}
		}
		g.attribute(name, g.chars())
	}
}

func (g *generator) attribute(name, value string) {
	quote := g.quote()
	g.b.WriteString(g.space() + name + g.maybeSpace() + "=" + g.maybeSpace() + quote)
	for _, r := range value {
		switch {
		case strings.ContainsRune("<&", r) || string(r) == quote || g.IntN(6) == 0:
			g.reference(r)
		default:
			g.b.WriteRune(r)
		}
	}
	g.b.WriteString(quote)
}

func (g *generator) chars() string {
	var b strings.Builder
	for range g.IntN(8) {
		b.WriteRune(pick(g, someChars))
	}
	return b.String()
}

// reference writes a character as a reference, by name if it has one.
func (g *generator) reference(r rune) {
	names := map[rune]string{'<': "lt", '>': "gt", '&': "amp", '\'': "apos", '"': "quot"}
	if name := names[r]; name != "" && g.IntN(2) == 0 {
		g.b.WriteString("&" + name + ";")
		return
	}
	fmt.Fprintf(&g.b, pick(g, []string{"&#%d;", "&#x%x;", "&#x%X;", "&#%07d;"}), r)
}

// content ends a start tag and writes what follows, up to the end tag.
func (g *generator) content(prefixes []string, depth int, name string) {
	if depth > 0 && g.IntN(4) == 0 {
		g.b.WriteString(g.maybeSpace() + "/>")
		return
	}
	g.b.WriteString(g.maybeSpace() + ">")
	for range g.IntN(5) {
		if depth < 6 && g.IntN(2) == 0 {
			g.element(prefixes, depth+1)
		} else {
			g.text(g.chars())
		}
	}
	g.b.WriteString("</" + name + g.maybeSpace() + ">")
}

func (g *generator) element(prefixes []string, depth int) {
	var declared []string
	for _, p := range []string{"p", "q", "r", "stream", "s\u00e9"} {
		if g.IntN(5) == 0 {
			declared = append(declared, p)
		}
	}
	known := append(slices.Clone(prefixes), declared...)
	name := pick(g, someNames)
	if g.IntN(2) == 0 {
		name = pick(g, known) + ":" + name
	}
	g.b.WriteString("<" + name)
	for _, p := range declared {
		g.attribute("xmlns:"+p, pick(g, someURIs))
	}
	if g.IntN(4) == 0 {
		g.attribute("xmlns", pick(g, append(someURIs, "")))
	}
	g.attributes(known)
	g.content(known, depth, name)
}

// text writes characters plainly, as references or in CDATA sections.
func (g *generator) text(s string) {
	if g.IntN(4) == 0 {
		g.b.WriteString("<![CDATA[" + strings.ReplaceAll(s, "]]>", "]]]]><![CDATA[>") + "]]>")
		return
	}
	for _, r := range s {
		if strings.ContainsRune("<&", r) || r == '>' && g.IntN(2) == 0 || g.IntN(8) == 0 || r == '>' && strings.HasSuffix(g.b.String(), "]]") {
			g.reference(r)
			continue
		}
		g.b.WriteRune(r)
	}
}

var mistakes = []string{"<", ">", "&", "'", "\"", ":", "=", "/", "!", "?", " ", "]]>", "<!--x-->", "<?x?>", "<!DOCTYPE a>", "&x;", "xmlns", " xmlns:p='u'", " xmlns:p=''",
	" xmlns='u'", " xmlns='{u}'", " p:id='1'", "undeclared:", "\x00", "\xFF", "\xC3", "\xE2\x82", "\uFFFE", "\xED\xA0\x80", "\xC0\xBC", "<![CDATA[", "<?xml version='1.0'?>",
	"0", "-", ".", "x", "&#0;", "&#x1F;", "&#", ";", "</a>", "<a>", "</message>", "<message>", "<stream:a/>", "\u00b7", "\u0132", "\u0300", "\x7f", "\x1f", "\uFEFF"}

// spoil changes up to two places behind the first from bytes.
func (g *generator) spoil(stanza string, from int) string {
	s := []byte(stanza)
	for range g.IntN(3) {
		i := from + g.IntN(len(s)-from)
		j := min(len(s), i+1+g.IntN(6))
		switch g.IntN(4) {
		case 0:
			s = slices.Delete(s, i, j)
		case 1:
			s = slices.Insert(s, i, []byte(pick(g, mistakes))...)
		case 2:
			s = slices.Replace(s, i, j, []byte(pick(g, mistakes))...)
		default:
			s = slices.Insert(s, from+g.IntN(len(s)-from), slices.Clone(s[i:j])...)
		}
	}
	return string(s)
}
