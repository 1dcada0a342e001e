package main

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"signalbox/tests/turnbench/wire"
)

// allocate makes allocations and keeps them, so many at the same time. One that fails is counted.
func (f *fleet) allocate(ctx context.Context, o wire.Order) (wire.Report, error) {
	made := make([]*client, o.Count)
	failed := make([]error, o.Count)
	var next atomic.Int64
	var workers sync.WaitGroup
	r := wire.Report{Begun: time.Now()}
	for range o.InFlight {
		workers.Go(func() {
			for n := next.Add(1) - 1; n < int64(o.Count); n = next.Add(1) - 1 {
				made[n], failed[n] = f.connect(ctx, o, int(n))
			}
		})
	}
	workers.Wait()
	r.Ended = time.Now()
	for n, c := range made {
		if c == nil {
			r.Lost, r.Why = r.Lost+1, failed[n].Error()
			continue
		}
		f.clients = append(f.clients, c)
	}
	r.Done = len(f.clients)
	return r, nil
}
