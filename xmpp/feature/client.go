package feature

import (
	"context"
	"maps"
	"slices"
	"sync"

	"signalbox/internal/account"
	"signalbox/internal/endpoint"
	"signalbox/xmpp/scan"
)

// Client is one bound session, as features see it. All methods may be called concurrently and never block.
type Client interface {
	Key() endpoint.Key
	JID() string // full
	// Send puts a stanza of jabber:client behind what the client was sent before, and for one that is Detached behind what it will be sent when it resumes. What finds
	// no room, or a client that is not told yet that it is bound or cannot resume, is lost to this client; false says so.
	Send(raw []byte) bool
	// SendMessage is Send of a message that goes to others of its account, or is kept, if the session ends before the client acknowledged it (XEP-0198 section 4). One
	// that is Detached gets none. What is not taken is not noted in copies.
	SendMessage(raw []byte, copies *Copies) bool
	// SendPresence is Send of a presence of somebody, which may wait while the client is Inactive or Detached: then only the newest of each sender is kept.
	SendPresence(from string, raw []byte)
	// State returns what is kept of this client as long as it is bound.
	State() *State
}

// Presence is a client's availability (RFC 6121 section 4).
type Presence struct {
	Available bool
	Priority  int8
	Raw       []byte // the presence stanza with its true from and without to; nil while it is not available
}

// State is what is kept of one client. The zero value is that of a client that said and asked for nothing.
type State struct {
	mu       sync.Mutex
	flags    map[Flag]bool
	presence Presence
	directed map[string]struct{}
	held     []held
	over     bool // nothing makes it available any more
	caps     capabilities
	asked    []asked
	pushed   []account.PushTarget // enabled by this client (XEP-0357)
}

// held is a presence that waits until its client is active, or has a connection again.
type held struct {
	from string
	raw  []byte
}

// maxHeld bounds how many presences wait for a client.
const maxHeld = 100

// Hold keeps a presence in place of an older one of the same sender; false: the client is active and has a connection, or too
// many wait.
func (s *State) Hold(from string, raw []byte) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.flags[Inactive] && !s.flags[Detached] {
		return false
	}
	s.held = slices.DeleteFunc(s.held, func(h held) bool { return h.from == from })
	if len(s.held) >= maxHeld {
		return false
	}
	s.held = append(s.held, held{from, raw})
	return true
}

// TakeHeld returns what waits, in its order.
func (s *State) TakeHeld() [][]byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.held == nil {
		return nil
	}
	all := make([][]byte, 0, len(s.held))
	for _, h := range s.held {
		all = append(all, h.raw)
	}
	s.held = nil
	return all
}

// Presence returns what the client last made known of itself.
func (s *State) Presence() Presence {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.presence
}

// SetPresence replaces it and returns what it was; false: the client has ended, and is not available.
func (s *State) SetPresence(p Presence) (before Presence, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over && p.Available {
		return s.presence, false
	}
	before, s.presence = s.presence, p
	if !p.Available {
		s.caps = capabilities{}
		delete(s.flags, Missed)
	}
	return before, true
}

// End notes that the client has ended; true: somebody knows it as available.
func (s *State) End() (known bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.over = true
	return s.presence.Available || len(s.directed) > 0
}

// maxDirected bounds to how many addresses a client may have shown itself that are not its contacts.
const maxDirected = 1000

// Direct notes whether an address has got the client's presence though it is no contact (RFC 6121 section 4.6); false: there are too many, or the
// client has ended.
func (s *State) Direct(to string, available bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !available {
		delete(s.directed, to)
		return true
	}
	if s.over {
		return false
	}
	if s.directed == nil {
		s.directed = make(map[string]struct{})
	}
	s.directed[to] = struct{}{}
	if len(s.directed) > maxDirected {
		delete(s.directed, to)
		return false
	}
	return true
}

// Directs reports whether an address has got the client's presence that way.
func (s *State) Directs(to string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ok := s.directed[to]
	return ok
}

// TakeDirected returns those addresses and forgets them.
func (s *State) TakeDirected() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := slices.Sorted(maps.Keys(s.directed))
	s.directed = nil
	return all
}

// Flag is something that a client asked for, or is.
type Flag uint8

// What clients ask for and are.
const (
	Roster    Flag = iota // roster pushes (RFC 6121 section 2.1.6)
	Blocklist             // pushes of its blocking list (XEP-0191 section 3.2)
	Carbons               // copies of messages of other clients of the account (XEP-0280)
	Inactive              // nothing that can wait (XEP-0352)
	Detached              // not asked for: it lost its connection, and may resume (XEP-0198)
	Missed                // not asked for: it could not be sent an event of a node that it wants to know of
)

// Set notes what a client asked for, or that it does no longer.
func (s *State) Set(f Flag, on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.flags == nil {
		s.flags = make(map[Flag]bool)
	}
	s.flags[f] = on
}

// Has reports whether the client asked for something.
func (s *State) Has(f Flag) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.flags[f]
}

// Host is the server as features see it. All methods may be called concurrently.
type Host interface {
	// Domain returns the server's JID domain.
	Domain() string
	// Clients returns the clients of an account that are bound, whether available or not.
	Clients(k endpoint.Key) []Client
	// Route delivers a stanza of the server, or of an account here, as RFC 6121 section 8 says: to is a bare or a full JID. raw has its from and to.
	Route(ctx context.Context, to string, raw []byte)
}

// Message is a message from a client of this server to an account of this server, on its way.
type Message struct {
	From   string       // full JID of its sender
	Sender Client       // nil where the message comes back from a client that did not acknowledge it
	To     endpoint.Key // whose account it is for
	Type   string       // chat, error, groupchat, headline or normal
	Stanza *scan.Stanza // rid of what only the server may say
	Content

	Recipients []Client // all clients of the account that it is for, whether they get it or not; nobody changes the list
	Patience   Patience // the context of its way

	added   []byte
	raw     []byte
	refusal Answer
	dropped bool
}

// Add adds a complete element to the message before it is delivered.
func (m *Message) Add(element []byte) { m.added, m.raw = append(m.added, element...), nil }

// Raw returns the message as it is delivered, with its true from. Nobody changes it.
func (m *Message) Raw() []byte {
	switch {
	case m.raw != nil:
	case m.added == nil:
		m.raw = scan.Splice(make([]byte, 0, len(m.Stanza.Raw)+len(m.From)+16), m.Stanza, m.From)
	default:
		m.raw = scan.Edit{From: m.From, Append: m.added}.AppendTo(make([]byte, 0, len(m.Stanza.Raw)+len(m.added)+len(m.From)+16), m.Stanza)
	}
	return m.raw
}

// Refuse lets the message end here; its sender gets the error.
func (m *Message) Refuse(a Answer) { m.refusal = a }

// Drop lets the message end here; its sender hears nothing.
func (m *Message) Drop() { m.dropped = true }

// Refused reports whether the message was refused or dropped.
func (m *Message) Refused() bool { return m.dropped || m.refusal.Condition != "" }

// Refusal returns the error for the sender; without a condition there is none.
func (m *Message) Refusal() Answer { return m.refusal }
