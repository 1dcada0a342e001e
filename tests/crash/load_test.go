package crash

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"signalbox/internal/client"
	"signalbox/tests/crash/rig"
)

const (
	callers = 8  // that post at the same time
	share   = 32 // one of so many orders is for the agent
	agentID = "agent-0"
)

var played = [...]string{"played-0", "played-1", "played-2", "played-3"}

// endpointOf returns whom order n is for.
func endpointOf(n int) string {
	if n/callers%share == 0 {
		return agentID
	}
	return played[n/callers%len(played)]
}

// load posts orders and plays endpoints, through every death of the server.
type load struct {
	site *rig.Site
	api  *client.Client
	book *book
	next func(caller, round int) (n int, ok bool) // the next order of a caller, or leftOut; not ok: wait
	full atomic.Bool                              // no new orders

	resume  bool         // played endpoints resume their sessions
	resumed atomic.Int64 // how often they did

	callers, players sync.WaitGroup
}

// passing are refusals that pass.
var passing = []string{"idempotency_in_progress", "queue_full"}

// leftOut is an order that is not posted.
const leftOut = -1

// again is how soon what failed because the server is down is tried again.
const again = 5 * time.Millisecond

// wait returns false if ctx ended.
func wait(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// post posts the orders of one caller, one after the other, each until it is answered.
func (l *load) post(ctx context.Context, caller int) {
	for round := 0; !l.full.Load(); {
		n, ok := l.next(caller, round)
		if !ok {
			if !wait(ctx, again) {
				return
			}
			continue
		}
		if n != leftOut && !l.insist(ctx, rig.NewOrder(n, endpointOf(n))) {
			return
		}
		round++
	}
}

// insist posts an order with the same key until it is answered.
func (l *load) insist(ctx context.Context, o rig.Order) bool {
	for {
		r, err := o.Post(ctx, l.api)
		var problem *client.Problem
		switch {
		case err == nil:
			l.book.accept(o, r)
			return true
		case ctx.Err() != nil:
			return false
		case errors.As(err, &problem) && problem.Status != http.StatusServiceUnavailable && !slices.Contains(passing, problem.Code):
			l.book.fault("order %d was refused: %v", o.N, err)
			return false
		}
		if !wait(ctx, again) {
			return false
		}
	}
}

// play plays one endpoint in session after session. It keeps its results until the server has counted them, as an agent does.
func (l *load) play(ctx context.Context, id, secret string) {
	var unconfirmed []rig.Answer
	e := &rig.Endpoint{
		ID: id, Secret: secret, Resume: l.resume,
		Push: func(r rig.Received) []rig.Answer {
			o, ok := l.book.take(id, r)
			if !ok {
				return nil
			}
			answers := o.Answers(r.ID)
			unconfirmed = append(unconfirmed, answers[1:]...)
			return answers
		},
		Confirmed: func(a rig.Answer) {
			l.book.confirm(a)
			for i, u := range unconfirmed {
				if u == a {
					unconfirmed = append(unconfirmed[:i], unconfirmed[i+1:]...)
					return
				}
			}
		},
		Again: func() []rig.Answer { return unconfirmed },
	}
	for ctx.Err() == nil {
		if err := e.Run(ctx, l.site.TLS, l.site.ClientTLS()); ctx.Err() == nil && errors.Is(err, rig.ErrProtocol) {
			l.book.fault("%s: %v", id, err)
		}
		wait(ctx, again)
	}
	l.resumed.Add(int64(e.Resumed()))
}

// start registers the played endpoints and starts callers and endpoints. They end when the test does, or when stop is called.
func (l *load) start(t *testing.T, endpoints []string) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	for _, id := range endpoints {
		e, err := l.api.CreateEndpoint(t.Context(), client.NewEndpoint{ID: id})
		must(t, err)
		l.players.Go(func() { l.play(ctx, e.ID, e.Secret) })
	}
	for c := range callers {
		l.callers.Go(func() { l.post(ctx, c) })
	}
	stop = func() {
		cancel()
		l.callers.Wait()
		l.players.Wait()
	}
	t.Cleanup(stop)
	return stop
}

// drain ends the posting and waits until every push is over.
func (l *load) drain(t *testing.T, server *rig.Server, endpoints []string) {
	t.Helper()
	l.full.Store(true)
	l.callers.Wait() // for the answers to their last orders
	for _, id := range endpoints {
		last, same := -1, time.Now() // patience is for standing still
		for {
			p, err := l.api.Presence(t.Context(), id)
			must(t, err)
			if p.QueuedPushes == 0 {
				break
			}
			if p.QueuedPushes != last {
				last, same = p.QueuedPushes, time.Now()
			}
			if time.Since(same) > rig.Patience {
				t.Errorf("%d pushes to %s, which is %s, do not end", last, id, p.State)
				break // verify says which
			}
			pause(t, server.Process, 10*again)
		}
	}
}
