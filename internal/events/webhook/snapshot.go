package webhook

import (
	"context"
	"encoding/json"
	"time"

	"signalbox/internal/events"
)

// Why a snapshot goes before everything else.
const (
	snapshotStart = "start" // the server has started
	snapshotGap   = "gap"   // events were missed
)

// SnapshotPath is where what is online can be read.
const SnapshotPath = "/v1/presence/snapshot"

// snapshotTries is how often a receiver may refuse a snapshot, while it is not known to take anything, before events go on without.
const snapshotTries = 2

// sendSnapshot has the receiver read the presence of all endpoints anew: what it believes may be older than the events that follow.
func (s *sender) sendSnapshot(ctx context.Context) error {
	if !wants(s.hook.Types, Snapshot) {
		s.due = ""
		return nil
	}
	if s.first == nil {
		it, err := s.newSnapshot(ctx)
		if err != nil {
			return err
		}
		s.first = &it
	}
	r := s.attempt(ctx, *s.first)
	switch {
	case r.err != nil:
		return r.err
	case r.fault.Code == "":
		s.succeeded(r)
	default:
		s.failed(r)
		if !r.fault.concernsEvent() || s.tries[0] < snapshotTries {
			return nil
		}
	}
	s.due, s.first = "", nil
	delete(s.tries, 0)
	return nil
}

func (s *sender) newSnapshot(ctx context.Context) (item, error) {
	b, err := s.outbox.EventBounds(ctx)
	if err != nil {
		return item{}, err
	}
	now := time.Now().UTC()
	m, err := encode(newID("snp_", now), Snapshot, now, map[string]json.RawMessage{}, map[string]any{"seq": b.Newest, "path": SnapshotPath, "reason": s.due})
	return item{events.Event{At: now, Type: Snapshot}, m}, err
}
