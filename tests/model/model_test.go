package model

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"signalbox/internal/endpoint"
	"signalbox/internal/push"
)

// step is one thing that happens. Its numbers are drawn before anything runs, so that a failing script can be made smaller.
type step struct{ Kind, Who, A, B int }

// actions is what can happen, with how often.
var actions = []struct {
	weight int
	do     func(*server, step)
}{
	{4, (*server).post},
	{2, (*server).postWithKey},
	{1, (*server).fan},
	{1, (*server).together},
	{4, func(s *server, x step) { s.connect(key(x.Who), x.A%2 == 0) }},
	{1, func(s *server, x step) { s.disconnect(key(x.Who)) }},
	{1, (*server).detach},
	{1, (*server).away},
	{5, func(s *server, x step) { s.take(key(x.Who), 1+x.A) }},
	{2, func(s *server, x step) { s.write(key(x.Who), 1+x.A) }},
	{5, (*server).receipt},
	{4, (*server).result},
	{1, (*server).cancel},
	{3, func(_ *server, x step) { time.Sleep(time.Duration(x.A*x.A) * time.Millisecond) }},
	{1, func(_ *server, x step) { time.Sleep(time.Duration(x.A*x.B) * time.Second) }},
	{2, func(*server, step) { synctest.Wait() }},
}

func (s *server) play(x step) { actions[x.Kind].do(s, x) }

// drawn returns the push that a step stands for.
func drawn(x step) push.Push {
	p := push.Push{To: key(x.Who), Type: "model.push", Payload: []byte("{}"), Priority: push.Priority(x.A % 3), Ack: push.Ack(x.B % 3), TTL: longTTL}
	switch x.B % 5 {
	case 0:
		p.TTL = 0
	case 1:
		p.TTL = time.Duration(1+x.A) * 10 * time.Second
	}
	if x.B%4 == 3 {
		p.CollapseKey = fmt.Sprint("key-", x.A%2)
	}
	if p.TTL == longTTL && x.B%6 == 2 {
		p.NotBefore = time.Now().Add(time.Duration(x.A) * 5 * time.Second)
	}
	return p
}

// refused says whether an error is one that a caller may get here.
func refused(err error) bool {
	return errors.Is(err, push.ErrQueueFull) || errors.Is(err, push.ErrBusy) || errors.Is(err, push.ErrKeyBusy) || errors.Is(err, push.ErrStopped) || errors.Is(err, context.Canceled)
}

// call runs a request beside everything else; what its caller learns is noted only if the server lives.
func (s *server) call(request func(context.Context) (note func(), err error)) {
	s.calls.Go(func() {
		note, err := request(context.WithoutCancel(s.t.Context()))
		s.alive(func() {
			switch {
			case err == nil:
				note()
			case !refused(err):
				s.world.fault("a request was answered with %v", err)
			}
		})
	})
}

// together posts pushes for one endpoint in one batch.
func (s *server) together(x step) {
	b := push.BatchRequest{Items: []push.Push{drawn(x), drawn(x), drawn(x)}, Errs: make([]error, 3)}
	s.call(func(ctx context.Context) (func(), error) {
		out, err := s.svc.SubmitBatch(ctx, b)
		return func() {
			for _, item := range out.Items {
				if item.Err == nil {
					s.world.answered(item.Status)
				}
			}
		}, err
	})
}

func (s *server) post(x step) {
	for i := range 1 + x.A%3 {
		p := drawn(x)
		p.Priority = push.Priority((x.A + i) % 3)
		s.call(func(ctx context.Context) (func(), error) {
			st, err := s.svc.Submit(ctx, push.Request{Push: p})
			return func() { s.world.answered(st) }, err
		})
	}
}

// postWithKey posts the same body under one of a few keys.
func (s *server) postWithKey(x step) {
	name := fmt.Sprint("key-", x.A%4)
	x.Who, x.A, x.B = x.A%4%endpoints, 1, 2
	p, idem := drawn(x), push.NewIdempotency("model", name, []byte(name))
	p.NotBefore = time.Time{} // the same body has the same time, whatever the clock shows
	s.call(func(ctx context.Context) (func(), error) {
		st, err := s.svc.Submit(ctx, push.Request{Push: p, Idempotency: &idem})
		return func() {
			s.world.repeated(name, st)
			s.world.answered(st)
		}, err
	})
}

// fan posts one push for all endpoints.
func (s *server) fan(x step) {
	p := drawn(x)
	p.To.ID = ""
	var to []string
	for who := range endpoints {
		to = append(to, key(who).ID)
	}
	s.call(func(ctx context.Context) (func(), error) {
		f, err := s.svc.SubmitFanout(ctx, push.FanoutRequest{Push: p, To: to})
		if err != nil {
			return nil, err
		}
		all, err := s.svc.Deliveries(ctx, domain, f.ID, "", 0, endpoints)
		return func() {
			if len(all) != endpoints {
				s.world.fault("%s has %d targets", f.ID, len(all))
			}
			for _, st := range all {
				if st.State != push.Rejected {
					s.world.answered(st)
				}
			}
		}, err
	})
}

// detach loses a connection whose session can be resumed, or resumes it.
func (s *server) detach(x step) {
	k := key(x.Who)
	s.mu.Lock()
	ss := s.sessions[k]
	if ss == nil {
		s.mu.Unlock()
		return
	}
	ss.suspended = !ss.suspended
	kind := endpoint.Resumed
	if ss.suspended {
		kind = endpoint.Suspended
	}
	s.mu.Unlock()
	s.tell(kind, k, ss.epoch)
	if kind == endpoint.Resumed {
		s.repeat(k)
	}
}

// away sends presence, available or not.
func (s *server) away(x step) {
	k := key(x.Who)
	s.mu.Lock()
	ss := s.sessions[k]
	if ss == nil {
		s.mu.Unlock()
		return
	}
	ss.available = !ss.available
	kind := endpoint.Unavailable
	if ss.available {
		kind = endpoint.Available
	}
	s.mu.Unlock()
	s.tell(kind, k, ss.epoch)
}

// receipt confirms one of the last pushes that the endpoint has, perhaps again.
func (s *server) receipt(x step) {
	if p, ok := s.world.nth(key(x.Who), x.A%4); ok {
		s.confirm(key(x.Who), p.ID, push.Delivered)
	}
}

// result tells what became of one of the last pushes that the endpoint has, perhaps again.
func (s *server) result(x step) {
	if p, ok := s.world.nth(key(x.Who), x.A%4); ok {
		s.confirm(key(x.Who), p.ID, s.world.resultOf(p.ID, x.B))
	}
}

func (s *server) cancel(x step) {
	id, ok := s.world.some(x.A * x.B)
	if !ok {
		return
	}
	s.alive(func() { s.world.cancelling(id) })
	s.call(func(ctx context.Context) (func(), error) {
		_, err := s.svc.Cancel(ctx, domain, id)
		if errors.Is(err, push.ErrState) {
			return func() { s.world.notCancelled(id) }, nil
		}
		return func() { s.world.cancelled(id) }, err
	})
}

// settling is the time that endpoints have in the end to take and confirm what is for them.
const settling = 2 * time.Minute

// settle lets every endpoint come back, take and confirm all that is for it, and then lets all time limits pass.
func (s *server) settle() {
	due := s.world.due(s.t.Context(), s.svc, time.Now().Add(settling+time.Minute))
	for who := range endpoints {
		s.connect(key(who), true)
	}
	for range int(settling / time.Second) {
		time.Sleep(time.Second)
		for who := range endpoints {
			k := key(who)
			s.take(k, window)
			for _, p := range s.world.arrivals(k) {
				if s.world.toConfirm(p.ID) {
					s.confirm(k, p.ID, push.Delivered)
					if p.Ack == push.AckHandled {
						s.confirm(k, p.ID, s.world.resultOf(p.ID, int(p.ID)))
					}
				}
			}
			s.repeat(k)
		}
	}
	s.world.arrivedAll(due)
	time.Sleep(mostClock*time.Minute + longTTL + 2*push.NowGrace)
	synctest.Wait()
}

func TestEveryPushEndsTruly(t *testing.T) {
	var kinds []int
	for i, a := range actions {
		for range a.weight {
			kinds = append(kinds, i)
		}
	}
	steps := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) step {
		return step{
			Kind: rapid.SampledFrom(kinds).Draw(t, "kind"), Who: rapid.IntRange(0, endpoints-1).Draw(t, "who"),
			A: rapid.IntRange(0, 9).Draw(t, "a"), B: rapid.IntRange(0, 20).Draw(t, "b"),
		}
	}), 1, 80)
	lives := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) life {
		return life{
			Clock: rapid.IntRange(0, mostClock).Draw(t, "clock"), Crash: rapid.Bool().Draw(t, "crash"), Tight: rapid.Bool().Draw(t, "tight"), Steps: steps.Draw(t, "steps"),
		}
	}), 1, 4)
	rapid.Check(t, func(rt *rapid.T) {
		for _, fault := range play(t, onMemory(t), lives.Draw(rt, "lives")) {
			rt.Error(fault)
		}
	})
}
