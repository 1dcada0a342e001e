package bench

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"signalbox/internal/bench/scram"
	"signalbox/internal/client"
)

// fleet is all endpoints that are played.
type fleet struct {
	*bench
	playing context.Context // ends with the fleet
	end     context.CancelFunc
	all     []*endpoint

	resumptions atomic.Int64
	failures    atomic.Int64 // connections that a flaky endpoint did not get
}

// register makes the endpoints, with secrets that the server makes.
func (b *bench) register(ctx context.Context) error {
	b.Progress("registering %d endpoints", b.Endpoints)
	playing, end := context.WithCancel(context.WithoutCancel(ctx))
	b.fleet = &fleet{bench: b, playing: playing, end: end, all: make([]*endpoint, b.Endpoints)}
	var mu sync.Mutex
	var errs []error
	each(registering, b.Endpoints, func(n int) {
		if ctx.Err() != nil {
			return
		}
		id := endpointID(b.Prefix, n)
		made, err := b.API.CreateEndpoint(ctx, client.NewEndpoint{ID: id, Labels: map[string]string{"made-by": "bench"}})
		mu.Lock()
		defer mu.Unlock()
		if err != nil {
			errs = append(errs, err)
			return
		}
		b.made = append(b.made, id)
		b.fleet.all[n] = &endpoint{id: id, profile: b.Profiles.of(n), keys: scram.NewKeychain(made.Secret), fleet: b.fleet}
	})
	if len(errs) > 0 {
		return errs[0]
	}
	return ctx.Err()
}

// tidy deletes what was registered, also when ctx has ended.
func (b *bench) tidy(ctx context.Context) error {
	b.Progress("deleting the endpoints")
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), tidyTimeout)
	defer cancel()
	var mu sync.Mutex
	var first error
	each(registering, len(b.made), func(n int) {
		err := b.API.DeleteEndpoint(ctx, b.made[n])
		var p *client.Problem
		if errors.As(err, &p) && p.Status == http.StatusNotFound {
			err = nil
		}
		mu.Lock()
		defer mu.Unlock()
		if first == nil {
			first = err
		}
	})
	return first
}

// each calls f for 0 to n-1, some at the same time, and returns when all calls have.
func each(atOnce, n int, f func(int)) {
	var next atomic.Int64
	var workers sync.WaitGroup
	for range min(atOnce, n) {
		workers.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				f(i)
			}
		})
	}
	workers.Wait()
}

// connect connects every endpoint that has no session, and returns how long each took.
func (f *fleet) connect(ctx context.Context, atOnce int) (took []time.Duration, failed []error) {
	var mu sync.Mutex
	each(atOnce, len(f.all), func(n int) {
		if e := f.all[n]; !e.up.Load() && ctx.Err() == nil {
			d, err := e.connect(ctx)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				failed = append(failed, err)
			} else {
				took = append(took, d)
			}
		}
	})
	return took, failed
}

// online returns how many endpoints have a session, as far as they know.
func (f *fleet) online() (n int) {
	for _, e := range f.all {
		if e.up.Load() {
			n++
		}
	}
	return n
}

func (f *fleet) resumed() int { return int(f.resumptions.Load()) }

// cut cuts all connections.
func (f *fleet) cut() {
	f.resumptions.Store(0)
	each(len(f.all), len(f.all), func(i int) { f.all[i].cut() })
}

// stop cuts all connections for good.
func (f *fleet) stop() {
	f.end()
	f.cut()
}

// endpointID names the nth endpoint.
func endpointID(prefix string, n int) string { return fmt.Sprintf("%s-%05d", prefix, n) }
