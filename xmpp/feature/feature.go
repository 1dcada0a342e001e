// Package feature holds what the server offers beside moving stanzas, one small file per RFC or XEP: each names what it advertises, answers requests to the server
// or to an account, and may look at messages and presence on their way.
package feature

import (
	"context"
	"slices"
	"strings"

	"mellium.im/xmpp/stanza"

	"signalbox/internal/endpoint"
	"signalbox/xmpp/scan"
)

// Feature is one RFC or XEP. All functions may be called concurrently; nil ones are not called. Those that take a context may wait for the store until it is done:
// the stream of the client that asked waits with them.
type Feature struct {
	Vars        []string                                                     // what disco#info of the server advertises
	AccountVars []string                                                     // what disco#info of an account advertises
	Forms       []Form                                                       // about the server, in its disco#info (XEP-0128)
	Identities  []Identity                                                   // of an account, beside that of a registered account
	Stream      string                                                       // stream feature offered to a client that logged in, as XML; empty: none
	Requests    []Request                                                    // the iq payloads that it answers
	Describe    func(context.Context, *Query, string) (Answer, bool)         // disco#info of a node, or of another's account where the node is empty; false: not mine
	List        func(context.Context, *Query, string, []byte) ([]byte, bool) // appends the disco#items of an entity or of a node of it; false: not mine
	Knows       func(context.Context, *Query) bool                           // whether the asker may know what another's account is and offers

	// Outgoing sees a message of a client before it is routed, and may refuse it.
	Outgoing func(context.Context, *Message)
	// Incoming sees a message to an account here before it is delivered, and may refuse it or add to it.
	Incoming func(context.Context, *Message)
	// Delivered is told which clients a message went to.
	Delivered func(context.Context, *Message, []Client)
	// Stored takes a message that no client is there for; true: it is kept, and nobody else is asked.
	Stored func(context.Context, *Message) bool
	// Kept is told of a message that Stored has taken.
	Kept func(context.Context, *Message)
	// Present is told of every presence by which a client says that it is available, after it was made known and before Arrived.
	Present func(context.Context, Client, *scan.Stanza)
	// Revealed is told that an account lets another one have its presence from now on.
	Revealed func(ctx context.Context, of, to endpoint.Key)
	// Arrived is told when a client becomes available, after its presence was made known.
	Arrived func(context.Context, Client)
	// Left is told when a client that was available is no longer, with the presence that said so.
	Left func(context.Context, Client, []byte)
}

// Identity is what an entity is (XEP-0030 section 3.1).
type Identity struct{ Category, Type, Name string }

// Request is one iq payload with who answers it. What has no function is not offered.
type Request struct {
	Namespace, Local string
	To               Entity // the entities that answer it
	Get, Set         func(context.Context, *Query) Answer
}

// Query is an iq of type get or set, to the server or to an account.
type Query struct {
	Set     bool
	Stanza  *scan.Stanza
	Payload scan.Element
	From    Client
	To      Entity
	Account endpoint.Key // whose account it is for; that of the sender where it is for its own

	Patience Patience // the context of the answer
}

// Entity is what a query is addressed to, or several of them.
type Entity uint8

// The entities that answer.
const (
	Server  Entity = 1 << iota // the domain
	Own                        // the account of the sender: its bare JID, or no address
	Another                    // the account of somebody else, by its bare JID

	Account = Own | Another
)

// Answer is what goes back: a result with this payload, which may be empty, or an error where Condition is not empty.
type Answer struct {
	Payload   []byte
	Type      stanza.ErrorType
	Condition stanza.Condition
	Detail    string // application-specific condition of an error, as XML
}

// Refuse is an error answer.
func Refuse(t stanza.ErrorType, c stanza.Condition) Answer { return Answer{Type: t, Condition: c} }

// Unavailable is the answer to everything that is not offered, and to whatever must not be told from it (RFC 6120 section 8.3.3.19).
func Unavailable() Answer { return Refuse(stanza.Cancel, stanza.ServiceUnavailable) }

// Set is a table of features. It does not change once it is in use.
type Set struct {
	requests           map[name]func(context.Context, *Query) Answer
	vars, accountVars  []string
	forms              []Form
	identities         []Identity
	stream             string
	describe           []func(context.Context, *Query, string) (Answer, bool)
	list               []func(context.Context, *Query, string, []byte) ([]byte, bool)
	outgoing, incoming []func(context.Context, *Message)
	delivered          []func(context.Context, *Message, []Client)
	stored             []func(context.Context, *Message) bool
	kept               []func(context.Context, *Message)
	knows              []func(context.Context, *Query) bool
	present            []func(context.Context, Client, *scan.Stanza)
	revealed           []func(ctx context.Context, of, to endpoint.Key)
	arrived            []func(context.Context, Client)
	left               []func(context.Context, Client, []byte)
}

// name names one kind of query.
type name struct {
	namespace, local string
	to               Entity
	set              bool
}

// NewSet makes the table. Features see messages and presence in the order in which they stand here. Service discovery and entity capabilities, which describe the
// others, are part of every set; extra names are advertised for the server though nothing here does them.
func NewSet(extra []string, features ...Feature) *Set {
	s := &Set{requests: make(map[name]func(context.Context, *Query) Answer), vars: extra}
	for _, f := range append(features, info(s), items(s)) {
		s.add(f)
	}
	s.vars = sorted(append(s.vars, nsCaps))
	s.accountVars = sorted(s.accountVars)
	s.add(caps(s)) // describes all that was added before
	return s
}

func sorted(vars []string) []string {
	slices.Sort(vars)
	return slices.Compact(vars)
}

func (s *Set) add(f Feature) {
	s.vars = append(s.vars, f.Vars...)
	s.accountVars = append(s.accountVars, f.AccountVars...)
	s.forms = append(s.forms, f.Forms...)
	s.identities = append(s.identities, f.Identities...)
	s.stream += f.Stream
	for _, r := range f.Requests {
		for _, to := range []Entity{Server, Own, Another} {
			if r.To&to != 0 {
				s.requests[name{r.Namespace, r.Local, to, false}] = r.Get
				s.requests[name{r.Namespace, r.Local, to, true}] = r.Set
			}
		}
	}
	if f.Describe != nil {
		s.describe = append(s.describe, f.Describe)
	}
	if f.List != nil {
		s.list = append(s.list, f.List)
	}
	if f.Outgoing != nil {
		s.outgoing = append(s.outgoing, f.Outgoing)
	}
	if f.Incoming != nil {
		s.incoming = append(s.incoming, f.Incoming)
	}
	if f.Delivered != nil {
		s.delivered = append(s.delivered, f.Delivered)
	}
	if f.Stored != nil {
		s.stored = append(s.stored, f.Stored)
	}
	s.addHooks(f)
}

func (s *Set) addHooks(f Feature) {
	if f.Kept != nil {
		s.kept = append(s.kept, f.Kept)
	}
	if f.Knows != nil {
		s.knows = append(s.knows, f.Knows)
	}
	if f.Present != nil {
		s.present = append(s.present, f.Present)
	}
	if f.Revealed != nil {
		s.revealed = append(s.revealed, f.Revealed)
	}
	if f.Arrived != nil {
		s.arrived = append(s.arrived, f.Arrived)
	}
	if f.Left != nil {
		s.left = append(s.left, f.Left)
	}
}

// Answer answers a query by the feature of its payload, or Unavailable.
func (s *Set) Answer(ctx context.Context, q *Query) Answer {
	answer := s.requests[name{string(q.Payload.Namespace()), string(q.Payload.Local()), q.To, q.Set}]
	if answer == nil {
		return Unavailable()
	}
	return answer(ctx, q)
}

// Stream returns the stream features that are offered after login, as XML.
func (s *Set) Stream() string { return s.stream }

// Outgoing shows a message to the features of its sender, until one refuses it.
func (s *Set) Outgoing(ctx context.Context, m *Message) {
	for _, f := range s.outgoing {
		if f(ctx, m); m.Refused() {
			return
		}
	}
}

// Incoming shows a message to the features of its recipient, until one refuses it.
func (s *Set) Incoming(ctx context.Context, m *Message) {
	for _, f := range s.incoming {
		if f(ctx, m); m.Refused() {
			return
		}
	}
}

// Delivered tells the features of the recipient who got a message.
func (s *Set) Delivered(ctx context.Context, m *Message, to []Client) {
	for _, f := range s.delivered {
		f(ctx, m, to)
	}
}

// Stored gives a message that nobody got to the first feature that keeps it; false: none does.
func (s *Set) Stored(ctx context.Context, m *Message) bool {
	if !slices.ContainsFunc(s.stored, func(f func(context.Context, *Message) bool) bool { return f(ctx, m) }) {
		return false
	}
	for _, f := range s.kept {
		f(ctx, m)
	}
	return true
}

// Present tells of a presence by which a client says that it is available.
func (s *Set) Present(ctx context.Context, c Client, presence *scan.Stanza) {
	for _, f := range s.present {
		f(ctx, c, presence)
	}
}

// Revealed tells that an account lets another one have its presence.
func (s *Set) Revealed(ctx context.Context, of, to endpoint.Key) {
	for _, f := range s.revealed {
		f(ctx, of, to)
	}
}

// Arrived tells that a client became available.
func (s *Set) Arrived(ctx context.Context, c Client) {
	for _, f := range s.arrived {
		f(ctx, c)
	}
}

// Left tells that a client is available no longer.
func (s *Set) Left(ctx context.Context, c Client, presence []byte) {
	for _, f := range s.left {
		f(ctx, c, presence)
	}
}

// appendElement appends an element with text.
func appendElement(b []byte, name, text string) []byte {
	b = append(append(append(b, '<'), name...), '>')
	b = scan.AppendText(b, text)
	if i := strings.IndexByte(name, ' '); i >= 0 {
		name = name[:i] // behind it are attributes
	}
	return append(append(append(b, '<', '/'), name...), '>')
}
