package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"signalbox/internal/audit"
	"signalbox/internal/endpoint"
	"signalbox/internal/events"
	"signalbox/internal/remote"
	"signalbox/internal/signalling"
	"signalbox/internal/store/direct"
	"signalbox/internal/store/outbox"
)

var _ remote.Store = (*Store)(nil)

// CreateRemoteSession implements remote.Store.
func (s *Store) CreateRemoteSession(ctx context.Context, r remote.Session, e audit.Entry) error {
	return s.try(ctx, func(t *tx) error {
		if err := t.session.Insert(&r); err != nil {
			return err
		}
		return t.sessionActs(&r, e, true)
	})
}

// SaveRemoteSession implements remote.Store.
func (s *Store) SaveRemoteSession(ctx context.Context, r remote.Session, e *audit.Entry, event bool) error {
	return s.try(ctx, func(t *tx) error {
		if err := t.session.Update(&r); err != nil || e == nil {
			return err
		}
		return t.sessionActs(&r, *e, event)
	}, remote.ErrUnknown)
}

// RemoteSession implements remote.Store.
func (s *Store) RemoteSession(ctx context.Context, domain string, id remote.ID) (remote.Session, error) {
	return s.reader.sessions.Session(ctx, domain, id)
}

// RemoteSessions implements remote.Store.
func (s *Store) RemoteSessions(ctx context.Context, q remote.Query) ([]remote.Session, error) {
	return s.reader.sessions.Sessions(ctx, q)
}

// OpenRemoteSessions implements remote.Store.
func (s *Store) OpenRemoteSessions(ctx context.Context) ([]remote.Session, error) {
	return s.reader.sessions.Open(ctx)
}

// sessionActs chains what was done in a session to the audit trail, and keeps an event of it.
func (t *tx) sessionActs(r *remote.Session, e audit.Entry, event bool) error {
	e.Domain, e.Subject = r.Domain, r.ID.String()
	if err := t.chain(e); err != nil || !event {
		return err
	}
	kind, err := outbox.KindOf(events.Type(e.Action))
	if err != nil {
		return err
	}
	num, _, err := t.endpoint.Num(endpoint.Key{Domain: r.Domain, ID: r.Endpoint})
	if err != nil && !errors.Is(err, endpoint.ErrUnknown) { // that of an endpoint that was deleted is one of the server
		return err
	}
	data, err := events.Encode(sessionDataOf(r))
	if err != nil {
		return fmt.Errorf("encode event: %w", err)
	}
	return t.insertEvent(outbox.Event{At: direct.Micros(t.now), Kind: kind, Ep: num, Data: string(data)})
}

// sessionData is what events of remote sessions tell.
type sessionData struct {
	ID         string                `json:"id"`
	Endpoint   string                `json:"endpoint"`
	Technician signalling.Technician `json:"technician"`
	OpenedBy   string                `json:"opened_by"` // name of the token or account
	Why        string                `json:"why,omitempty"`
	Kinds      []string              `json:"kinds"`
	State      remote.State          `json:"state"`
	Expires    time.Time             `json:"expires_at"`
	Consent    string                `json:"consent,omitempty"`
	Path       string                `json:"path,omitempty"` // rung of the ladder
	Reason     string                `json:"reason,omitempty"`
	Detail     string                `json:"detail,omitempty"`
	Seconds    int64                 `json:"seconds"` // that it lasted, once it has ended
	BytesUp    int64                 `json:"bytes_up"`
	BytesDown  int64                 `json:"bytes_down"`
}

func sessionDataOf(r *remote.Session) sessionData {
	d := sessionData{
		ID: r.ID.String(), Endpoint: r.Endpoint, Technician: r.Technician, OpenedBy: r.By.Name, Why: r.Why, Kinds: r.Kinds, State: r.State, Expires: r.Expires, Consent: r.Consent,
		Path: r.Rung, Reason: r.Reason, Detail: r.Detail, BytesUp: r.BytesUp, BytesDown: r.BytesDown,
	}
	if !r.Ended.IsZero() {
		d.Seconds = int64(r.Ended.Sub(r.Created) / time.Second)
	}
	return d
}

// deleteOldRemoteSessions deletes the records of sessions that ended before a time.
func (s *Store) deleteOldRemoteSessions(ctx context.Context, before time.Time) error {
	return s.inChunks(ctx, retentionChunk, func(t *tx) (int64, error) { return t.session.DeleteOld(before, retentionChunk) })
}
