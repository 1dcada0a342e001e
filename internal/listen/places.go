package listen

import (
	"sync/atomic"
	"time"
)

// placeWait is how long the first connection that finds every place taken waits for one: when a crowd has just left, the ends of some are not read yet.
const placeWait = 100 * time.Millisecond

// places are the connections that may be open at once, on all listeners together.
type places struct {
	most  int64
	taken atomic.Int64
	freed chan struct{} // a sign that one may be free
}

func newPlaces(most int) *places {
	return &places{most: int64(most), freed: make(chan struct{}, 1)}
}

// take takes a place. Who finds none waits for one, if patient, but not beyond the end of stop.
func (p *places) take(patient bool, stop <-chan struct{}) bool {
	if p.try() {
		return true
	}
	if !patient {
		return false
	}
	late := time.NewTimer(placeWait)
	defer late.Stop()
	for {
		select {
		case <-p.freed:
			if p.try() {
				p.sign() // there may be another, for another listener
				return true
			}
		case <-late.C:
			return false
		case <-stop:
			return false
		}
	}
}

func (p *places) try() bool {
	if p.taken.Add(1) > p.most {
		p.taken.Add(-1)
		return false
	}
	return true
}

func (p *places) give() {
	p.taken.Add(-1)
	p.sign()
}

func (p *places) sign() {
	select {
	case p.freed <- struct{}{}:
	default:
	}
}
