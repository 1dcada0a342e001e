package session

import (
	"net/netip"
	"slices"
	"sync"

	"signalbox/turn/policy"
	"signalbox/turn/tally"
)

// Ended is why a side of a session that has ended may reach nobody.
const Ended policy.Reason = "session_ended"

// Side is one of the two parties of a session, with all its allocations. Its methods may be called concurrently, also after the session's end: then nothing is allowed.
type Side struct {
	session *session
	index   int // 0: a, 1: b
}

// Permits says why a permission for a peer must be refused, or policy.OK. Refused peers are counted until the session ends. Peers are the relayed addresses of the session, the addresses at
// which the other party was observed, those of Session.AllowPeers and those that the policy opens to all; what the policy never opens stays closed, but for relayed
// addresses of the session.
func (s *Side) Permits(peer netip.Addr) policy.Reason {
	r := s.permission(peer)
	if r != policy.OK && r != Ended {
		s.session.counters.Refuse(peer)
	}
	return r
}

// PermitsChannel says why a channel to a peer must be refused, or policy.OK: as Refusal, as the port is known. Refused peers are counted as by Permits.
func (s *Side) PermitsChannel(peer netip.AddrPort) policy.Reason {
	r := s.Refusal(peer)
	if r != policy.OK && r != Ended {
		s.session.counters.Refuse(peer.Addr())
	}
	return r
}

func (s *Side) permission(peer netip.Addr) policy.Reason {
	v := s.session.view.Load()
	switch {
	case v == nil:
		return Ended
	case slices.ContainsFunc(v.relayed, func(r netip.AddrPort) bool { return r.Addr() == peer.Unmap() }):
		return policy.OK
	}
	return s.session.table.policy.Permits(peer, func(a netip.Addr) bool { return v.opens(s.index, a) })
}

// Refusal says why nothing may be sent to a peer, or policy.OK: as Permits, and the port is one of the session's relayed addresses, or at least none of our listeners.
// It counts nothing, takes no lock and does not allocate.
func (s *Side) Refusal(peer netip.AddrPort) policy.Reason {
	v := s.session.view.Load()
	switch {
	case v == nil:
		return Ended
	case slices.Contains(v.relayed, plain(peer)):
		return policy.OK
	}
	return s.session.table.policy.Allows(peer, func(a netip.Addr) bool { return v.opens(s.index, a) })
}

// Allows tells whether something may be sent to a peer: Refusal gives no reason. The answer holds as long as Generation, read before, stays the same.
func (s *Side) Allows(peer netip.AddrPort) bool { return s.Refusal(peer) == policy.OK }

// Ended tells whether the session has ended: then nothing is allowed.
func (s *Side) Ended() bool { return s.session.ended() }

// Generation changes when the answers of Allows may change: with the session's peers, its allocations and its end.
func (s *Side) Generation() uint64 { return s.session.generation.Load() }

// headers is what a packet takes of a rate beside its payload, in bytes: the headers of IPv4 and UDP, so that many small packets, or empty ones, are not free.
const headers = 20 + 8

// Take takes a packet with so many bytes of payload, 0 or more, and its headers, from what the session, and all sessions together, may relay now. False: the packet must
// be dropped, as the rate is used up or the session has ended.
func (s *Side) Take(bytes int) bool {
	one := s.session
	return !one.ended() && one.table.take(one, bytes+headers)
}

// Counters are those of the session, the same for both sides.
func (s *Side) Counters() *tally.Counters { return s.session.counters }

// Reserve takes one allocation from the quotas; release, which may be called more than once, gives it back when there is no such allocation any more. Errors are
// ErrSessionQuota, ErrTechnicianQuota, ErrTotalQuota and ErrEnded.
func (s *Side) Reserve() (release func(), err error) {
	one := s.session
	if err := one.table.reserve(one); err != nil {
		return nil, err
	}
	return sync.OnceFunc(func() { one.table.release(one) }), nil
}

// Attach adds an allocation that was made: the end of the session closes it, and both sides may have it as a peer until Detach. If the session has ended meanwhile it is
// closed at once.
func (s *Side) Attach(a Allocation) {
	t := s.session.table
	t.mu.Lock()
	attached := s.session.attachLocked(a)
	t.mu.Unlock()
	if !attached {
		a.Close()
	}
}

// Detach removes an allocation that is closed; another session may have its relayed address next. One that is not attached is no mistake.
func (s *Side) Detach(a Allocation) {
	t := s.session.table
	t.mu.Lock()
	defer t.mu.Unlock()
	s.session.detachLocked(a)
}

// opens tells whether the session opens a canonical address to one of its sides.
func (v *view) opens(side int, a netip.Addr) bool {
	return slices.Contains(v.observed[side], a) || slices.ContainsFunc(v.allow, func(p netip.Prefix) bool { return p.Contains(a) })
}
