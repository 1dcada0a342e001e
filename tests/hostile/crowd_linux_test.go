package hostile

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// attack is what every member of a crowd does, again and again.
type attack struct {
	members int
	rest    time.Duration // of a member between two visits: attackers that take all processors for themselves would only show that there are no more
	// visit is one connection, to its end. It calls standing when it is in place, which some visits are at once. It returns what was wrong.
	visit func(ctx context.Context, member int, standing func()) error
	// most is how much memory the whole crowd may take above the base at its peak.
	most int64
	// lasts is how long a visit may take when all goes well; 0: seconds.
	lasts time.Duration
}

// crowd is an attack that runs.
type crowd struct {
	a       attack
	cancel  context.CancelFunc
	members sync.WaitGroup
	place   sync.WaitGroup // members that never stood yet
	visits  atomic.Int64   // that ended by themselves
	door    chan struct{}  // holds those that are on their way to their place

	mu     sync.Mutex
	faults []string
}

// doorWidth is how many of a crowd connect and log in at the same time. A storm of handshakes would be an attack of its own.
const doorWidth = 64

// start starts members of the attack, numbered from 0, and waits until each was in place once.
func (a attack) start(t *testing.T, members int) *crowd {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	c := &crowd{a: a, cancel: cancel, door: make(chan struct{}, doorWidth)}
	c.place.Add(members)
	for i := range members {
		c.members.Go(func() { c.member(ctx, i) })
	}
	c.place.Wait()
	return c
}

func (c *crowd) member(ctx context.Context, i int) {
	standing := sync.OnceFunc(c.place.Done)
	defer standing()
	for ctx.Err() == nil {
		c.door <- struct{}{} // whoever holds a place there gives it back soon
		inside := sync.OnceFunc(func() { <-c.door })
		visit, end := context.WithCancel(ctx)
		err := c.a.visit(visit, i, func() {
			inside()
			standing()
		})
		end()
		inside()
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			c.fault(err)
			return
		}
		c.visits.Add(1)
		standing()
		rest(ctx, c.a.rest)
	}
}

func rest(ctx context.Context, d time.Duration) {
	if d == 0 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

func (c *crowd) fault(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.faults = append(c.faults, err.Error())
}

// stop ends the attack and fails the test for what was wrong in it.
func (c *crowd) stop(t *testing.T) {
	t.Helper()
	c.cancel()
	c.members.Wait()
	if n := len(c.faults); n > 0 {
		t.Errorf("%d visits went wrong: %s", n, strings.Join(c.faults[:min(n, 5)], "\n"))
	}
}

// finish waits until this many visits have ended, or one went wrong.
func (c *crowd) finish(t *testing.T, visits int) {
	t.Helper()
	await(t, 2*patience+c.a.lasts, func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.visits.Load() >= int64(visits) || len(c.faults) > 0
	}, func() string { return fmt.Sprintf("%d visits of %d ended", c.visits.Load(), visits) })
}

// run makes the whole of an attack: base, peak, honest logins meanwhile, and the return to the base.
func (s *stand) run(a attack) {
	s.t.Helper()
	honest := s.register("honest", 1)[0]
	stopWitnesses := s.witnesses()
	s.askAll(s.register("caller", apiCallers))
	warm := a.start(s.t, min(a.members, 10)) // what is made once and kept
	warm.finish(s.t, min(a.members, 10))
	warm.stop(s.t)
	_, err := s.times(honest, loginsPerRound)
	must(s.t, err)
	base := s.settled()
	stopWatching := s.watch()

	c := a.start(s.t, a.members)
	c.finish(s.t, a.members)
	c.stop(s.t)
	visits := c.visits.Load()
	ratio, tried := s.compare(honest, func() func() {
		c := a.start(s.t, a.members)
		return func() {
			visits += c.visits.Load()
			c.stop(s.t)
		}
	})
	peak := stopWatching()
	after, took := s.calm(honest, base, peak)
	pushes := stopWitnesses()
	s.t.Logf("FIGURES base %v; peak %v; after %v, %v later; %d visits that the server ended; honest login x%.2f in attempt %d; %d pushes to witnesses",
		base, peak, after, took.Round(time.Second), visits, ratio, tried, pushes)
	if grew := peak.rss - base.rss; grew > a.most {
		s.t.Errorf("the attack took %d KiB of memory, at most %d", grew>>10, a.most>>10)
	}
	if ratio > mostRatio {
		s.t.Errorf("honest logins take %.2f times as long under the attack, at most %v", ratio, mostRatio)
	}
}

// settled waits until no stream but the witnesses' is open, and reads.
func (s *stand) settled() (r reading) {
	s.t.Helper()
	await(s.t, patience, func() bool {
		var err error
		r, err = s.read(s.t.Context())
		return err == nil && r.streams == witnessCount && r.sockets == witnessCount
	}, func() string { return r.String() })
	return r
}

// calm waits until the server is back at its base. Honest logins go on meanwhile: a process without work does not clean up.
func (s *stand) calm(honest string, base, peak reading) (r reading, took time.Duration) {
	s.t.Helper()
	begun := time.Now()
	await(s.t, 3*time.Minute, func() bool {
		_, err := s.times(honest, loginsPerRound)
		must(s.t, err)
		r, err = s.read(s.t.Context())
		return err == nil && r.back(base, peak) == ""
	}, func() string { return r.back(base, peak) })
	return r, time.Since(begun)
}
