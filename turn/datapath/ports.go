package datapath

import (
	"errors"
	"math/rand/v2"
	"sync"
	"syscall"
)

// ports gives out the ports of a range in the order of a permutation, so that a port is not used again soon and nobody draws until a free one is found.
type ports struct {
	min, size, step uint32

	mu   sync.Mutex
	next uint32
	used []uint64 // one bit per port, of those that are kept as well
	kept map[Token]reservation
}

// stride is a prime; ranges whose size it divides are stepped through one by one.
const stride = 7919

func newPorts(low, high uint16) *ports {
	p := &ports{min: uint32(low), size: uint32(high-low) + 1, step: stride, kept: map[Token]reservation{}}
	if p.size%stride == 0 {
		p.step = 1
	}
	p.next = rand.Uint32N(p.size)
	p.used = make([]uint64, (p.size+63)/64)
	return p
}

// take finds a port that open accepts, an even one if that is asked for, and keeps it. A port that another program has, or that the system keeps from us, is stepped
// over. The error is ErrNoPort, or what open says else; the next call tries another port then.
func (p *ports) take(even bool, open func(port uint16) error) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sweepLocked()
	_, err := p.takeLocked(func(n uint32) bool { return !even || p.evenNumber(n) }, open)
	return err
}

// takeLocked is take for a port that fits, of those that are free. Ports are counted from the first of the range.
func (p *ports) takeLocked(fits func(n uint32) bool, open func(port uint16) error) (n uint32, err error) {
	for i, at := uint32(0), p.next; i < p.size; i, at = i+1, (at+1)%p.size {
		n := uint32(uint64(at) * uint64(p.step) % uint64(p.size))
		if p.takenLocked(n) || !fits(n) {
			continue
		}
		switch err := open(uint16(p.min + n)); {
		case err == nil:
			p.used[n/64] |= 1 << (n % 64)
			p.next = (at + 1) % p.size
			return n, nil
		case !errors.Is(err, syscall.EADDRINUSE) && !errors.Is(err, syscall.EACCES) && !errors.Is(err, syscall.EPERM):
			p.next = (at + 1) % p.size
			return 0, err
		}
	}
	return 0, ErrNoPort
}

func (p *ports) evenNumber(n uint32) bool { return (p.min+n)%2 == 0 }

func (p *ports) takenLocked(n uint32) bool { return p.used[n/64]&(1<<(n%64)) != 0 }

// give takes a port back.
func (p *ports) give(port uint16) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.freeLocked(uint32(port) - p.min)
}

func (p *ports) freeLocked(n uint32) { p.used[n/64] &^= 1 << (n % 64) }
