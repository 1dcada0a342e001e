package xml

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// node is an element or a piece of text, as a parser tells it. Names are written {namespace}local.
type node struct {
	Text   string
	Name   string
	Attrs  map[string]string
	Inside []node
}

// answer is what a parser makes of a document: the children of its root element, or a complaint.
type answer struct {
	Items []node
	Error string
}

// String is the canonical form: two nodes have the same exactly if they mean the same, whatever their bytes were.
func (n node) String() string {
	var b strings.Builder
	n.write(&b)
	return b.String()
}

func (n node) write(b *strings.Builder) {
	b.WriteString("<" + n.Name)
	for _, name := range slices.Sorted(maps.Keys(n.Attrs)) {
		fmt.Fprintf(b, " %s=%+q", name, n.Attrs[name])
	}
	b.WriteString(">")
	var text []byte // of neighbours: parsers cut it differently
	flush := func() {
		if len(text) > 0 {
			fmt.Fprintf(b, "%+q", text)
		}
		text = text[:0]
	}
	for _, c := range n.Inside {
		if c.Name == "" {
			text = append(text, c.Text...)
			continue
		}
		flush()
		c.write(b)
	}
	flush()
	b.WriteString("</>")
}

// child returns the first child of this name.
func (n node) child(name string) (node, bool) {
	i := slices.IndexFunc(n.Inside, func(c node) bool { return c.Name == name })
	if i < 0 {
		return node{}, false
	}
	return n.Inside[i], true
}

// text is the text of the element's own.
func (n node) text() string {
	var b strings.Builder
	for _, c := range n.Inside {
		b.WriteString(c.Text)
	}
	return b.String()
}

// stamped is the element as the server hands it on: in the sender's true name.
func (n node) stamped(from string) node {
	attrs := maps.Clone(n.Attrs)
	attrs["{}from"] = from
	n.Attrs = attrs
	return n
}
