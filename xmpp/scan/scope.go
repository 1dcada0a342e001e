package scan

import "bytes"

// Namespaces that the scanner itself knows.
const (
	NamespaceClient  = "jabber:client"
	NamespaceStreams = "http://etherx.jabber.org/streams"

	namespaceXML   = "http://www.w3.org/XML/1998/namespace"
	namespaceXMLNS = "http://www.w3.org/2000/xmlns/"
)

// What a stream header may leave behind. It is kept for the life of the stream, and every stanza that uses a prefix of
// it grows by the declaration when it is relayed; so both are small, whatever the limits for stanzas are.
const (
	maxScopeDeclarations = 64 // as many as Stanza.redeclare has bits
	maxScopeBytes        = 1024
)

// class sorts namespaces that facts about a stanza depend on.
type class uint8

const (
	classOther class = iota
	classClient
	classStreams
)

func classify(ns []byte) class {
	switch string(ns) {
	case NamespaceClient:
		return classClient
	case NamespaceStreams:
		return classStreams
	}
	return classOther
}

// nsID names a namespace within one top-level element; equal namespaces have equal ids. From 0 it is an index of
// scratch.decls, from scopeID downwards one of scope.decls.
type nsID int32

const (
	noNamespace nsID = -1
	xmlID       nsID = -2
	scopeID     nsID = -3
)

// scope is what the stream header declared. It is never written after it was built and shared by all stanzas of a stream.
type scope struct {
	name  []byte // qualified name of the root element, which the stream's end tag must repeat
	decls []scopeDecl
	def   nsID // the default namespace
}

type scopeDecl struct {
	prefix, uri []byte
	id          nsID
	class       class
}

// emptyScope surrounds elements that have no stream around them, such as the frames of RFC 7395.
var emptyScope = makeScope(nil, nil)

// clientScope is what nearly every client declares; sharing it keeps idle connections small.
var clientScope = makeScope([]byte("stream:stream"), []scopeDecl{
	{uri: []byte(NamespaceClient)},
	{prefix: []byte("stream"), uri: []byte(NamespaceStreams)},
})

// newScope takes ownership of decls and returns clientScope itself when it says the same.
func newScope(name []byte, decls []scopeDecl) *scope {
	s := makeScope(name, decls)
	if s.equivalent(clientScope) {
		return clientScope
	}
	return s
}

func makeScope(name []byte, decls []scopeDecl) *scope {
	for i := range decls {
		d := &decls[i]
		d.class = classify(d.uri)
		d.id = scopeID - nsID(i)
		if len(d.uri) == 0 {
			d.id = noNamespace
		}
		for _, before := range decls[:i] {
			if bytes.Equal(before.uri, d.uri) {
				d.id = before.id
				break
			}
		}
	}
	s := &scope{name: name, decls: decls, def: noNamespace}
	if i := s.find(nil); i >= 0 {
		s.def = decls[i].id
	}
	return s
}

func (s *scope) equivalent(t *scope) bool {
	if !bytes.Equal(s.name, t.name) || len(s.decls) != len(t.decls) {
		return false
	}
	for _, d := range s.decls {
		i := t.find(d.prefix)
		if i < 0 || !bytes.Equal(t.decls[i].uri, d.uri) {
			return false
		}
	}
	return true
}

// find returns the index of the declaration of prefix, or -1.
func (s *scope) find(prefix []byte) int {
	for i := range s.decls {
		if bytes.Equal(s.decls[i].prefix, prefix) {
			return i
		}
	}
	return -1
}

// lookup returns the namespace of prefix, nil when it has none.
func (s *scope) lookup(prefix []byte) []byte {
	if i := s.find(prefix); i >= 0 {
		return s.decls[i].uri
	}
	return nil
}
