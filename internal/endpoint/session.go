package endpoint

import (
	"errors"
	"net/netip"
	"time"

	"signalbox/internal/link"
)

// Stanza is one complete stanza on its way to a session.
type Stanza struct {
	Raw     []byte          // complete element in jabber:client; nobody changes it after the hand-over
	Written func(time.Time) // called at most once, when the write to the connection returned; nil: nobody asks. It must not block
	Ref     int64           // by which a session that outlives the process asks anew for Written; 0: it does not
}

// Errors of delivering to a session.
var (
	ErrOffline = errors.New("endpoint has no session that takes stanzas")
	ErrFull    = errors.New("the session's queue is full")
)

// Session is one live, bound session. All methods may be called concurrently and never block.
type Session interface {
	// Deliver puts a stanza into the session's bounded queue, or returns ErrFull or ErrOffline.
	Deliver(Stanza) error
	// End closes the session with this reason; the registry hears of it as of every other end.
	End(Reason)
	// Facts returns what is fixed at bind or resumption.
	Facts() Facts
	// LastHeard returns when bytes were last received from the endpoint.
	LastHeard() time.Time
}

// Pinger is a session whose endpoint can be asked for a sign of life. Ping may be called concurrently and does not block.
type Pinger interface {
	// Ping asks; heard is called at most once, with true when bytes were received after it, with false when the connection ends before. The latest call takes the place of
	// an earlier one that waits. It is false, and heard is never called, if there is no connection.
	Ping(heard func(alive bool)) bool
}

// Facts are what is known of a session from its login.
type Facts struct {
	Resource   string
	Client     string // by which the same installation is known again: the resource, if the client chose it or it is made of the installation's id; empty: it said nothing
	Remote     netip.AddrPort
	Via        link.Via
	TLSVersion uint16
	Bound      time.Time

	Intercepted bool // the endpoint found TLS opened on the way, and its policy lets it be here all the same
}

// ChangeKind says what happened to a session.
type ChangeKind uint8

// The changes in the lead of a session. It is Bound once in an epoch, may alternate between Available and Unavailable and between Suspended and Resumed, and Ended
// exactly once; it may lead again in a later epoch if it lives on beside the session that took the lead.
const (
	Bound       ChangeKind = iota // the endpoint's session from now on; it counts as online unless Suspended follows
	Available                     // sent its presence: pushes may flow
	Unavailable                   // sent unavailable presence: online, but takes no new stanzas
	Suspended                     // connection lost, resumable (XEP-0198): counts as offline, takes no new stanzas
	Resumed                       // online again; takes stanzas if it did before
	Ended                         // what was on the way and not acknowledged is lost to this session
)

// Change is one change in the life of the session that leads.
type Change struct {
	Kind    ChangeKind
	Key     Key
	Epoch   uint64 // of the lead; greater for every later one of the same endpoint
	Session Session
	Reason  Reason // of Suspended and Ended
	Open    bool   // of Ended: a newer login took the place of this session, whose connection was open as far as anybody knew
	At      time.Time
}

// Watcher is told of every change. Calls for one endpoint come one at a time and in order, though not always before the registry's method returns.
// SessionChanged must not block, and may be called concurrently for several endpoints.
type Watcher interface {
	SessionChanged(Change)
}
