// Package tally counts what one TURN session relays, drops and is refused, from many goroutines at once.
package tally

import (
	"maps"
	"net/netip"
	"sync"
	"sync/atomic"

	"signalbox/turn/policy"
)

// MaxRefused bounds the peers that are counted by their address; all others are counted as one.
const MaxRefused = 16

// Counters are those of one session, both sides together. Up is from a client to its peer, down the other way; bytes are those of the application's data.
// All methods may be called concurrently; those that count packets take no lock and do not allocate. The zero value counts from zero.
type Counters struct {
	allocations atomic.Uint64
	up          flow
	down        flow
	drops       [Reasons]atomic.Uint64

	mu      sync.Mutex
	refused map[netip.Addr]uint64 // by canonical address, at most MaxRefused
	others  uint64
}

// flow is one direction. The two are written by different goroutines and lie in different cache lines.
type flow struct {
	packets, bytes atomic.Uint64
	_              [48]byte
}

func (f *flow) add(packets, bytes int) {
	f.packets.Add(uint64(packets))
	f.bytes.Add(uint64(bytes))
}

// Up counts packets that went to a peer; packets and bytes are not negative.
func (c *Counters) Up(packets, bytes int) { c.up.add(packets, bytes) }

// Down counts packets that went to a client; packets and bytes are not negative.
func (c *Counters) Down(packets, bytes int) { c.down.add(packets, bytes) }

// Drop counts packets, 0 or more, that were not relayed.
func (c *Counters) Drop(r Reason, packets int) { c.drops[r].Add(uint64(packets)) }

// Allocated counts an allocation that was made.
func (c *Counters) Allocated() { c.allocations.Add(1) }

// Refuse counts a peer that a client asked for, or sent to, and may not reach. Its spelling does not matter.
func (c *Counters) Refuse(peer netip.Addr) {
	peer = policy.Canonical(peer)
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, known := c.refused[peer]; !known && len(c.refused) >= MaxRefused {
		c.others++
		return
	}
	if c.refused == nil {
		c.refused = make(map[netip.Addr]uint64)
	}
	c.refused[peer]++
}

// Snapshot is what Counters have counted.
type Snapshot struct {
	Allocations            uint64
	PacketsUp, PacketsDown uint64
	BytesUp, BytesDown     uint64
	Drops                  [Reasons]uint64       // by Reason
	Refused                map[netip.Addr]uint64 // by canonical address, at most MaxRefused; nil: none
	RefusedOthers          uint64                // refusals of peers that have no entry in Refused
}

// Snapshot returns the counters as they stand. What is counted meanwhile may be in some of the numbers and not yet in others.
func (c *Counters) Snapshot() Snapshot {
	s := Snapshot{
		Allocations: c.allocations.Load(),
		PacketsUp:   c.up.packets.Load(), BytesUp: c.up.bytes.Load(),
		PacketsDown: c.down.packets.Load(), BytesDown: c.down.bytes.Load(),
	}
	for r := range c.drops {
		s.Drops[r] = c.drops[r].Load()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	s.Refused, s.RefusedOthers = maps.Clone(c.refused), c.others
	return s
}
