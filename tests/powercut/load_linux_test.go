package powercut

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"signalbox/internal/client"
	"signalbox/internal/push"
	"signalbox/tests/crash/rig"
)

const (
	callers   = 64
	onlines   = 12 // endpoints that take pushes
	offlines  = 4  // endpoints whose pushes wait
	endpoints = onlines + offlines
)

// endpointOf returns whom order n is for; the last ones are offline.
func endpointOf(n int) string { return fmt.Sprintf("pc-%d", n%endpoints) }

func offline(n int) bool { return n%endpoints >= onlines }

// load is everything that asks the server for something and writes down what it acknowledges.
type load struct {
	site   *rig.Site
	api    *client.Client
	ledger *ledger
	next   atomic.Int64
	recent [64]atomic.Pointer[string] // pushes that may be asked for

	mu     sync.Mutex
	faults []string
}

func (l *load) fault(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.faults = append(l.faults, fmt.Sprintf(format, args...))
}

// start registers the endpoints and starts the load. stop ends it, once the server is gone; from cut on, errors are expected.
func (l *load) start(t *testing.T) (cut, stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	expected := new(atomic.Bool)
	var wg sync.WaitGroup
	each := func(what string, work func() error) {
		wg.Go(func() {
			for {
				if err := work(); err != nil {
					if !expected.Load() {
						l.fault("%s: %v", what, err)
					}
					return
				}
			}
		})
	}
	for i := range endpoints {
		e, err := l.api.CreateEndpoint(t.Context(), client.NewEndpoint{ID: endpointOf(i)})
		must(t, err)
		l.ledger.note(saidEndpoint, e.ID)
		if !offline(i) {
			each("endpoint", func() error { return l.play(e).Run(ctx, l.site.TLS, l.site.ClientTLS()) })
		}
	}
	for range callers {
		each("caller", func() error { return l.order(ctx) })
	}
	each("registrar", func() error { return l.register(ctx) })
	each("reader", func() error { return l.look(ctx) })
	stop = func() {
		cancel()
		wg.Wait()
	}
	t.Cleanup(stop)
	return func() { expected.Store(true) }, stop
}

// order posts the next order. Some that wait are cancelled.
func (l *load) order(ctx context.Context) error {
	n := int(l.next.Add(1))
	o := rig.NewOrder(n, endpointOf(n))
	l.ledger.note(saidAsked, n)
	r, err := o.Post(ctx, l.api)
	if err != nil {
		return err
	}
	l.ledger.note(saidAccepted, n, r.ID)
	l.recent[n%len(l.recent)].Store(&r.ID)
	if !offline(n) || n/endpoints%8 != 0 {
		return nil
	}
	p, err := l.api.CancelPush(ctx, r.ID)
	if err != nil {
		return err
	}
	if p.State != string(push.Cancelled) {
		return fmt.Errorf("push %s was cancelled and is %s", p.ID, p.State)
	}
	l.ledger.note(saidCancelled, r.ID)
	return nil
}

// play returns an endpoint that answers every push and notes what the server counts.
func (l *load) play(e client.Endpoint) *rig.Endpoint {
	return &rig.Endpoint{
		ID: e.ID, Secret: e.Secret,
		Push: func(r rig.Received) []rig.Answer {
			n, _ := rig.Number(r.Type)
			o := rig.NewOrder(n, e.ID)
			if endpointOf(n) != e.ID || string(o.Body) != string(r.Payload) {
				l.fault("%s got push %s of type %q with %q", e.ID, r.ID, r.Type, r.Payload)
			}
			return o.Answers(r.ID)
		},
		Confirmed: func(a rig.Answer) { l.ledger.note(saidCounted, a.Push, a.State) },
	}
}

// register registers one more endpoint now and then.
func (l *load) register(ctx context.Context) error {
	e, err := l.api.CreateEndpoint(ctx, client.NewEndpoint{ID: fmt.Sprintf("new-%d", l.next.Add(1))})
	if err != nil {
		return err
	}
	l.ledger.note(saidEndpoint, e.ID)
	return wait(ctx, 10*time.Millisecond)
}

// look reads a push: a state that was shown must not be taken back.
func (l *load) look(ctx context.Context) error {
	id := l.recent[rand.IntN(len(l.recent))].Load()
	if id == nil {
		return wait(ctx, time.Millisecond)
	}
	p, err := l.api.Push(ctx, *id)
	if err != nil {
		return err
	}
	if p.State != string(push.Accepted) && p.State != string(push.Sent) {
		l.ledger.note(saidShown, p.ID, p.State)
	}
	return wait(ctx, time.Millisecond)
}

func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return errors.New("stopped")
	}
}
