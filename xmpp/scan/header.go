package scan

import "bytes"

// header reads the stream header b[pos:end] and opens the stream.
func (s *Scanner) header(b []byte, end int, ev *Event) *Error {
	w := s.work
	name, prefix, closed, err := s.readTag(b, end)
	if err != nil {
		return err
	}
	if err := s.bind(b); err != nil {
		return err
	}
	id, err := s.elementNamespace(b, name, prefix)
	if err != nil {
		return err
	}
	if closed {
		return &Error{InvalidXML, "stream header that closes the stream", w.pos}
	}
	h := &Header{Prefix: string(name.of(b)[:prefix]), Local: localName(name.of(b), prefix)}
	ns := s.namespaceOf(b, id)
	h.Namespace = string(ns.bytes(b))
	ns = s.namespaceOf(b, w.def)
	h.Default = string(ns.bytes(b))
	h.readAttributes(b, w.attrs)

	decls, err := s.scopeDecls(b)
	if err != nil {
		return err
	}
	s.scope = newScope(bytes.Clone(name.of(b)), decls)
	s.phase = insideStream
	w.pos = end
	ev.Kind, ev.Header = StreamOpen, h
	return nil
}

func localName(name []byte, prefix int) string {
	if prefix > 0 {
		name = name[prefix+1:]
	}
	return string(name)
}

func (h *Header) readAttributes(b []byte, attrs []attribute) {
	for i := range attrs {
		a := &attrs[i]
		var field *string
		switch string(a.name.of(b)) {
		case "to":
			field = &h.To
		case "from":
			field = &h.From
		case "id":
			field = &h.ID
		case "version":
			field = &h.Version
		case "xml:lang":
			field = &h.Lang
		default:
			continue
		}
		*field = string(appendUnescaped(nil, a.value.of(b), inValue))
	}
}

// scopeDecls copies the declarations of the stream header.
func (s *Scanner) scopeDecls(b []byte) ([]scopeDecl, *Error) {
	w := s.work
	decls := make([]scopeDecl, 0, len(w.decls))
	size := 0
	for i := range w.decls {
		d := &w.decls[i]
		if d.id == xmlID {
			continue // holds everywhere
		}
		decl := scopeDecl{prefix: bytes.Clone(d.prefix.of(b)), uri: bytes.Clone(w.uri(b, d))}
		size += len(decl.prefix) + len(decl.uri)
		decls = append(decls, decl)
	}
	if size > maxScopeBytes || len(decls) > maxScopeDeclarations {
		return nil, overLimit(w.pos, "too many or too long namespace declarations on the stream header")
	}
	return decls, nil
}
