package events

import (
	"context"
	"slices"
	"sync"
)

// Places that have no number of their own.
const (
	FromNow   int64 = -1 // behind everything that happened until now
	FromStart int64 = -2 // before everything that is kept
)

// Follower is one who follows what happens. One goroutine uses it.
type Follower struct {
	hub    *Hub
	filter Filter
	seen   int64
	close  func()
}

// Follow begins to follow behind the event with the number after, or FromNow, or FromStart. Close must follow. Errors: ErrFull, ErrGone, ErrStopped, those
// of the store.
func (h *Hub) Follow(ctx context.Context, after int64, f Filter) (*Follower, error) {
	if err := h.enter(); err != nil {
		return nil, err
	}
	after, newest, err := h.place(ctx, after)
	if err != nil {
		h.leave()
		return nil, err
	}
	h.begin(newest)
	return &Follower{hub: h, filter: f, seen: after, close: sync.OnceFunc(h.leave)}, nil
}

// place returns the number of a place to begin behind, and the newest number.
func (h *Hub) place(ctx context.Context, after int64) (number, newest int64, err error) {
	b, err := h.store.EventBounds(ctx)
	switch {
	case err != nil:
		return 0, 0, err
	case after == FromNow:
		return b.Newest, b.Newest, nil
	case after == FromStart:
		return b.Deleted, b.Newest, nil
	case after < b.Deleted || after > b.Newest:
		return 0, 0, ErrGone
	}
	return after, b.Newest, nil
}

func (h *Hub) enter() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.stopped:
		return ErrStopped
	case h.followers >= h.cfg.Followers:
		h.metrics.refused.Inc()
		return ErrFull
	}
	h.followers++
	return nil
}

func (h *Hub) leave() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.followers--; h.followers == 0 {
		h.reading = false
		h.recent.reset(0)
	}
}

// begin has the hub read from newest on, unless it reads already.
func (h *Hub) begin(newest int64) {
	h.mu.Lock()
	if !h.reading {
		h.reading = true
		h.recent.reset(newest)
	}
	h.mu.Unlock()
	h.poke()
}

// Close ends it. It may be called more than once.
func (f *Follower) Close() { f.close() }

// Seen returns the number up to which everything was returned or not selected: who comes back goes on behind it.
func (f *Follower) Seen() int64 { return f.seen }

// Next waits until there are events and returns them in their order, none twice and none left out, at most limit. Errors: that of ctx, ErrStopped, ErrGone if the
// follower was so slow that events behind Seen were deleted, those of the store. After an error it may be called again, and misses nothing.
func (f *Follower) Next(ctx context.Context, limit int) ([]Event, error) {
	for {
		some, wait, err := f.look(ctx, limit)
		if err != nil || len(some) > 0 {
			return some, err
		}
		if wait == nil {
			continue
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-wait:
		}
	}
}

// look returns what there is now; where that is nothing, wait is closed when there may be more, or nil if it is to be called again at once.
func (f *Follower) look(ctx context.Context, limit int) (some []Event, wait <-chan struct{}, err error) {
	all, base, wait, err := f.hub.after(f.seen)
	switch {
	case err != nil:
		return nil, nil, err
	case f.seen < base:
		all, err = f.catchUp(ctx, base)
		if err != nil || len(all) == 0 {
			return nil, nil, err
		}
	case len(all) == 0:
		return nil, wait, nil
	}
	some, seen := f.filter.selected(all, limit)
	f.seen = max(f.seen, seen)
	f.hub.metrics.sent.Add(float64(len(some)))
	return some, nil, nil
}

// after returns the next events behind seq that are in memory, if all behind it are: if seq is base or greater. wait is closed when there are more.
func (h *Hub) after(seq int64) (all []Event, base int64, wait <-chan struct{}, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.stopped:
		return nil, 0, nil, ErrStopped
	case seq < h.recent.base:
		return nil, h.recent.base, nil, nil
	}
	all = h.recent.after(seq)
	return slices.Clone(all[:min(len(all), pageEvents)]), h.recent.base, h.changed, nil
}

// catchUp reads what is not in memory any more from the store. What there is up to base is durable.
func (f *Follower) catchUp(ctx context.Context, base int64) ([]Event, error) {
	all, err := f.hub.store.ReadEvents(ctx, f.seen, pageEvents)
	if err == nil && len(all) == 0 { // nobody has the numbers up to base
		f.seen = base
	}
	f.hub.metrics.caughtUp.Add(float64(len(all)))
	return all, err
}
