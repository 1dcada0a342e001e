package endpoint

import (
	"net/netip"
	"time"

	"signalbox/internal/link"
)

// State is an endpoint's presence in one word.
type State string

// The states of SPEC section 8. Online counts from bind.
const (
	StateNever   State = "never" // no session was ever bound
	StateOnline  State = "online"
	StateOffline State = "offline"
)

// Presence is what is known of an endpoint's last or live session.
type Presence struct {
	State       State
	Since       time.Time // of the state
	LastHeard   time.Time // when bytes were last received from it
	Reason      string    // why it is offline: a Reason's name; empty while online
	Resource    string
	RemoteAddr  string
	Via         link.Via
	TLSVersion  string    // "1.2", "1.3"
	Bound       time.Time // when the session was bound; resumptions do not change it
	Intercepted bool      // while it is online: as in Facts; not stored
	Client      string    // by which the installation of the client is known again; empty: it said nothing of the kind

	LastEnd    time.Time // while it is online: when the session or connection before ended; zero: there was none
	LastReason string    // why

	Tell time.Time // when events may tell of it at the earliest, if it lasts; zero: at once
}

// Beside returns p with what a stored presence, which it follows, knows of the session before.
func (p Presence) Beside(stored Presence) Presence {
	switch {
	case p.State != StateOnline:
	case stored.State == StateOffline:
		p.LastEnd, p.LastReason = stored.Since, stored.Reason
	case stored.State == StateOnline && stored.Since.Equal(p.Since):
		p.LastEnd, p.LastReason = stored.LastEnd, stored.LastReason
	case stored.State == StateOnline:
		p.LastEnd, p.LastReason = p.Since, ReasonReplaced.Name
	}
	return p
}

// Place says where a session comes from and of which installation: what tells a machine that comes back from another one.
func (p Presence) Place() string { return place(p.RemoteAddr, p.Client) }

func place(remote, client string) string {
	if a, err := netip.ParseAddrPort(remote); err == nil {
		remote = a.Addr().Unmap().String()
	}
	return remote + "/" + client
}
