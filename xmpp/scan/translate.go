package scan

// Translate appends a stanza out of a stream whose content namespace is from for a stream whose content namespace is to, as between clients and components (RFC 6120
// section 4.8.3, XEP-0114): the stanza, and what of it is in that namespace, is in the other one afterwards. Elements deeper than its children that name the
// namespace themselves, such as a forwarded message, keep it. Everything else stays byte by byte.
func Translate(dst []byte, st *Stanza, from, to string) []byte {
	top := st.Element()
	if top.raw == nil {
		return dst
	}
	dst = append(dst, top.raw[:top.nameEnd]...)
	dst = st.appendTranslated(dst, from, to)
	dst = top.appendTranslatedTag(dst, from, to)
	around, done := top.surround(), top.tagEnd
	for {
		i := skipToElement(top.raw, done)
		if i < 0 {
			return append(dst, top.raw[done:]...)
		}
		child, end := parseElement(top.raw, i, around, top.scope)
		dst = append(dst, top.raw[done:i]...)
		dst = append(dst, child.raw[:child.nameEnd]...)
		dst = child.appendTranslatedTag(dst, from, to)
		dst = append(dst, child.raw[child.tagEnd:]...)
		done = end
	}
}

// appendTranslated declares what the stanza took from its stream, but for what the other stream has.
func (st *Stanza) appendTranslated(dst []byte, from, to string) []byte {
	if st.InheritsDefault {
		if inherited := st.scope.lookup(nil); string(inherited) != from {
			dst = appendDeclaration(dst, nil, inherited)
		}
	}
	for i := range st.scope.decls {
		d := &st.scope.decls[i]
		switch {
		case st.redeclare&(1<<i) == 0:
		case string(d.uri) == from:
			dst = appendDeclaration(dst, d.prefix, []byte(to))
		default:
			dst = appendDeclaration(dst, d.prefix, d.uri)
		}
	}
	return dst
}

// appendTranslatedTag appends the attributes and the end of a start tag.
func (e *Element) appendTranslatedTag(dst []byte, from, to string) []byte {
	for name, raw, i := e.nextAttribute(e.nameEnd); name != nil; name, raw, i = e.nextAttribute(i) {
		quote := e.raw[i-1]
		dst = append(append(append(dst, ' '), name...), '=', quote)
		if prefix, _ := splitName(name); (string(prefix) == "xmlns" || string(name) == "xmlns") && string(unescapeValue(raw)) == from {
			dst = append(dst, to...)
		} else {
			dst = append(dst, raw...)
		}
		dst = append(dst, quote)
	}
	if e.raw[e.tagEnd-2] == '/' {
		return append(dst, '/', '>')
	}
	return append(dst, '>')
}
