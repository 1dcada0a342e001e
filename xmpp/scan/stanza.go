package scan

// StanzaKind tells the three stanzas of RFC 6120 section 8 from everything else.
type StanzaKind uint8

const (
	// Nonza: any other top-level element, also one named like a stanza in another namespace than NamespaceClient.
	Nonza StanzaKind = iota
	// IQ is {jabber:client}iq.
	IQ
	// Message is {jabber:client}message.
	Message
	// Presence is {jabber:client}presence.
	Presence
)

var stanzaNames = [...]string{"nonza", "iq", "message", "presence"}

// String returns the element name of a stanza, or "nonza".
func (k StanzaKind) String() string {
	if int(k) >= len(stanzaNames) {
		return "nonza"
	}
	return stanzaNames[k]
}

// Stanza is one complete top-level element: a view that borrows Raw, and with it the buffer given to Scanner.Next. Whoever
// keeps it beyond the next read into that buffer calls Clone.
type Stanza struct {
	// Raw holds the bytes of the element, from its < to behind its end tag.
	Raw []byte
	// Kind is decided by namespace and local name.
	Kind StanzaKind
	// Children counts the child elements; an iq of type get or set has exactly one (RFC 6120 section 8.2.3).
	Children int
	// InheritsDefault says that an element without prefix took its namespace from around the stanza.
	InheritsDefault bool
	// HasStreams says that an element below the top is in NamespaceStreams, which no peer has reason to send.
	HasStreams bool
	// NestedStanza says that an iq, message or presence of NamespaceClient lies below the top.
	NestedStanza bool

	redeclare uint64 // bit i: uses the prefix of scope.decls[i]
	scope     *scope
	name      qname
	child     qname
	attrs     stanzaAttributes
	fromAttr  span // from the name of the attribute to behind its closing quote
}

// qname is the name of an element of a stanza.
type qname struct {
	name   span
	prefix int
	ns     namespaceRef
}

func (q *qname) local(raw []byte) []byte {
	n := q.name.of(raw)
	if q.prefix > 0 {
		n = n[q.prefix+1:]
	}
	return n
}

// namespaceRef is the name of a namespace: a piece of the element, or bytes that live elsewhere.
type namespaceRef struct {
	raw   span
	fixed []byte
}

func (r *namespaceRef) bytes(raw []byte) []byte {
	if r.fixed != nil {
		return r.fixed
	}
	return r.raw.of(raw)
}

type stanzaAttributes struct {
	to, from, id, typ, lang value
}

// value is the raw value of an attribute; the zero value means that it is absent.
type value struct {
	span
	escaped bool
}

func (v value) of(raw []byte) []byte {
	switch {
	case v.start == 0:
		return nil
	case v.escaped:
		return appendUnescaped(make([]byte, 0, v.len()), v.span.of(raw), inValue)
	}
	return v.span.of(raw)
}

// Local returns the local name of the element.
func (st *Stanza) Local() []byte { return st.name.local(st.Raw) }

// Namespace returns the namespace of the element, empty without one.
func (st *Stanza) Namespace() []byte { return st.name.ns.bytes(st.Raw) }

// Is reports whether the element has this namespace and local name.
func (st *Stanza) Is(namespace, local string) bool {
	return string(st.Local()) == local && string(st.Namespace()) == namespace
}

// To returns the unescaped attribute, nil when it is absent. Like From, ID, Type and Lang it allocates only if the value
// holds references, tabs or line ends; else the result borrows Raw.
func (st *Stanza) To() []byte { return st.attrs.to.of(st.Raw) }

// From returns the unescaped attribute as the peer wrote it, nil when it is absent.
func (st *Stanza) From() []byte { return st.attrs.from.of(st.Raw) }

// ID returns the unescaped attribute, nil when it is absent.
func (st *Stanza) ID() []byte { return st.attrs.id.of(st.Raw) }

// Type returns the unescaped attribute, nil when it is absent.
func (st *Stanza) Type() []byte { return st.attrs.typ.of(st.Raw) }

// Lang returns the unescaped xml:lang, nil when it is absent.
func (st *Stanza) Lang() []byte { return st.attrs.lang.of(st.Raw) }

// ChildLocal returns the local name of the first child element, nil without children.
func (st *Stanza) ChildLocal() []byte {
	if st.Children == 0 {
		return nil
	}
	return st.child.local(st.Raw)
}

// ChildNamespace returns the namespace of the first child element, nil without children, empty for no namespace.
func (st *Stanza) ChildNamespace() []byte {
	if st.Children == 0 {
		return nil
	}
	return st.child.ns.bytes(st.Raw)
}

// ChildIs reports whether the first child element has this namespace and local name.
func (st *Stanza) ChildIs(namespace, local string) bool {
	return st.Children > 0 && string(st.child.local(st.Raw)) == local && string(st.child.ns.bytes(st.Raw)) == namespace
}

// NeedsRedeclare reports whether the stanza uses a prefix that only the stream header declares, so that its raw bytes mean
// nothing in another stream. Splice takes care of it.
func (st *Stanza) NeedsRedeclare() bool { return st.redeclare != 0 }

// Clone returns a copy with its own Raw.
func (st *Stanza) Clone() Stanza {
	c := *st
	c.Raw = append([]byte(nil), st.Raw...)
	return c
}

// Element returns the reader of the stanza's inside; no element for the zero Stanza.
func (st *Stanza) Element() Element {
	if len(st.Raw) == 0 {
		return Element{}
	}
	e, _ := parseElement(st.Raw, 0, nil, st.scope)
	return e
}
