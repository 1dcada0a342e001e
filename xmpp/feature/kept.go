package feature

import (
	"maps"
	"slices"

	"signalbox/internal/account"
)

// Kept is what outlives the server's process of a State: all but the queries that a client has not answered, and whether it is active (XEP-0352 section 5.2).
type Kept struct {
	Roster    bool                 `json:"roster,omitempty"`
	Blocklist bool                 `json:"blocklist,omitempty"`
	Carbons   bool                 `json:"carbons,omitempty"`
	Missed    bool                 `json:"missed,omitempty"`
	Presence  Presence             `json:"presence,omitzero"`
	Directed  []string             `json:"directed,omitempty"`
	Held      []KeptPresence       `json:"held,omitempty"` // in its order
	Claim     string               `json:"claim,omitempty"`
	Wishes    []string             `json:"wishes,omitempty"`
	Pushed    []account.PushTarget `json:"pushed,omitempty"`
}

// KeptPresence is a presence of somebody that waits for the client.
type KeptPresence struct {
	From string `json:"from"`
	Raw  []byte `json:"raw"`
}

// Keep returns what outlives the process.
func (s *State) Keep() Kept {
	s.mu.Lock()
	defer s.mu.Unlock()
	k := Kept{
		Roster: s.flags[Roster], Blocklist: s.flags[Blocklist], Carbons: s.flags[Carbons], Missed: s.flags[Missed],
		Presence: s.presence, Directed: slices.Sorted(maps.Keys(s.directed)), Claim: s.caps.claim, Wishes: s.caps.wishes, Pushed: slices.Clone(s.pushed),
	}
	for _, h := range s.held {
		k.Held = append(k.Held, KeptPresence{h.from, h.raw})
	}
	return k
}

// Revive returns the state of a client that was kept, which has no connection yet.
func Revive(k Kept) *State {
	s := &State{
		flags:    map[Flag]bool{Roster: k.Roster, Blocklist: k.Blocklist, Carbons: k.Carbons, Missed: k.Missed, Detached: true},
		presence: k.Presence, caps: capabilities{claim: k.Claim, wishes: k.Wishes}, pushed: k.Pushed,
	}
	for _, to := range k.Directed {
		if s.directed == nil {
			s.directed = make(map[string]struct{})
		}
		s.directed[to] = struct{}{}
	}
	for _, h := range k.Held {
		s.held = append(s.held, held{h.From, h.Raw})
	}
	return s
}
