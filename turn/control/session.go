package control

import (
	"errors"
	"fmt"
	"net/netip"
	"time"
)

// Bounds of a session: what is longer is refused before it travels.
const (
	MaxID         = 64  // bytes of Session.ID, Owner and Technician
	MaxAllowPeers = 256 // entries of Session.AllowPeers
	MaxObserved   = 16  // addresses of each side in Session.Observed
)

// The sides of a session.
const (
	SideA byte = 'a'
	SideB byte = 'b'
)

// Session is one TURN session: two sides whose allocations may reach each other, and more where it says so. The TURN process knows no other users.
type Session struct {
	ID             string          `json:"id"`                   // letters, digits, '-' and '_', 1 to MaxID bytes; part of the username
	Owner          string          `json:"owner,omitempty"`      // the node that opened it; set by Client.Open
	Expires        time.Time       `json:"expires"`              // the session ends then by itself
	Technician     string          `json:"technician,omitempty"` // whose quota it counts for; empty: nobody's
	AllowPeers     []netip.Prefix  `json:"allow_peers,omitempty"`
	Observed       [2][]netip.Addr `json:"observed"`                  // of side a, b: where the OTHER party was observed; a peer of that side's allocations
	MaxAllocations int             `json:"max_allocations,omitempty"` // 0: as Settings say
	Rate           int64           `json:"rate,omitempty"`            // bytes per second in both directions together; 0: as Settings say
}

// Validate names the first thing that keeps the session from being opened.
func (s Session) Validate() error {
	switch {
	case !validID(s.ID):
		return fmt.Errorf("session id %q: must be 1 to %d letters, digits, - and _", s.ID, MaxID)
	case len(s.Owner) > MaxID || len(s.Technician) > MaxID:
		return fmt.Errorf("session %s: owner and technician have at most %d bytes", s.ID, MaxID)
	case s.Expires.IsZero():
		return fmt.Errorf("session %s: has no end", s.ID)
	case len(s.AllowPeers) > MaxAllowPeers:
		return fmt.Errorf("session %s: %d peers, at most %d", s.ID, len(s.AllowPeers), MaxAllowPeers)
	case len(s.Observed[0]) > MaxObserved || len(s.Observed[1]) > MaxObserved:
		return fmt.Errorf("session %s: more than %d observed addresses of a side", s.ID, MaxObserved)
	case s.MaxAllocations < 0 || s.Rate < 0:
		return errors.New("session " + s.ID + ": limits are not negative")
	}
	for _, p := range s.AllowPeers {
		if !p.IsValid() {
			return errors.New("session " + s.ID + ": a range of peers is not valid")
		}
	}
	return nil
}

// validID reports whether an id can be a part of a username, which colons separate.
func validID(id string) bool {
	for _, c := range []byte(id) {
		if (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') && c != '-' && c != '_' {
			return false
		}
	}
	return id != "" && len(id) <= MaxID
}

// OtherPeers is the key of Counters.RefusedPeers under which all stand for whom there is no entry of their own.
const OtherPeers = "others"

// MaxRefusedPeers bounds the addresses in Counters.RefusedPeers; OtherPeers comes on top.
const MaxRefusedPeers = 16

// Counters is what one session has done, since it was opened. Up is from the client to its peer, down the other way; bytes are those of the application's data.
type Counters struct {
	Allocations  uint64            `json:"allocations"`      // made
	Open         int               `json:"open_allocations"` // there now
	PacketsUp    uint64            `json:"packets_up"`
	PacketsDown  uint64            `json:"packets_down"`
	BytesUp      uint64            `json:"bytes_up"`
	BytesDown    uint64            `json:"bytes_down"`
	Drops        map[string]uint64 `json:"drops,omitempty"`         // packets by reason
	RefusedPeers map[string]uint64 `json:"refused_peers,omitempty"` // canonical address -> refusals; at most MaxRefusedPeers and OtherPeers
}

// Plus returns both together, with what is open now in other.
func (c Counters) Plus(other Counters) Counters {
	c.Allocations += other.Allocations
	c.Open = other.Open
	c.PacketsUp += other.PacketsUp
	c.PacketsDown += other.PacketsDown
	c.BytesUp += other.BytesUp
	c.BytesDown += other.BytesDown
	c.Drops = sum(c.Drops, other.Drops, len(c.Drops)+len(other.Drops))
	c.RefusedPeers = sum(c.RefusedPeers, other.RefusedPeers, MaxRefusedPeers)
	return c
}

// sum adds what is counted under the same name; names beyond the limit count as OtherPeers.
func sum(a, b map[string]uint64, limit int) map[string]uint64 {
	if len(a)+len(b) == 0 {
		return nil
	}
	all := make(map[string]uint64, len(a)+len(b))
	for _, m := range []map[string]uint64{a, b} {
		for name, n := range m {
			if _, known := all[name]; !known && len(all) >= limit {
				name = OtherPeers
			}
			all[name] += n
		}
	}
	return all
}

// Secrets are the keys of passwords: Current signs, both verify.
type Secrets struct {
	Current  []byte `json:"current"`
	Previous []byte `json:"previous,omitempty"` // nil: none
}

// RelayAddress is an address of this machine on which peers are met, and how it is announced to clients.
type RelayAddress struct {
	Bind      netip.Addr `json:"bind"`
	Announced netip.Addr `json:"announced"` // of the same family; Bind where no other is configured
}

// Settings is everything that the TURN process must know to start. A child of serve gets it as the first message, so that it reads no file.
type Settings struct {
	Realm                 string           `json:"realm"`
	Relay                 []RelayAddress   `json:"relay"` // one per family at most, one at least
	MinPort               int              `json:"min_port"`
	MaxPort               int              `json:"max_port"`
	AllowPeers            []netip.Prefix   `json:"allow_peers,omitempty"`
	DenyPeers             []netip.Prefix   `json:"deny_peers,omitempty"`
	Own                   []netip.AddrPort `json:"own,omitempty"` // listeners of this installation, which no peer may be; an unspecified address: that port on every local address
	MaxAllocations        int              `json:"max_allocations"`
	SessionAllocations    int              `json:"session_allocations"`
	TechnicianAllocations int              `json:"technician_allocations"`
	SessionRate           int64            `json:"session_rate"`          // bytes per second; 0: no limit
	TotalRate             int64            `json:"total_rate"`            // bytes per second; 0: no limit
	RESTSecret            []byte           `json:"rest_secret,omitempty"` // nil: credentials of other systems are refused
	Sockets               []Socket         `json:"sockets,omitempty"`     // what a child inherits, in the order of its files
	LogLevel              string           `json:"log_level"`
	LogFormat             string           `json:"log_format"`
}
