package hostile

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"signalbox/internal/client"
	"signalbox/tests/crash/rig"
)

// loginRest is between two honest logins, so that they see more of an attack than its begin.
const loginRest = 10 * time.Millisecond

// times logs an honest endpoint in, n times one after the other, and returns how long each login took, from the connection to the bound session.
func (s *stand) times(id string, n int) ([]time.Duration, error) {
	took := make([]time.Duration, n)
	for i := range took {
		ctx, cancel := context.WithTimeout(s.t.Context(), patience)
		begun := time.Now()
		w, err := s.enter(ctx, honestSource, id)
		took[i] = time.Since(begun)
		cancel() // closes the connection
		if err != nil {
			return nil, fmt.Errorf("an honest login: %w", err)
		}
		_ = w.Close()
		rest(s.t.Context(), loginRest)
	}
	return took, nil
}

// How honest logins are compared: in rounds of logins without and under the attack, in turns, so that what else the machine does falls on both. A busy machine may
// spoil an attempt, but not all of them.
const (
	loginsPerRound   = 10
	roundsPerAttempt = 3
	attempts         = 5
	mostRatio        = 2.0
)

// compare returns the ratio of the medians, under the attack and without, of the first attempt in which it was small enough, or else of the last; attack starts the
// attack, waits until it stands and returns how to stop it.
func (s *stand) compare(id string, attack func() (stop func())) (ratio float64, tried int) {
	s.t.Helper()
	for tried = 1; ; tried++ {
		var quiet, under []time.Duration
		for range roundsPerAttempt {
			q, err := s.times(id, loginsPerRound)
			must(s.t, err)
			stop := attack()
			u, err := s.times(id, loginsPerRound)
			stop()
			must(s.t, err)
			quiet, under = append(quiet, q...), append(under, u...)
		}
		q, u := median(quiet), median(under)
		ratio = float64(u) / float64(q)
		s.t.Logf("an honest login took %v without and %v under the attack, ratio %.2f", q.Round(time.Microsecond), u.Round(time.Microsecond), ratio)
		if ratio <= mostRatio || tried == attempts {
			return ratio, tried
		}
	}
}

// witness is an endpoint that nobody attacks: it stays connected and gets its pushes one after the other.
type witness struct {
	s       *stand
	id      string
	arrived chan string // ids of pushes
	pushes  atomic.Int64
}

const witnessCount = 2

// witnesses log in and are posted pushes until stop is called, which returns how many came.
func (s *stand) witnesses() (stop func() (pushes int64)) {
	s.t.Helper()
	ctx, cancel := context.WithCancel(s.t.Context())
	var all []*witness
	var running sync.WaitGroup
	for _, id := range s.register("witness", witnessCount) {
		c, err := s.enter(ctx, honestSource, id)
		must(s.t, err)
		must(s.t, c.say("<presence/>"))
		_ = c.SetDeadline(time.Time{})
		w := &witness{s: s, id: id, arrived: make(chan string, 64)}
		all = append(all, w)
		running.Go(func() { w.listen(ctx, c) })
		running.Go(func() { w.post(ctx) })
	}
	return func() (pushes int64) {
		cancel()
		running.Wait()
		for _, w := range all {
			pushes += w.pushes.Load()
			if w.pushes.Load() == 0 {
				s.t.Errorf("%s got no push", w.id)
			}
		}
		return pushes
	}
}

// listen takes pushes and acknowledges them until the connection ends, which must be our doing.
func (w *witness) listen(ctx context.Context, c *wire) {
	for {
		id, err := "", c.until("<push xmlns='urn:signalbox:push:1' id='")
		if err == nil {
			id, err = c.upTo("'")
		}
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			w.s.t.Errorf("%s lost its connection: %v", w.id, err)
			return
		}
		if err := c.say(receipt(id)); err != nil && ctx.Err() == nil {
			w.s.t.Errorf("%s cannot write: %v", w.id, err)
			return
		}
		w.arrived <- id
	}
}

func receipt(id string) string {
	return "<message to='" + rig.Domain + "'><received xmlns='urn:xmpp:receipts' id='" + id + "'/></message>"
}

const pushEvery = 100 * time.Millisecond

// post posts one push after the other and waits for each.
func (w *witness) post(ctx context.Context) {
	ticks := time.NewTicker(pushEvery)
	defer ticks.Stop()
	for {
		select {
		case <-ticks.C:
		case <-ctx.Done():
			return
		}
		if err := w.postOne(ctx); err != nil {
			if ctx.Err() == nil {
				w.s.t.Errorf("%s: %v", w.id, err)
			}
			return
		}
		w.pushes.Add(1)
	}
}

func (w *witness) postOne(ctx context.Context) error {
	r, err := w.s.api.SendPush(ctx, client.NewPush{To: w.id, Type: "demo.witness"})
	if err != nil {
		return err
	}
	late := time.NewTimer(patience)
	defer late.Stop()
	select {
	case id := <-w.arrived:
		if id != r.ID {
			return fmt.Errorf("got push %s, posted %s", id, r.ID)
		}
		return nil
	case <-late.C:
		return errors.New("push " + r.ID + " did not come")
	case <-ctx.Done():
		return ctx.Err()
	}
}

// awaitState waits until a push is in this state.
func (s *stand) awaitState(id, state string) {
	s.t.Helper()
	var p client.Push
	await(s.t, patience, func() bool {
		var err error
		p, err = s.api.Push(s.t.Context(), id)
		return err == nil && p.State == state
	}, func() string { return fmt.Sprintf("push %s is %s, want %s: %v", id, p.State, state, p.History) })
}

// awaitOffline waits until an endpoint is offline for this reason.
func (s *stand) awaitOffline(id, reason string) {
	s.t.Helper()
	var p client.Presence
	await(s.t, patience, func() bool {
		var err error
		p, err = s.api.Presence(s.t.Context(), id)
		return err == nil && p.State == "offline" && p.Reason == reason
	}, func() string {
		return fmt.Sprintf("%s is %s because of %q, want offline because of %q", id, p.State, p.Reason, reason)
	})
}
