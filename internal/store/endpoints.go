package store

import (
	"context"
	"time"

	"signalbox/internal/endpoint"
	"signalbox/internal/store/direct"
	"signalbox/internal/store/outbox"
)

// createEndpoint stores a new endpoint.
type createEndpoint struct {
	endpoint endpoint.Endpoint
	secret   endpoint.Secret
	result   error
}

// CreateEndpoint implements endpoint.Accounts.
func (s *Store) CreateEndpoint(ctx context.Context, e endpoint.Endpoint, secret endpoint.Secret) error {
	op := &createEndpoint{endpoint: e, secret: secret}
	if err := s.do(ctx, op); err != nil {
		return err
	}
	return op.result
}

func (op *createEndpoint) apply(t *tx) error {
	op.result = nil
	created, err := t.createEndpoint(&op.endpoint, op.secret)
	if err == nil && !created {
		op.result = endpoint.ErrExists
	}
	return err
}

// createEndpoint stores e with its event, and reports false if there is one of this key.
func (t *tx) createEndpoint(e *endpoint.Endpoint, s endpoint.Secret) (bool, error) {
	created, err := t.endpoint.Insert(e, s)
	if err != nil || !created {
		return false, err
	}
	num, _, err := t.endpoint.Num(e.Key)
	if err != nil {
		return false, err
	}
	return true, t.endpointEvent(outbox.Created, num, e)
}

// UpdateEndpoint implements endpoint.Accounts.
func (s *Store) UpdateEndpoint(ctx context.Context, k endpoint.Key, p endpoint.Patch, now time.Time) (endpoint.Endpoint, error) {
	return outcome(ctx, s, func(t *tx) (endpoint.Endpoint, error) { return t.patchEndpoint(k, p, now) }, endpoint.ErrUnknown)
}

// patchEndpoint changes an endpoint, with its event, and returns it as it is then, or endpoint.ErrUnknown.
func (t *tx) patchEndpoint(k endpoint.Key, p endpoint.Patch, now time.Time) (endpoint.Endpoint, error) {
	record, err := t.endpoint.Find(k)
	if err != nil {
		return endpoint.Endpoint{}, err
	}
	after := patched(record.Endpoint, p, now)
	if err := t.endpoint.Update(&after, p.Secret); err != nil {
		return endpoint.Endpoint{}, err
	}
	num, _, err := t.endpoint.Num(k)
	if err != nil {
		return endpoint.Endpoint{}, err
	}
	return after, t.endpointEvent(outbox.Updated, num, &after, changedBy(p)...)
}

// changedBy names what a patch sets.
func changedBy(p endpoint.Patch) (names []string) {
	for _, field := range []struct {
		name string
		set  bool
	}{{"enabled", p.Enabled != nil}, {"labels", p.Labels != nil}, {"groups", p.Groups != nil}, {"secret", p.Secret != nil}} {
		if field.set {
			names = append(names, field.name)
		}
	}
	return names
}

func patched(e endpoint.Endpoint, p endpoint.Patch, now time.Time) endpoint.Endpoint {
	e.Updated = direct.Time(direct.Micros(now))
	if p.Enabled != nil {
		e.Enabled = *p.Enabled
	}
	if p.Labels != nil {
		e.Labels = p.Labels
	}
	if p.Groups != nil {
		e.Groups = p.Groups
	}
	return e
}

// deleteEndpoint removes an endpoint with everything that hangs on it, or a chunk of that if it has more.
type deleteEndpoint struct {
	key    endpoint.Key
	more   bool
	result error
}

// DeleteEndpoint implements endpoint.Accounts. Its pushes and what its account holds go in chunks, and the endpoint with the last one: if ctx ends before, what is left of it is as it was.
func (s *Store) DeleteEndpoint(ctx context.Context, k endpoint.Key) error {
	for {
		op := &deleteEndpoint{key: k}
		err := s.await(ctx, op, func() {
			if op.result == nil && !op.more {
				s.tellDeleted(k)
			}
		})
		if err != nil {
			return err
		}
		if !op.more {
			return op.result
		}
	}
}

// Deleted implements push.Writer.
func (s *Store) Deleted(f func(endpoint.Key)) { s.deletions = append(s.deletions, f) }

func (s *Store) tellDeleted(k endpoint.Key) {
	for _, f := range s.deletions {
		f(k)
	}
}

func (op *deleteEndpoint) apply(t *tx) error {
	op.more = false
	num, _, err := t.endpoint.Num(op.key)
	if err := expected(&op.result, err, endpoint.ErrUnknown); err != nil || op.result != nil {
		return err
	}
	deleted, err := t.deletePushesOf(num, maxChunk)
	if op.more = deleted == maxChunk; err != nil || op.more {
		return err
	}
	if op.more, err = t.account.Delete(op.key, num, maxChunk, t.now); err != nil || op.more {
		return err
	}
	if err := t.insertEvent(outbox.Event{At: direct.Micros(t.now), Kind: outbox.Deleted, Ep: num, Data: "{}"}); err != nil {
		return err
	}
	if err := t.presence.Remove(num); err != nil {
		return err
	}
	return t.endpoint.Delete(num, t.lastEvent)
}

// Endpoints implements endpoint.Accounts.
func (s *Store) Endpoints(ctx context.Context, q endpoint.Query) ([]endpoint.Record, error) {
	waiting := s.queue.unsaved() // before the read, as in Endpoint
	rs, err := s.reader.endpoints.Endpoints(ctx, q)
	beside(rs, waiting)
	return rs, err
}

// Endpoint implements endpoint.Logins.
func (s *Store) Endpoint(ctx context.Context, k endpoint.Key) (endpoint.Record, error) {
	waiting, ok := s.queue.presence(k) // before the read: what is not here any more is committed
	r, err := s.reader.endpoints.Endpoint(ctx, k)
	if ok && err == nil {
		r.Presence = waiting.Beside(r.Presence)
	}
	return r, err
}

// EndpointSecret implements endpoint.Logins.
func (s *Store) EndpointSecret(ctx context.Context, k endpoint.Key) (endpoint.Secret, bool, error) {
	return s.reader.endpoints.Secret(ctx, k)
}

// EndpointsByID implements endpoint.Surveys.
func (s *Store) EndpointsByID(ctx context.Context, domain string, ids []string) ([]endpoint.Record, error) {
	waiting := s.queue.unsaved() // before the read, as in Endpoint
	rs, err := s.reader.endpoints.ByID(ctx, domain, ids)
	beside(rs, waiting)
	return rs, err
}

// beside completes what was read with what waits for the disk.
func beside(rs []endpoint.Record, waiting map[endpoint.Key]endpoint.Presence) {
	for i := range rs {
		if p, ok := waiting[rs[i].Key]; ok {
			rs[i].Presence = p.Beside(rs[i].Presence)
		}
	}
}

// Snapshot implements endpoint.Surveys.
func (s *Store) Snapshot(ctx context.Context, q endpoint.Query, f func(endpoint.Told) error) (seq int64, err error) {
	return s.reader.endpoints.Snapshot(ctx, q, f)
}
