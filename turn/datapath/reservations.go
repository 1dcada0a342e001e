package datapath

import (
	"crypto/rand"
	"time"
)

// Token names a relay port that is kept for an allocation to come: RFC 8656 section 18.10. It is random, and good for one allocation.
type Token [8]byte

// MaxKept bounds the ports of one family that are kept for one session at the same time: without it, allocations that are made and ended again would soon have the whole range kept.
const MaxKept = 16

// reservation is a port that is kept. It has no socket, so another program may take it, and nothing ends it: it is over when somebody looks.
type reservation struct {
	n     uint32 // counted from the first port of the range
	owner Owner  // who reserved it
	until time.Time
}

// over tells whether the port is kept no more: its time has passed, or its session has ended.
func (r *reservation) over(now time.Time) bool { return !now.Before(r.until) || r.owner.Ended() }

// sameSession tells whether two owners are sides of one session, which are those that have their counters in common.
func sameSession(a, b Owner) bool { return a.Counters() == b.Counters() }

// takePair is take for an even port whose next one is free as well, which is kept for the owner's session until then: RFC 8656 section 7.2. The error may also be ErrKept.
func (p *ports) takePair(o Owner, until time.Time, open func(port uint16) error) (Token, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sweepLocked()
	if p.keptForLocked(o) >= MaxKept {
		return Token{}, ErrKept
	}
	n, err := p.takeLocked(func(n uint32) bool { return p.evenNumber(n) && n+1 < p.size && !p.takenLocked(n+1) }, open)
	if err != nil {
		return Token{}, err
	}
	var t Token
	rand.Read(t[:]) // never fails, see crypto/rand
	next := n + 1
	p.used[next/64] |= 1 << (next % 64)
	p.kept[t] = reservation{n: next, owner: o, until: until}
	return t, nil
}

// claim opens the port that is kept under a token for the owner's session. The token is used up then, also if open fails: the port is free in that case. The error is
// ErrToken, or what open says.
func (p *ports) claim(t Token, o Owner, open func(port uint16) error) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sweepLocked()
	r, ok := p.kept[t]
	if !ok || !sameSession(r.owner, o) {
		return ErrToken
	}
	delete(p.kept, t)
	err := open(uint16(p.min + r.n))
	if err != nil {
		p.freeLocked(r.n)
	}
	return err
}

// forgo frees the port that is kept under a token which nobody was told.
func (p *ports) forgo(t Token) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.dropLocked(t)
}

// sweepLocked frees the ports that are kept no more.
func (p *ports) sweepLocked() {
	if len(p.kept) == 0 {
		return
	}
	now := time.Now()
	for t, r := range p.kept {
		if r.over(now) {
			p.dropLocked(t)
		}
	}
}

func (p *ports) dropLocked(t Token) {
	if r, ok := p.kept[t]; ok {
		delete(p.kept, t)
		p.freeLocked(r.n)
	}
}

func (p *ports) keptForLocked(o Owner) (n int) {
	for _, r := range p.kept {
		if sameSession(r.owner, o) {
			n++
		}
	}
	return n
}
