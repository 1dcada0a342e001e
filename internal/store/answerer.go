package store

import "sync"

// answerer calls those who asked to be called back, one after the other in the order of the commits, without holding up the next transaction.
type answerer struct {
	wake chan struct{}

	mu     sync.Mutex
	calls  []func()
	closed bool // run has ended or ends after what is queued
}

func newAnswerer() *answerer { return &answerer{wake: make(chan struct{}, 1)} }

// post queues f, or reports false when nobody will call it any more. The list is as long as the callbacks, which must not block, are slow.
func (a *answerer) post(f func()) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed {
		return false
	}
	a.calls = append(a.calls, f)
	select {
	case a.wake <- struct{}{}:
	default:
	}
	return true
}

// run calls back until close was called and nothing is left.
func (a *answerer) run() {
	for range a.wake {
		for {
			calls, closed := a.take()
			for _, f := range calls {
				f()
			}
			if len(calls) > 0 {
				continue
			}
			if closed {
				return
			}
			break
		}
	}
}

func (a *answerer) take() ([]func(), bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	calls := a.calls
	a.calls = nil
	return calls, a.closed
}

// close lets run end.
func (a *answerer) close() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.closed = true
	select {
	case a.wake <- struct{}{}:
	default:
	}
}
