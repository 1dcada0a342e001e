package session

import (
	"maps"
	"net/netip"
	"slices"
	"sync/atomic"
	"time"

	"signalbox/turn/control"
	"signalbox/turn/policy"
	"signalbox/turn/tally"
)

// Allocation is what a session must know of one of its allocations. Values are compared, so they are pointers.
type Allocation interface {
	Close()                  // idempotent; nothing is relayed any more when it returns. It must not end the session, and may call Detach
	Relayed() netip.AddrPort // as it is announced; does not change
}

// session is one that was opened. view is nil when it has ended: then nothing is allowed any more, whoever still holds a Side.
type session struct {
	// Fixed.
	table      *Table
	id         string
	technician string
	sides      [2]Side
	counters   *tally.Counters

	// For whoever relays, without a lock. The generation changes after the view.
	view       atomic.Pointer[view]
	generation atomic.Uint64
	rate       bucket

	// Guarded by Table.mu.
	owner    string
	expires  time.Time
	quota    int                           // allocations, 0: no limit
	reserved int                           // allocations that are there or being made
	relayed  map[Allocation]netip.AddrPort // of those that are there, canonical
	closing  []Allocation                  // those that were there at the end

	claimed atomic.Bool   // somebody closes them
	silent  chan struct{} // closed when they are closed
}

// view is what the sides may reach, beside what the policy opens to all. It is replaced as a whole.
type view struct {
	allow    []netip.Prefix
	observed [2][]netip.Addr  // by side, canonical
	relayed  []netip.AddrPort // of both sides, canonical
}

func (s *session) ended() bool { return s.view.Load() == nil }

func (s *session) expiredLocked(now time.Time) bool { return !now.Before(s.expires) }

// forgottenAt is when nobody asks any more for what an expired session has done.
func (s *session) forgottenAt() time.Time {
	if s.owner == "" {
		return s.expires
	}
	return s.expires.Add(kept)
}

// changeLocked takes over what may change in an open session.
func (s *session) changeLocked(c control.Session) {
	s.owner, s.expires = c.Owner, c.Expires
	s.quota = smaller(c.MaxAllocations, s.table.limits.SessionAllocations)
	s.rate.rate.Store(smaller(c.Rate, s.table.limits.SessionRate))
	was := s.view.Load()
	is := view{allow: policy.Ranges(c.AllowPeers), relayed: was.relayed}
	for i, addrs := range c.Observed {
		for _, a := range addrs {
			is.observed[i] = append(is.observed[i], a.Unmap())
		}
	}
	if !slices.Equal(was.allow, is.allow) || !slices.Equal(was.observed[0], is.observed[0]) || !slices.Equal(was.observed[1], is.observed[1]) {
		s.publish(&is)
	}
}

// publish makes what is decided from now on follow the view, and what was decided before void; nil: the end. The caller holds Table.mu.
func (s *session) publish(v *view) {
	s.view.Store(v)
	s.generation.Add(1)
}

// smaller returns the smaller of two limits, of which 0 is none.
func smaller[N int | int64](a, b N) N {
	if a == 0 || b == 0 {
		return max(a, b)
	}
	return min(a, b)
}

// attachLocked makes an allocation a peer of both sides; false: the session has ended.
func (s *session) attachLocked(a Allocation) bool {
	if s.ended() {
		return false
	}
	if s.relayed == nil {
		s.relayed = make(map[Allocation]netip.AddrPort)
	}
	if _, known := s.relayed[a]; !known {
		s.counters.Allocated()
	}
	s.relayed[a] = plain(a.Relayed())
	s.publishRelayed()
	return true
}

// detachLocked forgets an allocation.
func (s *session) detachLocked(a Allocation) {
	if _, known := s.relayed[a]; known {
		delete(s.relayed, a)
		s.publishRelayed()
	}
}

func (s *session) publishRelayed() {
	is := *s.view.Load()
	is.relayed = slices.Collect(maps.Values(s.relayed))
	s.publish(&is)
}

// endLocked forbids everything. What is on its way at this moment is stopped by close.
func (s *session) endLocked() {
	if s.ended() {
		return
	}
	s.closing = slices.Collect(maps.Keys(s.relayed))
	s.relayed = nil
	s.publish(nil)
}

// close closes the allocations of a session that has ended. Whoever calls it second waits for the first. No lock is held, as allocations wait for those who relay.
func (s *session) close() {
	if s.claimed.Swap(true) {
		<-s.silent
		return
	}
	for _, a := range s.closing {
		a.Close()
	}
	s.closing = nil
	close(s.silent)
}

// countersLocked returns what the session has done.
func (s *session) countersLocked() control.Counters {
	n := s.counters.Snapshot()
	c := control.Counters{
		Allocations: n.Allocations, Open: len(s.relayed),
		PacketsUp: n.PacketsUp, PacketsDown: n.PacketsDown, BytesUp: n.BytesUp, BytesDown: n.BytesDown,
		Drops: make(map[string]uint64), RefusedPeers: make(map[string]uint64),
	}
	for r, packets := range n.Drops {
		if packets > 0 {
			c.Drops[tally.Reason(r).String()] = packets
		}
	}
	for peer, times := range n.Refused {
		c.RefusedPeers[peer.String()] = times
	}
	if n.RefusedOthers > 0 {
		c.RefusedPeers[control.OtherPeers] = n.RefusedOthers
	}
	return c
}

// plain takes an IPv4 address out of its mapped spelling, the one that sockets use. Other spellings lead elsewhere than what they hold: they open nothing.
func plain(a netip.AddrPort) netip.AddrPort { return netip.AddrPortFrom(a.Addr().Unmap(), a.Port()) }
