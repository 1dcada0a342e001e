package scan

// record notes the facts about the element that starts at this depth.
func (s *Scanner) record(b []byte, depth int, name span, prefix int, id nsID) *Error {
	st := &s.work.stanza
	class := s.classOf(id)
	q := qname{name: name, prefix: prefix}
	if depth == 0 {
		if class == classStreams && string(q.local(b)) == "stream" {
			return &Error{InvalidXML, "stream header inside a stream", int(name.start)}
		}
		q.ns = s.namespaceOf(b, id)
		st.name = q
		if class == classClient {
			st.Kind = kindOf(q.local(b))
		}
		st.recordAttributes(b, s.work.attrs)
		return nil
	}
	switch class {
	case classStreams:
		st.HasStreams = true
	case classClient:
		if kindOf(q.local(b)) != Nonza {
			st.NestedStanza = true
		}
	}
	if depth == 1 {
		if st.Children == 0 {
			q.ns = s.namespaceOf(b, id)
			st.child = q
		}
		st.Children++
	}
	return nil
}

func kindOf(local []byte) StanzaKind {
	switch string(local) {
	case "iq":
		return IQ
	case "message":
		return Message
	case "presence":
		return Presence
	}
	return Nonza
}

func (st *Stanza) recordAttributes(b []byte, attrs []attribute) {
	for i := range attrs {
		a := &attrs[i]
		v := value{a.value, a.escaped}
		switch string(a.name.of(b)) {
		case "to":
			st.attrs.to = v
		case "from":
			st.attrs.from = v
			st.fromAttr = span{a.name.start, a.value.end + 1}
		case "id":
			st.attrs.id = v
		case "type":
			st.attrs.typ = v
		case "xml:lang":
			st.attrs.lang = v
		}
	}
}
