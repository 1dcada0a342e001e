package endpoint

import (
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
	State      State
	Since      time.Time // of the state
	LastHeard  time.Time // when bytes were last received from it
	Reason     string    // why it is offline: a Reason's name; empty while online
	Resource   string
	RemoteAddr string
	Via        link.Via
	TLSVersion string // "1.2", "1.3"
}
