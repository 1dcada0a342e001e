package turnsession

// Counters are what a session has moved through the TURN server since it was opened. Up is from its clients to their peers; bytes are those of the application's data.
type Counters struct {
	Allocations     uint64            `json:"allocations"`      // that were made
	OpenAllocations uint64            `json:"open_allocations"` // that there are now
	PacketsUp       uint64            `json:"packets_up"`
	PacketsDown     uint64            `json:"packets_down"`
	BytesUp         uint64            `json:"bytes_up"`
	BytesDown       uint64            `json:"bytes_down"`
	Drops           map[string]uint64 `json:"drops,omitempty"`         // packets that went nowhere, by reason
	RefusedPeers    map[string]uint64 `json:"refused_peers,omitempty"` // what was refused, by the peer's address; "others" stands for those beyond some
}
