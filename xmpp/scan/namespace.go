package scan

import "bytes"

// bind declares the namespaces of the tag in scratch.attrs and resolves the names of its attributes. The caller takes
// the declarations back when the element ends.
func (s *Scanner) bind(b []byte) *Error {
	w := s.work
	prefixed := 0
	for i := range w.attrs {
		a := &w.attrs[i]
		name := a.name.of(b)
		switch {
		case a.prefix == 0 && string(name) == "xmlns":
			if err := s.declare(b, a, span{}); err != nil {
				return err
			}
		case a.prefix == 0:
		case string(name[:a.prefix]) == "xmlns":
			prefix := span{a.name.start + uint32(a.prefix) + 1, a.name.end}
			if err := s.declare(b, a, prefix); err != nil {
				return err
			}
			a.prefix = 0 // a declaration is no attribute with a namespace
		default:
			prefixed++
		}
	}
	if prefixed == 0 {
		return nil
	}
	return s.resolveAttributes(b)
}

// resolveAttributes resolves the prefixed attributes and refuses two of the same namespace and local name.
func (s *Scanner) resolveAttributes(b []byte) *Error {
	w := s.work
	for i := range w.attrs {
		a := &w.attrs[i]
		if a.prefix == 0 {
			continue
		}
		id, ok := s.resolve(b, a.name.of(b)[:a.prefix])
		if !ok {
			return notWellFormed(int(a.name.start), "undeclared prefix")
		}
		a.id = id
		for k := range w.attrs[:i] {
			if e := &w.attrs[k]; e.id == id && e.prefix > 0 && bytes.Equal(e.local(b), a.local(b)) {
				return notWellFormed(int(a.name.start), "duplicate attribute by two prefixes")
			}
		}
	}
	return nil
}

func (a *attribute) local(b []byte) []byte {
	return a.name.of(b)[a.prefix+1:]
}

// declare binds prefix, empty for the default namespace, to the value of a.
func (s *Scanner) declare(b []byte, a *attribute, prefix span) *Error {
	w := s.work
	d := declaration{prefix: prefix, uri: a.value}
	uri := a.value.of(b)
	if a.escaped {
		start := len(w.arena)
		w.arena = appendUnescaped(w.arena, uri, inValue)
		d.inArena, d.uri = true, at(start, len(w.arena))
		uri = w.arena[start:]
	}
	p := prefix.of(b)
	switch {
	case string(p) == "xmlns":
		return notWellFormed(int(a.name.start), "the prefix xmlns is declared")
	case (string(p) == "xml") != (string(uri) == namespaceXML):
		return notWellFormed(int(a.name.start), "the prefix or the namespace xml is rebound")
	case string(uri) == namespaceXMLNS:
		return notWellFormed(int(a.name.start), "the namespace xmlns is bound")
	case len(p) > 0 && len(uri) == 0:
		return notWellFormed(int(a.name.start), "a prefix is undeclared")
	case !separable(uri):
		return notWellFormed(int(a.value.start), "a namespace name with a character that no URI has")
	case len(w.decls) >= s.limits.Namespaces:
		return overLimit(int(a.name.start), "too many namespace declarations")
	}
	d.id, d.class = s.identify(b, uri)
	w.decls = append(w.decls, d)
	if prefix.len() == 0 {
		w.def, w.inherits = d.id, false
	}
	return nil
}

// separable reports whether uri holds none of the ASCII characters that no URI has (RFC 3986 section 2). Software joins namespace and local name with one of
// them, a blank or a brace, and expat then refuses every stream in which a namespace name holds it.
func separable(uri []byte) bool {
	for _, c := range uri {
		if classes[c]&notInURI != 0 {
			return false
		}
	}
	return true
}

// identify returns the id that stands for the namespace uri, which is about to be declared.
func (s *Scanner) identify(b, uri []byte) (nsID, class) {
	w := s.work
	if len(uri) == 0 {
		return noNamespace, classOther
	}
	if string(uri) == namespaceXML {
		return xmlID, classOther
	}
	for i := range w.decls {
		if d := &w.decls[i]; d.id == nsID(i) && bytes.Equal(w.uri(b, d), uri) {
			return d.id, d.class
		}
	}
	for i := range s.scope.decls {
		if d := &s.scope.decls[i]; bytes.Equal(d.uri, uri) {
			return d.id, d.class
		}
	}
	return nsID(len(w.decls)), classify(uri)
}

func (w *scratch) uri(b []byte, d *declaration) []byte {
	if d.inArena {
		return d.uri.of(w.arena)
	}
	return d.uri.of(b)
}

// resolve returns the namespace that a prefix, which is not empty, stands for at this place.
func (s *Scanner) resolve(b, prefix []byte) (nsID, bool) {
	w := s.work
	for i := len(w.decls) - 1; i >= 0; i-- {
		if d := &w.decls[i]; d.prefix.len() == len(prefix) && bytes.Equal(d.prefix.of(b), prefix) {
			return d.id, true
		}
	}
	if string(prefix) == "xml" {
		return xmlID, true
	}
	i := s.scope.find(prefix)
	if i < 0 {
		return noNamespace, false
	}
	w.stanza.redeclare |= 1 << i
	return s.scope.decls[i].id, true
}

// classOf returns the class of a namespace that resolve or the default has returned.
func (s *Scanner) classOf(id nsID) class {
	switch {
	case id >= 0:
		return s.work.decls[id].class
	case id <= scopeID:
		return s.scope.decls[scopeID-id].class
	}
	return classOther
}

// namespaceOf returns the bytes of a namespace in a form that outlives scratch, as long as the element's own bytes live.
func (s *Scanner) namespaceOf(b []byte, id nsID) namespaceRef {
	switch {
	case id >= 0:
		d := &s.work.decls[id]
		if d.inArena {
			return namespaceRef{fixed: bytes.Clone(d.uri.of(s.work.arena))}
		}
		return namespaceRef{raw: d.uri}
	case id <= scopeID:
		return namespaceRef{fixed: s.scope.decls[scopeID-id].uri}
	case id == xmlID:
		return namespaceRef{fixed: []byte(namespaceXML)}
	}
	return namespaceRef{}
}
