package push

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"signalbox/internal/endpoint"
)

const (
	tickPeriod  = time.Second      // between two tries of stalled lanes
	sweepPeriod = 30 * time.Second // between two looks at every lane, for wake-ups that were lost
)

// Service is the life of a push from its acceptance to its acknowledgement or expiry. All methods may be called concurrently.
//
// It is an endpoint.Watcher: what it hears of sessions makes it hand out what waits.
type Service struct {
	// Set at construction.
	cfg    Config
	store  Store
	sender Sender
	log    *zap.Logger
	m      *metrics
	scribe *scribe
	pool   *pool

	mu       sync.RWMutex
	lanes    map[endpoint.Key]*lane    // guarded by mu
	barriers map[endpoint.Key]struct{} // that stand in the scribe's queue; guarded by mu

	fanouts chan struct{} // one element for each that is being accepted
	posted  atomic.Int64  // when a push for one endpoint was submitted last, in microseconds since 1970

	standing func() uint64 // goroutines that wait for a processor; tests have their own

	keysMu  sync.Mutex                  // a leaf
	keys    map[idempotencyKey]struct{} // of the requests that are running; guarded by keysMu
	cancels map[ID]struct{}             // that wait for the disk; guarded by keysMu
	claims  map[ID]int                  // pushes that transactions which run may end; guarded by keysMu

	waitersMu sync.Mutex       // a leaf
	waiters   map[ID][]*waiter // guarded by waitersMu, with what is in it
}

var _ endpoint.Watcher = (*Service)(nil)

// New returns a service that has started nothing: call Recover before sessions are accepted, then Run. Errors: a configuration that is not valid, or metrics
// that are registered already.
func New(cfg Config, store Store, sender Sender, log *zap.Logger, reg prometheus.Registerer) (*Service, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	s := &Service{
		cfg: cfg, store: store, sender: sender, log: log.Named("push"),
		pool:     &pool{wake: make(chan struct{}, workers)},
		lanes:    make(map[endpoint.Key]*lane),
		barriers: make(map[endpoint.Key]struct{}),
		fanouts:  make(chan struct{}, maxFanouts),
		standing: standing,
		keys:     make(map[idempotencyKey]struct{}),
		cancels:  make(map[ID]struct{}),
		claims:   make(map[ID]int),
		waiters:  make(map[ID][]*waiter),
	}
	m, err := newMetrics(reg, s.countLanes, s.countInflight, s.oldestInflight)
	if err != nil {
		return nil, err
	}
	s.m = m
	store.Deleted(s.deleted)
	s.scribe = &scribe{store: store, log: s.log, m: m, settle: s.settle, wake: make(chan struct{}, 1), limit: func() int { return s.atOnce(maxBatch) }}
	return s, nil
}

// Recover returns to the queue what was on its way when the last process ended, but for what sessions that are to be restored carry (nil: none). Call it once,
// before any session is accepted.
func (s *Service) Recover(ctx context.Context, carried map[ID]bool) error {
	if err := s.store.RecoverPushes(ctx, endpoint.ReasonRestarted.Name, time.Now(), carried); err != nil {
		return fmt.Errorf("recover pushes: %w", err)
	}
	return nil
}

// Run hands out, writes and expires pushes until ctx is done; then it writes what is left and returns when everything that it started has ended. Sessions
// should have ended before that: receipts that come later are refused with ErrStopped.
func (s *Service) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() { s.pool.run(ctx, s.work) })
	}
	wg.Go(func() { s.scribe.run(ctx) })
	wg.Go(func() { s.expireAll(ctx) })
	wg.Go(func() { s.watchClock(ctx) })
	s.tick(ctx)
	wg.Wait()
	return nil
}

// DefaultTTL returns how long a push lives whose request names no TTL.
func (s *Service) DefaultTTL() time.Duration { return s.cfg.DefaultTTL }

func (s *Service) tick(ctx context.Context) {
	ticks, sweeps := time.NewTicker(tickPeriod), time.NewTicker(sweepPeriod)
	defer ticks.Stop()
	defer sweeps.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticks.C:
			for _, l := range s.pool.takeStalled() {
				s.retry(l)
			}
		case <-sweeps.C:
			for _, l := range s.allLanes() {
				s.retry(l)
			}
		}
	}
}

// retry gives a lane another try.
func (s *Service) retry(l *lane) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stalled = false
	s.kickLocked(l)
}

// kickLocked queues the lane if it has work that can be done and nobody does it. The lane's mutex is held.
func (s *Service) kickLocked(l *lane) {
	if !l.queued && !l.owned && l.wantsLocked(s.cfg.Window) {
		l.queued = true
		s.pool.push(l)
	}
}

// settle is told by the scribe what became of a write.
func (s *Service) settle(w write, o Outcome, err error) {
	if o.Applied {
		s.m.transitions[w.t.To].Inc()
		if o.State != w.t.To { // it came back, and a newer one had its collapse key
			s.m.transitions[o.State].Inc()
		}
		if w.t.To == Delivered && !w.created.IsZero() {
			s.m.delivery.Observe(w.t.At.Sub(w.created).Seconds())
		}
		if Final(o.State, o.Ack) {
			s.notify(w.t.ID, o.Fanout)
		}
	}
	if w.held {
		s.unhold(w.t, err)
	}
	if w.done != nil {
		w.done(o, err)
	}
}

// lane returns the lane of the endpoint's session, or nil.
func (s *Service) lane(k endpoint.Key) *lane {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.lanes[k]
}

func (s *Service) allLanes() []*lane {
	s.mu.RLock()
	defer s.mu.RUnlock()
	ls := make([]*lane, 0, len(s.lanes))
	for _, l := range s.lanes {
		ls = append(ls, l)
	}
	return ls
}

func (s *Service) countLanes() float64 {
	n := 0
	for _, l := range s.allLanes() {
		l.mu.Lock()
		if !l.pausedLocked() {
			n++
		}
		l.mu.Unlock()
	}
	return float64(n)
}

func (s *Service) countInflight() float64 {
	n := 0
	for _, l := range s.allLanes() {
		l.mu.Lock()
		n += l.onWay
		l.mu.Unlock()
	}
	return float64(n)
}

// oldestInflight returns how long sessions have owed a receipt, in seconds: the longest of all.
func (s *Service) oldestInflight() float64 {
	now, longest := time.Now(), time.Duration(0)
	for _, l := range s.allLanes() {
		longest = max(longest, l.owed(now))
	}
	return longest.Seconds()
}
