// Package feature holds what the server answers to IQ requests that are addressed to itself or to the sender's own account, one small file per RFC or XEP.
package feature

import (
	"sort"

	"mellium.im/xmpp/stanza"

	"signalbox/internal/endpoint"
	"signalbox/xmpp/scan"
)

// Request is an iq of type get or set.
type Request struct {
	Set      bool
	Payload  scan.Element
	From     endpoint.Key
	ToServer bool // addressed to the domain; else to the sender's own bare JID, or to nobody
}

// Answer is what goes back: a result with this payload, which may be empty, or an error where Condition is not empty.
type Answer struct {
	Payload   []byte
	Type      stanza.ErrorType
	Condition stanza.Condition
}

// Refuse is an error answer.
func Refuse(t stanza.ErrorType, c stanza.Condition) Answer { return Answer{Type: t, Condition: c} }

// Unavailable is the answer to everything that is not offered, and to whatever must not be told from it (RFC 6120 section 8.3.3.19).
func Unavailable() Answer { return Refuse(stanza.Cancel, stanza.ServiceUnavailable) }

// Feature answers one payload name.
type Feature struct {
	Namespace, Local string
	Vars             []string // what disco#info advertises
	Answer           func(*Request) Answer
}

// Set is a table of features by the name of their payload. It does not change once it is in use.
type Set struct {
	byName map[name]Feature
	vars   []string
}

type name struct{ namespace, local string }

// NewSet makes the table; extra features are advertised without being asked for by IQ. Service discovery is part of every set.
func NewSet(extra []string, features ...Feature) *Set {
	s := &Set{byName: make(map[name]Feature, len(features)+2)}
	disco := append(features, info(s), items())
	for _, f := range disco {
		s.byName[name{f.Namespace, f.Local}] = f
		s.vars = append(s.vars, f.Vars...)
	}
	s.vars = append(s.vars, extra...)
	sort.Strings(s.vars)
	return s
}

// Answer answers a request by the feature of its payload, or Unavailable.
func (s *Set) Answer(r *Request) Answer {
	f, ok := s.byName[name{string(r.Payload.Namespace()), string(r.Payload.Local())}]
	if !ok {
		return Unavailable()
	}
	return f.Answer(r)
}
