package scan

import "bytes"

// surroundings are the namespace declarations around an element, from the inside out. They are read once for all children
// of an element: to read a long start tag again for each child would let a peer buy much work with few bytes.
type surroundings struct {
	decls []prefixDecl
	outer *surroundings
}

type prefixDecl struct {
	prefix, uri []byte
}

// surround returns what is around the children of e.
func (e *Element) surround() *surroundings {
	if e.raw == nil {
		return nil
	}
	var decls []prefixDecl
	for name, raw, i := e.nextAttribute(e.nameEnd); name != nil; name, raw, i = e.nextAttribute(i) {
		if prefix, ok := declaredPrefix(name); ok {
			decls = append(decls, prefixDecl{prefix, unescapeValue(raw)})
		}
	}
	if decls == nil {
		return e.around
	}
	return &surroundings{decls: decls, outer: e.around}
}

// resolve returns the namespace that prefix, empty for the default namespace, stands for on e.
func (e *Element) resolve(prefix []byte) []byte {
	if e.raw == nil {
		return nil
	}
	if string(prefix) == "xml" {
		return []byte(namespaceXML)
	}
	for name, raw, i := e.nextAttribute(e.nameEnd); name != nil; name, raw, i = e.nextAttribute(i) {
		if p, ok := declaredPrefix(name); ok && bytes.Equal(p, prefix) {
			return unescapeValue(raw)
		}
	}
	return e.inherited(prefix)
}

// inherited returns the namespace that prefix stands for around e.
func (e *Element) inherited(prefix []byte) []byte {
	for s := e.around; s != nil; s = s.outer {
		for _, d := range s.decls {
			if bytes.Equal(d.prefix, prefix) {
				return d.uri
			}
		}
	}
	return e.scope.lookup(prefix)
}

// declaredPrefix returns the prefix that an attribute of this name declares, empty for the default namespace. ok is
// false for any other attribute.
func declaredPrefix(name []byte) (prefix []byte, ok bool) {
	const xmlns = "xmlns"
	if !bytes.HasPrefix(name, []byte(xmlns)) {
		return nil, false
	}
	if len(name) == len(xmlns) {
		return nil, true
	}
	return name[len(xmlns)+1:], name[len(xmlns)] == ':'
}
