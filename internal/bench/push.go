package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"signalbox/internal/client"
)

const (
	mostPosting = 256 // requests at the same time in the phase with pushes: beyond it the server is too slow for the rate
	checked     = 1000
)

// book notes when pushes were posted and when they arrived. It is safe for concurrent use.
type book struct {
	mu      sync.Mutex
	posted  map[string]posting // by id
	arrival map[string]time.Time
	accept  []time.Duration // from the request to the 202
	refused map[string]int  // by problem
}

type posting struct {
	at time.Time // the request was sent
	to *endpoint
}

func newBook() *book {
	return &book{posted: map[string]posting{}, arrival: map[string]time.Time{}, refused: map[string]int{}}
}

// arrived notes a push that an endpoint has read; only the first time counts.
func (b *book) arrived(id string) {
	now := time.Now()
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, again := b.arrival[id]; !again {
		b.arrival[id] = now
	}
}

// answered notes the answer to a request that was sent at that time.
func (b *book) answered(to *endpoint, at time.Time, r client.Receipt, err error) {
	took := time.Since(at)
	b.mu.Lock()
	defer b.mu.Unlock()
	var p *client.Problem
	switch {
	case err == nil:
		b.posted[r.ID] = posting{at, to}
		b.accept = append(b.accept, took)
	case errors.As(err, &p):
		b.refused[p.Code]++
	default:
		b.refused["no answer"]++
	}
}

// missing returns how many pushes have not arrived at endpoints of this profile.
func (b *book) missing(profile Profile) (n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for id, p := range b.posted {
		if _, has := b.arrival[id]; !has && p.to.profile == profile {
			n++
		}
	}
	return n
}

// post sends one push to an endpoint.
func (b *bench) post(ctx context.Context, to *endpoint, payload json.RawMessage) {
	at := time.Now()
	r, err := b.API.SendPush(ctx, client.NewPush{To: to.id, Type: "bench.push", Payload: payload, IdempotencyKey: client.NewIdempotencyKey()})
	if ctx.Err() == nil {
		b.book.answered(to, at, r, err)
	}
}

func (b *bench) payload() json.RawMessage {
	return json.RawMessage(`{"fill":"` + strings.Repeat("x", max(0, b.Payload-len(`{"fill":""}`))) + `"}`)
}

// push posts pushes at the rate to endpoints at random, while these behave as their profiles do.
func (b *bench) push(ctx context.Context, r *Report) error {
	b.Progress("pushing %v per second for %v", b.PushRate, b.Duration)
	before, err := b.usage(ctx)
	if err != nil {
		return err
	}
	var lives sync.WaitGroup
	defer lives.Wait()
	behaving, calm := context.WithCancel(ctx)
	defer calm()
	for _, e := range b.fleet.all {
		lives.Go(func() { e.behave(behaving) }) // ends with behaving, and is waited for
	}
	begun := time.Now()
	late := b.postAt(ctx)
	seconds := time.Since(begun).Seconds()
	after, err := b.usage(ctx)
	if err != nil {
		return err
	}
	b.awaitArrivals(ctx)
	calm()
	lives.Wait()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	r.Pushes = b.book.report(seconds, late, after.cpu-before.cpu)
	r.Pushes.FlakyFailures = int(b.fleet.failures.Load())
	return b.checkTruth(ctx, r)
}

// postAt posts at the rate until the time is over, and returns how many pushes could not be posted in time because the server had too many requests unanswered.
func (b *bench) postAt(ctx context.Context) (late int) {
	over, cancel := context.WithTimeout(ctx, b.Duration)
	defer cancel()
	if b.PushRate == 0 {
		<-over.Done()
		return 0
	}
	var posting sync.WaitGroup
	defer posting.Wait()
	slots, payload := make(chan struct{}, mostPosting), b.payload()
	for n, begun := 0, time.Now(); ; n++ {
		due := begun.Add(time.Duration(float64(n) / b.PushRate * float64(time.Second)))
		if !sleep(over, time.Until(due)) {
			return late
		}
		select {
		case slots <- struct{}{}:
			to := b.fleet.all[rand.N(len(b.fleet.all))]
			posting.Go(func() {
				b.post(ctx, to, payload)
				<-slots
			})
		default:
			late++
		}
	}
}

// awaitArrivals gives what is on its way to endpoints that are there a while to arrive.
func (b *bench) awaitArrivals(ctx context.Context) {
	for end := time.Now().Add(arrivalGrace); time.Now().Before(end) && b.book.missing(Steady)+b.book.missing(Slow) > 0; {
		if !sleep(ctx, 100*time.Millisecond) {
			return
		}
	}
}

func (b *book) report(seconds float64, late int, cpu float64) *Pushes {
	b.mu.Lock()
	defer b.mu.Unlock()
	var way []time.Duration
	missing := map[Profile]int{}
	for id, p := range b.posted {
		if at, has := b.arrival[id]; has {
			way = append(way, max(0, at.Sub(p.at)))
		} else {
			missing[p.to.profile]++
		}
	}
	n := len(b.posted)
	return &Pushes{
		Accepted: n, Refused: b.refused, Late: late, Arrived: len(way), NotArrived: missing, Seconds: seconds, PerSecond: float64(n) / seconds,
		Accept: summarise(b.accept), Arrive: summarise(way), ServerCPUMillisEach: 1000 * cpu / float64(max(1, n)),
	}
}

// checkTruth reads some of the pushes: what the server says became of each must be what its endpoint saw.
func (b *bench) checkTruth(ctx context.Context, r *Report) error {
	b.book.mu.Lock()
	var ids []string
	for id := range b.book.posted {
		if len(ids) == checked {
			break
		}
		ids = append(ids, id)
	}
	b.book.mu.Unlock()
	var mu sync.Mutex
	t := &Truth{Checked: len(ids)}
	each(registering, len(ids), func(n int) {
		p, err := b.API.Push(ctx, ids[n])
		b.book.mu.Lock()
		_, arrived := b.book.arrival[ids[n]]
		b.book.mu.Unlock()
		mu.Lock()
		defer mu.Unlock()
		switch {
		case err != nil:
			t.wrong(fmt.Sprintf("%s was accepted and cannot be read: %v", ids[n], err))
		case p.State == "delivered" && !arrived:
			t.wrong(fmt.Sprintf("%s is %s, and did not arrive", ids[n], p.State))
		}
	})
	r.Truth = t
	return ctx.Err()
}

// burst posts as fast as so many callers can, each waiting for its answer.
func (b *bench) burst(ctx context.Context, r *Report) error {
	if b.Callers == 0 {
		return nil
	}
	b.Progress("looking for the highest rate with %d callers", b.Callers)
	over, cancel := context.WithTimeout(ctx, burstTime)
	defer cancel()
	var count, failed atomic.Int64
	payload := b.payload()
	begun := time.Now()
	each(b.Callers, b.Callers, func(caller int) {
		for n := caller; over.Err() == nil; n += b.Callers {
			to := b.fleet.all[n%len(b.fleet.all)]
			_, err := b.API.SendPush(ctx, client.NewPush{To: to.id, Type: "bench.burst", Payload: payload, Ack: "none"})
			if err == nil {
				count.Add(1)
			} else {
				failed.Add(1)
			}
		}
	})
	seconds := time.Since(begun).Seconds()
	r.Burst = &Burst{Callers: b.Callers, Accepted: int(count.Load()), Failed: int(failed.Load()), Seconds: seconds, PerSecond: float64(count.Load()) / seconds}
	return nil
}
