package scan

// Splice appends the stanza with its from attribute set to from, for a stream whose header declares NamespaceClient as
// default namespace, as RFC 6120 wants of every client stream. Everything else stays byte by byte as the sender wrote it;
// only prefixes that the sender's stream header declared are declared anew on the stanza. The characters of from must be
// legal in XML.
func Splice(dst []byte, st *Stanza, from string) []byte {
	return st.splice(dst, from, NamespaceClient)
}

// SpliceAlone is Splice for a place without a default namespace: a frame of RFC 7395, or a store.
func SpliceAlone(dst []byte, st *Stanza, from string) []byte {
	return st.splice(dst, from, "")
}

// Restate appends the stanza for a place whose default namespace is receiver, empty for none: what it took from the stream
// around it is declared on it, all else stays byte by byte. It goes between a stream of RFC 6120 and the messages of RFC 7395.
func Restate(dst []byte, st *Stanza, receiver string) []byte {
	nameEnd := st.name.name.end
	dst = append(dst, st.Raw[:nameEnd]...)
	dst = st.appendInherited(dst, receiver)
	return append(dst, st.Raw[nameEnd:]...)
}

func (st *Stanza) splice(dst []byte, from, receiver string) []byte {
	nameEnd := st.name.name.end
	dst = append(dst, st.Raw[:nameEnd]...)
	dst = st.appendInherited(dst, receiver)
	rest := st.Raw[nameEnd:]
	if st.fromAttr.start == 0 {
		dst = append(dst, ' ')
	} else {
		dst = append(dst, st.Raw[nameEnd:st.fromAttr.start]...)
		rest = st.Raw[st.fromAttr.end:]
	}
	dst = append(dst, "from='"...)
	dst = AppendEscaped(dst, from)
	dst = append(dst, '\'')
	return append(dst, rest...)
}

// appendInherited declares what the stanza took from the sender's stream and the receiver does not have. No element of the
// stanza declares these on the way down to where they are used, so declaring them at the top changes nothing else.
func (st *Stanza) appendInherited(dst []byte, receiver string) []byte {
	if st.InheritsDefault {
		if inherited := st.scope.lookup(nil); string(inherited) != receiver {
			dst = appendDeclaration(dst, nil, inherited)
		}
	}
	for i := range st.scope.decls {
		if d := &st.scope.decls[i]; st.redeclare&(1<<i) != 0 {
			dst = appendDeclaration(dst, d.prefix, d.uri)
		}
	}
	return dst
}

func appendDeclaration(dst, prefix, uri []byte) []byte {
	dst = append(dst, " xmlns"...)
	if len(prefix) > 0 {
		dst = append(dst, ':')
		dst = append(dst, prefix...)
	}
	dst = append(dst, "='"...)
	dst = AppendEscaped(dst, uri)
	return append(dst, '\'')
}

// Alone appends a stanza out of a stream, as Edit or Splice wrote it, for a place where another namespace is the default, as inside an element. What is no such stanza,
// or has no from, is left out.
func Alone(dst, raw []byte) []byte {
	st, err := ParseInStream(raw, Accepted)
	if err != nil || len(st.From()) == 0 {
		return dst
	}
	return SpliceAlone(dst, &st, string(st.From()))
}
