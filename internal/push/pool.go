package push

import (
	"context"
	"sync"
)

// workers is how many lanes are worked on at once. A worker waits for reads of the store, never for a socket.
const workers = 4

// pool is the queue of lanes that have something to do. A lane stands in it at most once (lane.queued).
type pool struct {
	mu      sync.Mutex // a leaf: push and later may be called with any other lock held
	queue   []*lane
	stalled []*lane // to be tried again at the next tick

	wake chan struct{} // capacity workers: as many may run as are needed
}

// push queues a lane.
func (p *pool) push(l *lane) {
	p.mu.Lock()
	p.queue = append(p.queue, l)
	p.mu.Unlock()
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// later keeps a lane for the next tick.
func (p *pool) later(l *lane) {
	p.mu.Lock()
	p.stalled = append(p.stalled, l)
	p.mu.Unlock()
}

// takeStalled removes what later kept.
func (p *pool) takeStalled() []*lane {
	p.mu.Lock()
	defer p.mu.Unlock()
	ls := p.stalled
	p.stalled = nil
	return ls
}

func (p *pool) take() *lane {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.queue) == 0 {
		return nil
	}
	l := p.queue[0]
	p.queue[0] = nil
	p.queue = p.queue[1:]
	return l
}

// run is one worker: it works on lanes until ctx is done.
func (p *pool) run(ctx context.Context, work func(context.Context, *lane)) {
	for ctx.Err() == nil {
		if l := p.take(); l != nil {
			work(ctx, l)
			continue
		}
		select {
		case <-p.wake:
		case <-ctx.Done():
		}
	}
}
