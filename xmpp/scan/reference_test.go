package scan

import (
	"html"
	"regexp"
	"strings"
	"unicode/utf8"
)

// A second, naive checker for single elements: regular expressions, strings and maps. It knows names in ASCII only.
var (
	referenceToken = regexp.MustCompile(`(?s)^(?:` +
		`<(?P<open>[\w.:-]+)(?P<attrs>(?:[ \t\r\n]+[\w.:-]+[ \t\r\n]*=[ \t\r\n]*(?:"[^<"]*"|'[^<']*'))*)[ \t\r\n]*(?P<closed>/?)>|` +
		`</(?P<close>[\w.:-]+)[ \t\r\n]*>|` +
		`<!\[CDATA\[.*?\]\]>|` +
		`[^<]+)`)
	referenceAttr = regexp.MustCompile(`([\w.:-]+)[ \t\r\n]*=[ \t\r\n]*("[^"]*"|'[^']*')`)
	referenceName = regexp.MustCompile(`^(?:[A-Za-z_][\w.-]*:)?[A-Za-z_][\w.-]*$`)
	referenceRef  = regexp.MustCompile(`&(?:lt|gt|amp|apos|quot|#[0-9]+|#x[0-9a-fA-F]+);`)
)

type referenceElement struct {
	name     string
	prefixes map[string]string
}

// wellFormed reports whether in is one well-formed element that uses no prefixes but its own.
func wellFormed(in string) bool {
	if !utf8.ValidString(in) || strings.ContainsAny(in, "\x00\x01\x02\x03\x04\x05\x06\x07\x08\x0b\x0c\x0e\x0f\uFFFE\uFFFF") {
		return false
	}
	var open []referenceElement
	for first := true; in != ""; first = false {
		m := referenceToken.FindStringSubmatch(in)
		if m == nil || (!first && len(open) == 0) {
			return false
		}
		in = in[len(m[0]):]
		switch name, attrs, closed, end := m[1], m[2], m[3], m[4]; {
		case name != "":
			e, ok := openReference(open, name, attrs)
			if !ok {
				return false
			}
			if closed == "" {
				open = append(open, e)
			}
		case end != "":
			if len(open) == 0 || open[len(open)-1].name != end {
				return false
			}
			open = open[:len(open)-1]
		case strings.HasPrefix(m[0], "<![CDATA["):
		case strings.Contains(m[0], "]]>") || !goodReferences(m[0]):
			return false
		}
	}
	return len(open) == 0
}

func openReference(open []referenceElement, name, attrs string) (referenceElement, bool) {
	prefixes := map[string]string{"xml": namespaceXML}
	for _, e := range open {
		prefixes = e.prefixes
	}
	own := map[string]string{}
	for p, uri := range prefixes {
		own[p] = uri
	}
	list := referenceAttr.FindAllStringSubmatch(attrs, -1)
	for _, a := range list {
		if p, ok := strings.CutPrefix(a[1], "xmlns:"); ok {
			own[p] = html.UnescapeString(a[2][1 : len(a[2])-1])
			if own[p] == "" || p == "xmlns" {
				return referenceElement{}, false
			}
		}
	}
	seen := map[string]bool{}
	for _, a := range list {
		prefix, local, ok := strings.Cut(a[1], ":")
		key := a[1]
		if ok && prefix != "xmlns" {
			key = "{" + own[prefix] + "}" + local
		}
		if seen[key] || !referenceName.MatchString(a[1]) || !goodReferences(a[2]) || (ok && prefix != "xmlns" && own[prefix] == "") {
			return referenceElement{}, false
		}
		seen[key] = true
	}
	prefix, _, ok := strings.Cut(name, ":")
	return referenceElement{name, own}, referenceName.MatchString(name) && (!ok || own[prefix] != "")
}

func goodReferences(s string) bool {
	return !strings.Contains(referenceRef.ReplaceAllString(s, ""), "&")
}
