package scan

// Edit is what a stanza becomes on its way to a stream whose header declares NamespaceClient as default namespace. Everything that it does not name stays byte by byte
// as the sender wrote it.
type Edit struct {
	From   string             // the true sender; its characters must be legal in XML
	To     string             // empty: as it is
	Drop   func(Element) bool // which children are left out; nil: none
	Append []byte             // complete elements, put behind the last child
}

// AppendTo appends the edited stanza.
func (e Edit) AppendTo(dst []byte, st *Stanza) []byte {
	top := st.Element()
	if top.raw == nil {
		return dst
	}
	dst = append(dst, top.raw[:top.nameEnd]...)
	dst = st.appendInherited(dst, NamespaceClient)
	dst = e.appendAttributes(dst, &top)
	empty := top.raw[top.tagEnd-2] == '/'
	if empty && len(e.Append) == 0 {
		return append(dst, '/', '>')
	}
	dst = append(dst, '>')
	if !empty {
		dst = e.appendContent(dst, &top)
	}
	dst = append(dst, e.Append...)
	dst = append(dst, '<', '/')
	dst = append(dst, top.name()...)
	return append(dst, '>')
}

func (e Edit) appendAttributes(dst []byte, top *Element) []byte {
	for name, raw, i := top.nextAttribute(top.nameEnd); name != nil; name, raw, i = top.nextAttribute(i) {
		switch string(name) {
		case "from":
			continue
		case "to":
			if e.To != "" {
				continue
			}
		}
		quote := top.raw[i-1]
		dst = append(append(append(dst, ' '), name...), '=', quote)
		dst = append(append(dst, raw...), quote)
	}
	dst = AppendAttribute(dst, "from", e.From)
	if e.To != "" {
		dst = AppendAttribute(dst, "to", e.To)
	}
	return dst
}

// appendContent appends what stands between the tags without the children that are dropped.
func (e Edit) appendContent(dst []byte, top *Element) []byte {
	inner := top.tagEnd + len(top.Inner())
	if e.Drop == nil {
		return append(dst, top.raw[top.tagEnd:inner]...)
	}
	around, from := top.surround(), top.tagEnd
	for {
		i := skipToElement(top.raw, from)
		if i < 0 {
			return append(dst, top.raw[from:inner]...)
		}
		child, end := parseElement(top.raw, i, around, top.scope)
		if e.Drop(child) {
			dst = append(dst, top.raw[from:i]...)
		} else {
			dst = append(dst, top.raw[from:end]...)
		}
		from = end
	}
}
