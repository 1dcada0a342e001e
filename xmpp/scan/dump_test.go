package scan

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
)

// dumpElement writes an element in a form that says the same for all ways to write the same XML.
func dumpElement(e Element) string { return dumpWithFrom(e, "") }

// dumpWithFrom is dumpElement with the attribute from set, unless it is empty.
func dumpWithFrom(e Element, from string) string {
	var attrs []string
	if from != "" {
		attrs = append(attrs, dumpAttribute(nil, []byte("from"), from))
	}
	for name, raw, i := e.nextAttribute(e.nameEnd); name != nil; name, raw, i = e.nextAttribute(i) {
		prefix, local := splitName(name)
		switch {
		case string(name) == "xmlns" || string(prefix) == "xmlns":
			continue
		case string(name) == "from" && from != "":
			continue
		}
		var ns []byte
		if len(prefix) > 0 {
			ns = e.resolve(prefix)
		}
		attrs = append(attrs, dumpAttribute(ns, local, string(unescapeValue(raw))))
	}
	slices.Sort(attrs)
	var b strings.Builder
	fmt.Fprintf(&b, "({%s}%s[%s]%x", e.Namespace(), e.Local(), strings.Join(attrs, " "), e.Text())
	for c := range e.Children() {
		b.WriteString(dumpElement(c))
	}
	return b.String() + ")"
}

func dumpAttribute(ns, local []byte, value string) string {
	return fmt.Sprintf("{%s}%s=%s", ns, local, hex.EncodeToString([]byte(value)))
}

// describeFacts writes what the scanner noted; walkFacts must find the same by reading.
func describeFacts(st *Stanza) string {
	return fmt.Sprintf("{%s}%s children=%d {%s}%s streams=%t nested=%t",
		st.Namespace(), st.Local(), st.Children, st.ChildNamespace(), st.ChildLocal(), st.HasStreams, st.NestedStanza)
}

func walkFacts(e Element) string {
	var first Element
	n, streams, nested := 0, false, false
	var walk func(e Element)
	walk = func(e Element) {
		for c := range e.Children() {
			ns := string(c.Namespace())
			streams = streams || ns == NamespaceStreams
			nested = nested || ns == NamespaceClient && slices.Contains([]string{"iq", "message", "presence"}, string(c.Local()))
			walk(c)
		}
	}
	for c := range e.Children() {
		if n++; n == 1 {
			first = c
		}
	}
	walk(e)
	return fmt.Sprintf("{%s}%s children=%d {%s}%s streams=%t nested=%t",
		e.Namespace(), e.Local(), n, first.Namespace(), first.Local(), streams, nested)
}
