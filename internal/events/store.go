package events

import (
	"context"
	"errors"
)

// ErrGone says that events behind the number asked for were deleted, or that the number was never given out: who asks has to begin with a snapshot.
var ErrGone = errors.New("events behind this number are not kept any more")

// Store is what this package needs of the outbox. Its methods may be called concurrently.
type Store interface {
	// ReadEvents returns events with a number greater than after, quiet ones too, in their order: at most limit, and fewer where they are long; none if there are no more.
	// An event is seen once it is durable, and never before those of a smaller number. ErrGone if some behind after were deleted, or after was never given out.
	ReadEvents(ctx context.Context, after int64, limit int) ([]Event, error)
	// EventBounds returns the ends of what is kept.
	EventBounds(ctx context.Context) (Bounds, error)
	// WatchEvents returns a channel that holds a token while there may be events that were not durable when it was last received from. It is called
	// once for each who waits for the life of the store.
	WatchEvents() <-chan struct{}
	// AddEvent writes an event that belongs to no other change, and reports whether it did: not where n.Once was used before. It waits until it is durable.
	AddEvent(ctx context.Context, n Notice) (bool, error)
}
