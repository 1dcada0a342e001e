package signalling

import (
	"maps"
	"slices"
	"strings"

	"signalbox/xmpp/scan"
)

// element is an element of Namespace: short values are its attributes, lists and long texts its child elements or its text. It implements source.
type element struct {
	attributes map[string]string
	children   map[string][]scan.Element
	text       string // directly in it
}

// spaces are what may stand between child elements.
const spaces = " \t\r\n"

func newElement(el scan.Element) (*element, *Error) {
	e := &element{attributes: map[string]string{}, children: map[string][]scan.Element{}, text: el.Text()}
	for name, value := range el.Attributes() {
		e.attributes[string(name)] = string(value)
	}
	for c := range el.Children() {
		if string(c.Namespace()) != Namespace {
			return nil, &Error{Code: UnknownMember, Member: shown(string(c.Local())), Detail: "it is in another namespace"}
		}
		e.children[string(c.Local())] = append(e.children[string(c.Local())], c)
	}
	return e, nil
}

// xmlName is the name of an attribute or element.
func xmlName(name string) string { return strings.ReplaceAll(name, "_", "-") }

// value implements source.
func (e *element) value(fd field) (string, bool, *Error) {
	name := xmlName(fd.name)
	switch fd.place {
	case body:
		s := e.text
		e.text = ""
		return s, true, nil
	case child:
		el, found, err := e.only(name)
		if !found || err != nil {
			return "", found, err
		}
		s, err := leaf(el, name)
		return s, true, err
	}
	s, found := e.attributes[name]
	delete(e.attributes, name)
	return s, found, nil
}

// only takes the child element of a name that may stand there once.
func (e *element) only(name string) (el scan.Element, found bool, err *Error) {
	all := e.take(name)
	switch len(all) {
	case 0:
		return scan.Element{}, false, nil
	case 1:
		return all[0], true, nil
	}
	return scan.Element{}, true, &Error{Code: DuplicateMember, Member: name, Detail: "it stands there twice"}
}

func (e *element) take(name string) []scan.Element {
	all := e.children[name]
	delete(e.children, name)
	return all
}

// leaf returns the text of an element that has nothing else.
func leaf(el scan.Element, name string) (string, *Error) {
	for range el.Attributes() {
		return "", &Error{Code: UnknownMember, Member: name, Detail: "it has text alone, and no attributes"}
	}
	for range el.Children() {
		return "", &Error{Code: UnknownMember, Member: name, Detail: "it has text alone, and no elements"}
	}
	return el.Text(), nil
}

// list implements source. A list without entries is none, so it is always there.
func (e *element) list(fd field) (all []string, found bool, err *Error) {
	for _, el := range e.take(fd.item) {
		s, err := leaf(el, fd.item)
		if err != nil {
			return nil, true, err
		}
		all = append(all, s)
	}
	return all, true, nil
}

// parts implements source.
func (e *element) parts(fd field) (all []source, found bool, err *Error) {
	for _, el := range e.take(fd.item) {
		part, err := newElement(el)
		if err != nil {
			return nil, true, err
		}
		all = append(all, part)
	}
	return all, true, nil
}

// rest implements source.
func (e *element) rest() *Error {
	for _, name := range slices.Sorted(maps.Keys(e.attributes)) {
		return &Error{Code: UnknownMember, Member: shown(name), Detail: "there is no such attribute"}
	}
	for _, name := range slices.Sorted(maps.Keys(e.children)) {
		return &Error{Code: UnknownMember, Member: shown(name), Detail: "there is no such element"}
	}
	if strings.Trim(e.text, spaces) != "" {
		return &Error{Code: Malformed, Detail: "there is text where none belongs"}
	}
	return nil
}

// xmlTarget writes an element. It implements target.
type xmlTarget struct{ attributes, inner []byte }

// value implements target.
func (x *xmlTarget) value(fd field, s string) {
	switch name := xmlName(fd.name); fd.place {
	case body:
		x.inner = scan.AppendText(x.inner, s)
	case child:
		x.leaf(name, s)
	default:
		x.attributes = scan.AppendAttribute(x.attributes, name, s)
	}
}

func (x *xmlTarget) leaf(name, s string) {
	x.inner = append(append(append(x.inner, '<'), name...), '>')
	x.inner = scan.AppendText(x.inner, s)
	x.inner = append(append(append(x.inner, "</"...), name...), '>')
}

// list implements target.
func (x *xmlTarget) list(fd field, all []string) {
	for _, s := range all {
		x.leaf(fd.item, s)
	}
}

// parts implements target.
func (x *xmlTarget) parts(fd field, n int, each func(int, target)) {
	for i := range n {
		var part xmlTarget
		each(i, &part)
		x.inner = part.appendTo(x.inner, fd.item, "")
	}
}

// appendTo appends the element; more stands behind its name.
func (x *xmlTarget) appendTo(b []byte, name, more string) []byte {
	b = append(append(append(append(b, '<'), name...), more...), x.attributes...)
	if len(x.inner) == 0 {
		return append(b, "/>"...)
	}
	b = append(append(b, '>'), x.inner...)
	return append(append(append(b, "</"...), name...), '>')
}
