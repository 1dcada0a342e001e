package store

import (
	"context"
	"errors"
	"fmt"

	"signalbox/internal/endpoint"
	"signalbox/internal/events"
	"signalbox/internal/store/direct"
	"signalbox/internal/store/outbox"
)

// maxOnceBytes bounds the name of an event that is written once.
const maxOnceBytes = 255

var errNotice = errors.New("not an event that can be written")

// ReadEvents implements events.Store.
func (s *Store) ReadEvents(ctx context.Context, after int64, limit int) ([]events.Event, error) {
	all, err := s.reader.outbox.Events(ctx, after, limit)
	if err != nil {
		return nil, err
	}
	// After the rows, so that what was missing from them is noted by now.
	b, err := s.reader.outbox.Bounds(ctx)
	if err != nil {
		return nil, err
	}
	if after < b.Deleted || after > b.Newest {
		return nil, events.ErrGone
	}
	return all, nil
}

// EventBounds implements events.Store.
func (s *Store) EventBounds(ctx context.Context) (events.Bounds, error) {
	return s.reader.outbox.Bounds(ctx)
}

// WatchEvents implements events.Store.
func (s *Store) WatchEvents() <-chan struct{} { return s.committer.watch() }

// AddEvent implements events.Store. Other errors than the store's own: a type that there is not, a name that is too long, endpoint.ErrUnknown.
func (s *Store) AddEvent(ctx context.Context, n events.Notice) (added bool, err error) {
	kind, err := outbox.KindOf(n.Type)
	if err == nil && len(n.Once) > maxOnceBytes {
		err = fmt.Errorf("its name has %d bytes, at most %d are allowed", len(n.Once), maxOnceBytes)
	}
	if err != nil {
		return false, fmt.Errorf("%w: %w", errNotice, err)
	}
	return outcome(ctx, s, func(t *tx) (bool, error) { return t.addNotice(kind, &n) }, endpoint.ErrUnknown)
}

func (t *tx) addNotice(kind int64, n *events.Notice) (bool, error) {
	e := outbox.Event{At: direct.Micros(t.now), Kind: kind, Data: "{}"}
	if !n.At.IsZero() {
		e.At = direct.Micros(n.At)
	}
	if n.Data != nil {
		e.Data = string(n.Data)
	}
	if n.Endpoint != "" {
		var err error
		if e.Ep, _, err = t.endpoint.Num(endpoint.Key{Domain: n.Domain, ID: n.Endpoint}); err != nil {
			return false, err
		}
	}
	if n.Once != "" {
		if fresh, err := t.outbox.UseName(n.Once, direct.Micros(n.Until)); err != nil || !fresh {
			return false, err
		}
	}
	return true, t.insertEvent(e)
}

// AddEventReader registers a reader of the outbox that must not miss events, behind those that there are, unless one of this name is registered. It returns the
// number up to which it has read. Events that it has not read are kept beyond their retention, see Config.OutboxUnread.
func (s *Store) AddEventReader(ctx context.Context, name string) (int64, error) {
	return outcome(ctx, s, func(t *tx) (int64, error) { return t.addReader(name) })
}

// MoveEventReader says that a registered reader has done with all events up to seq. It never goes back, and registers a reader that is not yet.
func (s *Store) MoveEventReader(ctx context.Context, name string, seq int64) error {
	return s.try(ctx, func(t *tx) error { return t.outbox.MoveReader(name, seq) })
}

// RemoveEventReader takes a reader from the list, so that events are no longer kept for it. There may be none of this name.
func (s *Store) RemoveEventReader(ctx context.Context, name string) error {
	return s.try(ctx, func(t *tx) error { return t.outbox.ForgetReader(name) })
}

// addReader registers a reader behind the newest event of earlier transactions, unless there is one of this name, and returns where it stands.
func (t *tx) addReader(name string) (int64, error) {
	seq, found, err := t.outbox.ReaderAt(name)
	if err != nil || found {
		return seq, err
	}
	if err := t.readNumbers(); err != nil {
		return 0, err
	}
	return t.lastEvent, t.outbox.MoveReader(name, t.lastEvent)
}
