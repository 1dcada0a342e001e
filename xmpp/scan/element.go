package scan

import (
	"bytes"
	"iter"
)

// Element is an element inside a scanned stanza: a view that borrows the stanza's bytes. It reads on demand and keeps
// nothing, which suits the small elements that a server looks into. The zero value is no element: it has no name,
// attributes, text or children.
type Element struct {
	raw     []byte // from < to behind the end tag
	nameEnd int
	tagEnd  int // behind the start tag
	around  *surroundings
	scope   *scope
}

// Raw returns the bytes of the element. They may use prefixes and a default namespace of the elements around it.
func (e Element) Raw() []byte { return e.raw }

// Inner returns the bytes between the start tag and the end tag, empty for <a/>.
func (e Element) Inner() []byte {
	end := bytes.LastIndexByte(e.raw, '<')
	if end < e.tagEnd {
		return nil
	}
	return e.raw[e.tagEnd:end]
}

// Exists reports whether there is an element.
func (e Element) Exists() bool { return e.raw != nil }

// Local returns the local name.
func (e Element) Local() []byte {
	_, local := splitName(e.name())
	return local
}

func (e Element) name() []byte {
	if e.raw == nil {
		return nil
	}
	return e.raw[1:e.nameEnd]
}

func splitName(name []byte) (prefix, local []byte) {
	if i := bytes.IndexByte(name, ':'); i >= 0 {
		return name[:i], name[i+1:]
	}
	return nil, name
}

// Namespace returns the unescaped namespace, empty without one.
func (e Element) Namespace() []byte {
	prefix, _ := splitName(e.name())
	return e.resolve(prefix)
}

// Is reports whether the element has this namespace and local name.
func (e Element) Is(namespace, local string) bool {
	return e.raw != nil && string(e.Local()) == local && string(e.Namespace()) == namespace
}

// Attr returns the unescaped value of the attribute with this raw name, such as "id" or "xml:lang". It allocates only if
// the value holds references, tabs or line ends.
func (e Element) Attr(name string) ([]byte, bool) {
	for n, raw, i := e.nextAttribute(e.nameEnd); n != nil; n, raw, i = e.nextAttribute(i) {
		if string(n) == name {
			return unescapeValue(raw), true
		}
	}
	return nil, false
}

// Attributes yields the raw names and the unescaped values of the attributes in order, declarations of namespaces left out. Values are as those of Attr.
func (e Element) Attributes() iter.Seq2[[]byte, []byte] {
	return func(yield func(name, value []byte) bool) {
		if e.raw == nil {
			return
		}
		for name, raw, i := e.nextAttribute(e.nameEnd); name != nil; name, raw, i = e.nextAttribute(i) {
			if _, declares := declaredPrefix(name); !declares && !yield(name, unescapeValue(raw)) {
				return
			}
		}
	}
}

// nextAttribute returns the raw name and the raw value of the attribute at or behind offset i of the start tag, and the
// offset behind it; without one the name is nil. It starts at nameEnd.
func (e *Element) nextAttribute(i int) (name, raw []byte, next int) {
	t := e.raw[:e.tagEnd]
	i = skipSpace(t, i)
	if i == len(t) || t[i] == '>' || t[i] == '/' {
		return nil, nil, i
	}
	equals := i + bytes.IndexByte(t[i:], '=')
	name = bytes.TrimRight(t[i:equals], " \t\r\n")
	start := skipSpace(t, equals+1) + 1
	end := start + bytes.IndexByte(t[start:], t[start-1])
	return name, t[start:end], end + 1
}

// Children yields the child elements in order. Each pass over the children reads the element once.
func (e Element) Children() iter.Seq[Element] {
	return func(yield func(Element) bool) {
		around := e.surround()
		for i := e.tagEnd; ; {
			i = skipToElement(e.raw, i)
			if i < 0 {
				return
			}
			child, end := parseElement(e.raw, i, around, e.scope)
			if !yield(child) {
				return
			}
			i = end
		}
	}
}

// Child returns the first child element with this namespace and local name; without one it does not Exist.
func (e Element) Child(namespace, local string) Element {
	for c := range e.Children() {
		if c.Is(namespace, local) {
			return c
		}
	}
	return Element{}
}

// Text returns the unescaped text directly inside the element, CDATA sections included, that of child elements left out.
func (e Element) Text() string {
	if inner := e.Inner(); !bytes.ContainsAny(inner, "<&\r") {
		return string(inner)
	}
	var text []byte
	for i := e.tagEnd; i < len(e.raw); {
		j := bytes.IndexByte(e.raw[i:], '<')
		if j < 0 {
			break
		}
		text = appendUnescaped(text, e.raw[i:i+j], inText)
		i += j
		switch {
		case e.raw[i+1] == '/':
			return string(text)
		case e.raw[i+1] == '!':
			end := skipCDATA(e.raw, i)
			text = appendUnescaped(text, e.raw[i+len(cdataStart):end-len(cdataEnd)], inSection)
			i = end
		default:
			_, i = parseElement(e.raw, i, nil, nil)
		}
	}
	return string(text)
}
