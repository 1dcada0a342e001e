package console

import "sync"

// Bounds of WebSockets.
const (
	maxSockets    = 2000
	maxPerSource  = 64 // of one address, of which it is not known yet whose they are: many technicians may have the same
	maxPerMember  = 16 // open pages of one technician
	maxPerSession = 4  // signalling of one session, where the newest connection counts and those before are about to end
)

// places bounds what is open at the same time. It may be used concurrently.
type places struct {
	mu    sync.Mutex
	all   int
	taken map[string]int // by caller; no zeros
}

func newPlaces() *places { return &places{taken: map[string]int{}} }

// take takes a place of a caller, which gives it back by leave; false: there is none.
func (p *places) take(caller string, most int) (leave func(), ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.all >= maxSockets || p.taken[caller] >= most {
		return nil, false
	}
	p.all++
	p.taken[caller]++
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.all--
		if p.taken[caller]--; p.taken[caller] == 0 {
			delete(p.taken, caller)
		}
	}, true
}
