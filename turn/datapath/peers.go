package datapath

import (
	"net/netip"
	"slices"
	"sync/atomic"
	"time"
)

// MaxPeers is how many permissions, and how many channels, an allocation may have at once.
const MaxPeers = 16

// permission lets one IP address through (RFC 8656 section 9).
type permission struct {
	peer     netip.Addr
	until    atomic.Int64
	verdicts [4]verdict // by port, as peers have several
}

// channel is a number for one peer (RFC 8656 section 12). While it lives, the peer needs no permission beside it.
type channel struct {
	number  uint16
	peer    netip.AddrPort
	until   atomic.Int64
	verdict verdict
}

// verdict is Owner.Allows's last answer: generation, port and answer in one word; zero: none.
type verdict struct{ word atomic.Uint64 }

// allows asks the owner only if its generation, or the port, is another than last time. The address is always the same.
func (v *verdict) allows(o Owner, peer netip.AddrPort) bool {
	want := (o.Generation()+1)<<17 | uint64(peer.Port())<<1
	if old := v.word.Load(); old&^1 == want {
		return old&1 == 1
	}
	if !o.Allows(peer) {
		v.word.Store(want)
		return false
	}
	v.word.Store(want | 1)
	return true
}

// Permit installs or refreshes the permissions for addresses of peers, all or none. Errors are ErrTooMany, ErrFamily and ErrClosed.
func (a *Allocation) Permit(until time.Time, peers ...netip.Addr) error {
	for _, peer := range peers {
		if !a.reaches(peer) {
			return ErrFamily
		}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed.Load() {
		return ErrClosed
	}
	at := a.path.at(until)
	var known, more []*permission
	for _, peer := range peers {
		switch p := a.permission(peer); {
		case p != nil:
			known = append(known, p)
		case !slices.ContainsFunc(more, func(p *permission) bool { return p.peer == peer }):
			p = &permission{peer: peer}
			p.until.Store(at)
			more = append(more, p)
		}
	}
	if err := add(&a.permissions, a.path.now(), known, more...); err != nil {
		return err
	}
	for _, p := range known {
		p.until.Store(at)
	}
	return nil
}

// Bind installs or refreshes a channel. Errors are ErrTooMany, ErrBound, ErrPeer, ErrFamily and ErrClosed.
func (a *Allocation) Bind(number uint16, peer netip.AddrPort, until time.Time) error {
	switch {
	case !a.reaches(peer.Addr()):
		return ErrFamily
	case peer.Port() == 0:
		return ErrPeer
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed.Load() {
		return ErrClosed
	}
	now := a.path.now()
	byNumber, byPeer := a.channel(number, now), a.channelOf(peer, now)
	if byNumber != byPeer {
		return ErrBound
	}
	if byNumber != nil {
		byNumber.until.Store(a.path.at(until))
		return nil
	}
	c := &channel{number: number, peer: peer}
	c.until.Store(a.path.at(until))
	return add(&a.channels, now, nil, c)
}

// reaches tells whether the relay socket can send to an address. An IPv4-mapped IPv6 address would lead an IPv6 socket to IPv4, which its owner did not ask for.
func (a *Allocation) reaches(peer netip.Addr) bool {
	return peer.IsValid() && peer.Is6() == a.bound.Addr().Is6() && !peer.Is4In6() && peer.Zone() == ""
}

// permission returns that for an address, also an expired one, or nil.
func (a *Allocation) permission(peer netip.Addr) *permission {
	if list := a.permissions.Load(); list != nil {
		for _, p := range *list {
			if p.peer == peer {
				return p
			}
		}
	}
	return nil
}

// channel returns the living channel of a number, or nil.
func (a *Allocation) channel(number uint16, now int64) *channel {
	if list := a.channels.Load(); list != nil {
		for _, c := range *list {
			if c.number == number && now < c.until.Load() {
				return c
			}
		}
	}
	return nil
}

// channelOf returns the living channel of a peer, or nil.
func (a *Allocation) channelOf(peer netip.AddrPort, now int64) *channel {
	if list := a.channels.Load(); list != nil {
		for _, c := range *list {
			if c.peer == peer && now < c.until.Load() {
				return c
			}
		}
	}
	return nil
}

// admits returns where the verdict on a peer is kept that has a living channel, which is returned too, or a living permission; nil: it has neither.
func (a *Allocation) admits(peer netip.AddrPort, now int64) (*verdict, *channel) {
	if c := a.channelOf(peer, now); c != nil {
		return &c.verdict, c
	}
	if p := a.permission(peer.Addr()); p != nil && now < p.until.Load() {
		return &p.verdicts[peer.Port()%uint16(len(p.verdicts))], nil
	}
	return nil, nil
}

// mortal is a permission or channel.
type mortal interface{ expires() int64 }

func (p *permission) expires() int64 { return p.until.Load() }
func (c *channel) expires() int64    { return c.until.Load() }

// add replaces a list, which readers may hold, by one with what lives of it, what of it is kept in any case, and more.
func add[E interface {
	mortal
	comparable
}](list *atomic.Pointer[[]E], now int64, kept []E, more ...E) error {
	if len(more) == 0 {
		return nil
	}
	var living []E
	if old := list.Load(); old != nil {
		living = slices.DeleteFunc(slices.Clone(*old), func(e E) bool { return e.expires() <= now && !slices.Contains(kept, e) })
	}
	if len(living)+len(more) > MaxPeers {
		return ErrTooMany
	}
	living = append(living, more...)
	list.Store(&living)
	return nil
}
