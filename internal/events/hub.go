package events

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"signalbox/internal/telemetry"
)

var (
	// ErrFull says that as many follow as may.
	ErrFull = errors.New("too many follow the events already")
	// ErrStopped says that the server stops.
	ErrStopped = errors.New("the server stops")
)

const (
	pageEvents = 500                   // of one read
	pace       = 20 * time.Millisecond // between two reads while much happens, so that one read serves many commits
	again      = time.Second           // after a read that failed
	lookAnyway = 5 * time.Second       // without being told, since another process may write
)

// Hub reads what happens once for all who follow. It keeps the newest events in memory; who is further behind than these reads from the store until it has caught up.
// While nobody follows it reads nothing.
type Hub struct {
	cfg     Config
	store   Store
	log     *zap.Logger
	metrics metrics
	wake    <-chan struct{}
	joined  chan struct{} // holds a token when somebody begins to follow

	mu        sync.Mutex
	followers int
	reading   bool // since the first began to follow
	recent    recent
	changed   chan struct{} // closed when there is something new in recent, or when the hub has stopped
	stopped   bool
}

// NewHub returns a hub of the store. It starts nothing: call Run.
func NewHub(cfg Config, store Store, log *zap.Logger, reg prometheus.Registerer) (*Hub, error) {
	h := &Hub{
		cfg: cfg, store: store, log: log.Named("events"), wake: store.WatchEvents(), joined: make(chan struct{}, 1), changed: make(chan struct{}),
	}
	var err error
	h.metrics, err = newMetrics(reg, h)
	return h, err
}

// Heartbeat returns how often a stream is to say that it is alive.
func (h *Hub) Heartbeat() time.Duration { return h.cfg.Heartbeat }

// Run reads what happens until ctx is done. Then all who follow get ErrStopped. It is called once.
func (h *Hub) Run(ctx context.Context) error {
	defer h.stop()
	look := time.NewTicker(lookAnyway)
	defer look.Stop()
	for failed := false; ; {
		select {
		case <-ctx.Done():
			return nil
		case <-h.wake:
		case <-h.joined:
		case <-look.C:
		}
		wait := pace
		switch err := h.read(ctx); {
		case err == nil:
			failed = false
		case ctx.Err() != nil:
			return nil
		default:
			if !failed {
				h.log.Warn("events cannot be read; those who follow wait", telemetry.Cause(err))
			}
			failed, wait = true, again
		}
		if !pause(ctx, wait) {
			return nil
		}
		if failed {
			h.poke()
		}
	}
}

func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// poke has Run look soon.
func (h *Hub) poke() {
	select {
	case h.joined <- struct{}{}:
	default:
	}
}

func (h *Hub) stop() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.stopped = true
	close(h.changed)
}

// read takes what is new into memory.
func (h *Hub) read(ctx context.Context) error {
	for {
		h.mu.Lock()
		head, reading := h.recent.head, h.reading
		h.mu.Unlock()
		if !reading {
			return nil
		}
		all, err := h.store.ReadEvents(ctx, head, pageEvents)
		if errors.Is(err, ErrGone) {
			err = h.skip(ctx, head)
		}
		if err != nil || len(all) == 0 {
			return err
		}
		h.take(head, all)
	}
}

// take adds the events behind head to those in memory, unless all have left meanwhile.
func (h *Hub) take(head int64, all []Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.reading || h.recent.head != head {
		return
	}
	h.recent.add(all)
	h.tellLocked()
}

// skip goes on at the newest event where those behind head are not kept any more; each who follows finds out for himself whether he has missed some.
func (h *Hub) skip(ctx context.Context, head int64) error {
	b, err := h.store.EventBounds(ctx)
	if err != nil {
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.reading && h.recent.head == head {
		h.recent.reset(b.Newest)
		h.tellLocked()
	}
	return nil
}

func (h *Hub) tellLocked() {
	close(h.changed)
	h.changed = make(chan struct{})
}
