package feature

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// patience bounds how long a stanza may wait for the store.
const patience = 10 * time.Second

// Patience is the context of one stanza: it is done some seconds after something first waits on it, so that a stanza which waits for nothing costs no timer. The zero
// value is ready; Stop must follow. Other goroutines may ask it, as they may any context.
type Patience struct {
	start sync.Once
	bound atomic.Pointer[bound]
}

type bound struct {
	context.Context
	cancel context.CancelFunc
}

func (p *Patience) started() *bound {
	p.start.Do(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		p.bound.Store(&bound{ctx, cancel})
	})
	return p.bound.Load()
}

// Deadline implements context.Context.
func (p *Patience) Deadline() (time.Time, bool) { return p.started().Deadline() }

// Done implements context.Context.
func (p *Patience) Done() <-chan struct{} { return p.started().Done() }

// Err implements context.Context.
func (p *Patience) Err() error {
	if b := p.bound.Load(); b != nil {
		return b.Err()
	}
	return nil
}

// Value implements context.Context: there are none.
func (p *Patience) Value(any) any { return nil }

// Stop gives back what waiting took.
func (p *Patience) Stop() {
	if b := p.bound.Load(); b != nil {
		b.cancel()
	}
}
