package store

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"signalbox/internal/store/direct"
	"signalbox/internal/store/outbox"
	"signalbox/internal/turnsession"
)

var _ turnsession.Store = (*Store)(nil)

// CreateTURNSession implements turnsession.Store.
func (s *Store) CreateTURNSession(ctx context.Context, r turnsession.Session) error {
	return s.try(ctx, func(t *tx) error {
		if err := t.turn.Insert(&r); err != nil {
			return err
		}
		return t.turnEvent(outbox.TURNOpened, turnData{Expires: &r.Expires}, &r)
	})
}

// EndTURNSession implements turnsession.Store.
func (s *Store) EndTURNSession(ctx context.Context, id turnsession.ID, e turnsession.End) (turnsession.Session, error) {
	return outcome(ctx, s, func(t *tx) (turnsession.Session, error) {
		r, err := t.turn.Find(id)
		if err != nil || !r.Open() {
			return r, err
		}
		r.Ended, r.Reason = e.At, e.Reason
		if e.Counters != nil {
			r.Counters, r.Counted = *e.Counters, e.Counted
		}
		if err := t.turn.End(&r); err != nil {
			return r, err
		}
		return r, t.turnEvent(outbox.TURNEnded, turnData{Reason: r.Reason, Counters: &r.Counters}, &r)
	}, turnsession.ErrUnknown)
}

// SaveTURNCounters implements turnsession.Store.
func (s *Store) SaveTURNCounters(ctx context.Context, counts []turnsession.Count) error {
	if len(counts) == 0 {
		return nil
	}
	return s.doSized(ctx, &try{step: func(t *tx) error {
		for i := range counts {
			if err := t.turn.Count(&counts[i]); err != nil {
				return err
			}
		}
		return nil
	}}, len(counts))
}

// TURNSession implements turnsession.Store.
func (s *Store) TURNSession(ctx context.Context, domain string, id turnsession.ID) (turnsession.Session, error) {
	return s.reader.turn.Session(ctx, domain, id)
}

// TURNSessions implements turnsession.Store.
func (s *Store) TURNSessions(ctx context.Context, q turnsession.Query) ([]turnsession.Session, error) {
	return s.reader.turn.Sessions(ctx, q)
}

// OpenTURNSessions implements turnsession.Store.
func (s *Store) OpenTURNSessions(ctx context.Context) ([]turnsession.ID, error) {
	return s.reader.turn.Open(ctx)
}

// turnData is what events of TURN sessions tell.
type turnData struct {
	ID         string                `json:"id"`
	Endpoints  map[string]string     `json:"endpoints,omitempty"` // by side
	Technician string                `json:"technician,omitempty"`
	OpenedBy   string                `json:"opened_by"` // name of the token
	Expires    *time.Time            `json:"expires_at,omitempty"`
	Reason     string                `json:"reason,omitempty"`
	Counters   *turnsession.Counters `json:"counters,omitempty"`
}

// turnEvent keeps an event of a session with what all of them tell.
func (t *tx) turnEvent(kind int64, d turnData, r *turnsession.Session) error {
	d.ID, d.Technician, d.OpenedBy = r.ID.String(), r.Technician, r.By.Name
	for side, id := range r.Endpoints {
		if id != "" {
			if d.Endpoints == nil {
				d.Endpoints = map[string]string{}
			}
			d.Endpoints[turnsession.Side(side).String()] = id
		}
	}
	data, err := json.Marshal(d)
	if err != nil {
		return fmt.Errorf("encode event: %w", err)
	}
	return t.insertEvent(outbox.Event{At: direct.Micros(t.now), Kind: kind, Data: string(data)})
}

// deleteOldTURNSessions deletes the records of sessions that have been over for as long as pushes are kept.
func (s *Store) deleteOldTURNSessions(ctx context.Context, before time.Time) error {
	return s.inChunks(ctx, retentionChunk, func(t *tx) (int64, error) { return t.turn.DeleteOld(before, retentionChunk) })
}
