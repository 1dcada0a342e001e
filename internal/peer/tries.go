package peer

import (
	"context"
	"slices"
	"sync"
	"time"

	"signalbox/internal/signalling"
)

// patience is how long a rung of TURN waits for the one above it before it is tried beside that.
const patience = 500 * time.Millisecond

// turnRungs are those of TURN, the best first.
var turnRungs = []string{signalling.RungTURNUDP, signalling.RungTURNTCP, signalling.RungTURNTLS}

// tries knows how the TURN servers were reached since ways were last looked for. A worse rung is tried only where the better ones do not work: a second allocation would be of
// no use. Its methods may be called concurrently.
type tries struct {
	mu      sync.Mutex
	began   time.Time
	rungs   map[string]*try
	changed chan struct{}     // closed and made anew when something becomes known
	relayed map[string]string // host:port of an allocation -> its rung
}

// try is what is known of one rung.
type try struct {
	open      int    // servers that have not failed
	allocated bool   // one of them gave an address
	why       string // the last failure
}

func newTries() *tries {
	return &tries{rungs: map[string]*try{}, changed: make(chan struct{}), relayed: map[string]string{}}
}

// begin forgets what was before.
func (t *tries) begin(targets []target) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.began, t.rungs, t.relayed = time.Now(), map[string]*try{}, map[string]string{}
	for _, target := range targets {
		if t.rungs[target.rung] == nil {
			t.rungs[target.rung] = &try{}
		}
		t.rungs[target.rung].open++
	}
	t.toldLocked()
}

func (t *tries) toldLocked() {
	close(t.changed)
	t.changed = make(chan struct{})
}

// failed notes why a server of a rung cannot be used.
func (t *tries) failed(rung, why string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if r := t.rungs[rung]; r != nil {
		r.open, r.why = max(r.open-1, 0), why
		t.toldLocked()
	}
}

// allocated notes that a server of a rung gave an address, host:port.
func (t *tries) allocated(rung, relayed string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if r := t.rungs[rung]; r != nil {
		r.allocated = true
		t.relayed[relayed] = rung
		t.toldLocked()
	}
}

// turn waits until it is the turn of a rung, and returns false where a better one has an allocation or ctx has ended.
func (t *tries) turn(ctx context.Context, rung string) bool {
	above := turnRungs[:max(slices.Index(turnRungs, rung), 0)]
	t.mu.Lock()
	wait := time.Until(t.began.Add(time.Duration(len(above)) * patience))
	t.mu.Unlock()
	timer := time.NewTimer(max(wait, 0))
	defer timer.Stop()
	for {
		t.mu.Lock()
		better, pending, changed := t.aboveLocked(above), t.pendingLocked(above), t.changed
		t.mu.Unlock()
		if better || !pending {
			return !better
		}
		select {
		case <-changed:
		case <-timer.C:
			return true
		case <-ctx.Done():
			return false
		}
	}
}

func (t *tries) aboveLocked(rungs []string) bool {
	return slices.ContainsFunc(rungs, func(r string) bool { return t.rungs[r] != nil && t.rungs[r].allocated })
}

func (t *tries) pendingLocked(rungs []string) bool {
	return slices.ContainsFunc(rungs, func(r string) bool { return t.rungs[r] != nil && t.rungs[r].open > 0 })
}

// rungOf returns the rung on which a relayed address, host:port, was allocated; empty: it is none of ours.
func (t *tries) rungOf(relayed string) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.relayed[relayed]
}

// whyNot says why a rung is not in use.
func (t *tries) whyNot(rung string) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch r := t.rungs[rung]; {
	case r == nil:
		return "no server offers it"
	case r.allocated:
		return "the server answers, but the other side is not reached through it"
	case r.open == 0:
		return r.why
	}
	return "the server has not answered"
}
