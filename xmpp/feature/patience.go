package feature

import (
	"context"
	"sync"
	"time"
)

// patience bounds how long a stanza may wait for the store.
const patience = 10 * time.Second

// Patience is the context of one stanza: it is done some seconds after something first waits on it, so that a stanza which waits for nothing costs no timer. The zero
// value is ready; Stop must follow. It is for one goroutine, and for those that it calls.
type Patience struct {
	once   sync.Once
	bound  context.Context
	cancel context.CancelFunc
}

func (p *Patience) start() {
	p.once.Do(func() { p.bound, p.cancel = context.WithTimeout(context.Background(), patience) })
}

// Deadline implements context.Context.
func (p *Patience) Deadline() (time.Time, bool) {
	p.start()
	return p.bound.Deadline()
}

// Done implements context.Context.
func (p *Patience) Done() <-chan struct{} {
	p.start()
	return p.bound.Done()
}

// Err implements context.Context.
func (p *Patience) Err() error {
	if p.bound == nil {
		return nil
	}
	return p.bound.Err()
}

// Value implements context.Context: there are none.
func (p *Patience) Value(any) any { return nil }

// Stop gives back what waiting took.
func (p *Patience) Stop() {
	if p.cancel != nil {
		p.cancel()
	}
}
