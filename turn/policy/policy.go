// Package policy decides which peers TURN clients may reach: closed by default, on canonical addresses, with a deny list that nothing opens.
package policy

import (
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// localKept is how long the addresses of this machine are taken to be the same: to ask the system for them takes longer than to relay many packets.
const localKept = 5 * time.Second

// Config says what is open beside what sessions open, and what is ours.
type Config struct {
	// Allow is turn.allow_peers: open to every session, but for what is never open. Ranges are compared with canonical addresses, so that ::/0 does not open the
	// IPv4 behind NAT64 and the like; a range of such spellings matches nothing. Nothing opens 6to4 and Teredo addresses.
	Allow []netip.Prefix
	// Deny is turn.deny_peers: before Allow and sessions. Ranges are compared with canonical addresses and with those that were written.
	Deny []netip.Prefix
	// Own are our listeners and the database, which are never open; an unspecified address stands for that port on every address of this machine.
	Own []netip.AddrPort
	// Local returns the addresses of this machine, also those under which a router knows it (turn.public_ip). It is called when a peer has the port of an Own that
	// listens everywhere, concurrently, and not again for 5 s or so. nil: LocalAddrs. If it returns nothing, such a port is open nowhere.
	Local func() []netip.Addr
}

// Policy is a Config made ready. It may be used concurrently.
type Policy struct {
	allow, deny []netip.Prefix
	shared      []netip.Prefix // those of allow that lie in sharedSpace
	own         map[netip.AddrPort]bool
	everywhere  []uint16 // ports of Own that listen on all addresses
	local       func() []netip.Addr
	known       atomic.Pointer[localAddrs] // what local said last; nil: it was not asked yet

	others atomic.Pointer[map[netip.AddrPort]bool] // listeners of other machines, canonical; nil: none
	mu     sync.Mutex
	told   map[string][]netip.AddrPort // guarded by mu; the same by the server who said so
}

// localAddrs are the addresses of this machine as they were at a time.
type localAddrs struct {
	at    time.Time
	addrs []netip.Addr // canonical; none: they are not known
}

// New returns the policy of a configuration. Prefixes must be valid.
func New(c Config) *Policy {
	p := &Policy{allow: Ranges(c.Allow), deny: Ranges(c.Deny), own: make(map[netip.AddrPort]bool), local: c.Local}
	for _, a := range p.allow {
		if sharedSpace.Contains(a.Addr()) && a.Bits() >= sharedSpace.Bits() {
			p.shared = append(p.shared, a)
		}
	}
	if p.local == nil {
		p.local = LocalAddrs
	}
	for _, o := range c.Own {
		if o.Addr().IsUnspecified() {
			p.everywhere = append(p.everywhere, o.Port())
		} else {
			p.own[netip.AddrPortFrom(Canonical(o.Addr()), o.Port())] = true
		}
	}
	return p
}

// Ranges returns prefixes as they can match canonical addresses: an IPv4 range that is written as IPv4-mapped IPv6 becomes IPv4.
func Ranges(prefixes []netip.Prefix) []netip.Prefix {
	all := make([]netip.Prefix, 0, len(prefixes))
	for _, p := range prefixes {
		if p.Addr().Is4In6() && p.Bits() >= 96 {
			p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
		}
		all = append(all, p)
	}
	return all
}

// Permits says why a permission for a peer must be refused, or OK: its port is not known yet, so Allows is asked again when something is sent. extra says, of
// canonical addresses, what the session opens; nil: nothing. It opens nothing that is denied.
func (p *Policy) Permits(peer netip.Addr, extra func(netip.Addr) bool) Reason {
	plain := peer.WithZone("").Unmap()
	canonical := Canonical(plain)
	if r := p.never(plain, canonical); r != OK {
		return r
	}
	switch {
	case contains(p.deny, plain) || contains(p.deny, canonical):
		return Denied
	case tunnelled(plain):
		return Embedded
	case contains(p.allow, canonical), extra != nil && extra(canonical):
		return OK
	}
	return NotAllowed
}

// Allows says why nothing may be sent to a peer, or OK. What Permits refuses it refuses, too.
func (p *Policy) Allows(peer netip.AddrPort, extra func(netip.Addr) bool) Reason {
	if r := p.Permits(peer.Addr(), extra); r != OK {
		return r
	}
	if p.isOwn(Canonical(peer.Addr()), peer.Port()) {
		return OwnListener
	}
	return OK
}

// isOwn tells whether a canonical address and port are one of our listeners or the database.
func (p *Policy) isOwn(a netip.Addr, port uint16) bool {
	at := netip.AddrPortFrom(a, port)
	if others := p.others.Load(); p.own[at] || others != nil && (*others)[at] {
		return true
	}
	if !slices.Contains(p.everywhere, port) {
		return false
	}
	local := p.localNow()
	return len(local) == 0 || slices.Contains(local, a)
}

// Protect closes the listeners of a server on another machine as those of Config.Own are closed, in place of what it said before, and reports whether anything is new. Addresses are
// those under which peers would reach them. It may be called while the policy is used.
func (p *Policy) Protect(server string, listeners []netip.AddrPort) (news bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if slices.Equal(p.told[server], listeners) {
		return false
	}
	if p.told == nil {
		p.told = map[string][]netip.AddrPort{}
	}
	p.told[server] = slices.Clone(listeners)
	all := map[netip.AddrPort]bool{}
	for _, some := range p.told {
		for _, l := range some {
			all[netip.AddrPortFrom(Canonical(l.Addr()), l.Port())] = true
		}
	}
	p.others.Store(&all)
	return true
}

// localNow returns the addresses of this machine, canonical, as they were at most localKept ago.
func (p *Policy) localNow() []netip.Addr {
	now := time.Now()
	if k := p.known.Load(); k != nil && now.Sub(k.at) < localKept {
		return k.addrs
	}
	k := &localAddrs{at: now}
	for _, a := range p.local() {
		k.addrs = append(k.addrs, Canonical(a))
	}
	p.known.Store(k)
	return k.addrs
}

func contains(prefixes []netip.Prefix, a netip.Addr) bool {
	for _, p := range prefixes {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// LocalAddrs asks the system for the addresses of this machine; none if it does not say.
func LocalAddrs() []netip.Addr {
	all, err := net.InterfaceAddrs()
	if err != nil {
		return nil
	}
	var addrs []netip.Addr
	for _, a := range all {
		if p, err := netip.ParsePrefix(a.String()); err == nil {
			addrs = append(addrs, p.Addr())
		}
	}
	return addrs
}
