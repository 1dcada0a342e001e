package store

import (
	"context"
	"time"

	"signalbox/internal/endpoint"
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
	created, err := t.insertEndpoint(&op.endpoint, op.secret)
	if err == nil && !created {
		op.result = endpoint.ErrExists
	}
	return err
}

// updateEndpoint changes an endpoint.
type updateEndpoint struct {
	key   endpoint.Key
	patch endpoint.Patch
	now   time.Time

	out    endpoint.Endpoint
	result error
}

// UpdateEndpoint implements endpoint.Accounts.
func (s *Store) UpdateEndpoint(ctx context.Context, k endpoint.Key, p endpoint.Patch, now time.Time) (endpoint.Endpoint, error) {
	op := &updateEndpoint{key: k, patch: p, now: now}
	if err := s.do(ctx, op); err != nil {
		return endpoint.Endpoint{}, err
	}
	return op.out, op.result
}

func (op *updateEndpoint) apply(t *tx) error {
	record, _, err := t.findRecord(op.key)
	if err := expected(&op.result, err, endpoint.ErrUnknown); err != nil || op.result != nil {
		return err
	}
	op.out = record.Endpoint
	op.out.Updated = timeOf(micros(op.now))
	if op.patch.Enabled != nil {
		op.out.Enabled = *op.patch.Enabled
	}
	if op.patch.Labels != nil {
		op.out.Labels = op.patch.Labels
	}
	if op.patch.Groups != nil {
		op.out.Groups = op.patch.Groups
	}
	return t.updateEndpoint(&op.out, op.patch.Secret)
}

// deleteEndpoint removes an endpoint with everything that hangs on it, or a chunk of its pushes if it has more.
type deleteEndpoint struct {
	key    endpoint.Key
	more   bool
	result error
}

// DeleteEndpoint implements endpoint.Accounts. Its pushes go in chunks and the endpoint with the last one: if ctx ends before, what is left of it is as it was.
func (s *Store) DeleteEndpoint(ctx context.Context, k endpoint.Key) error {
	for {
		op := &deleteEndpoint{key: k}
		if err := s.do(ctx, op); err != nil {
			return err
		}
		if !op.more {
			return op.result
		}
	}
}

func (op *deleteEndpoint) apply(t *tx) error {
	op.more = false
	num, _, err := t.findEndpoint(op.key)
	if err := expected(&op.result, err, endpoint.ErrUnknown); err != nil || op.result != nil {
		return err
	}
	deleted, err := t.deletePushesOf(num, maxChunk)
	if op.more = deleted == maxChunk; err != nil || op.more {
		return err
	}
	if err := t.deleteEndpoint(num); err != nil {
		return err
	}
	return t.insertEvent(op.key, "endpoint.deleted", micros(t.now), "{}")
}

// Endpoints implements endpoint.Accounts.
func (s *Store) Endpoints(ctx context.Context, q endpoint.Query) ([]endpoint.Record, error) {
	waiting := s.queue.unsaved() // before the read, as in Endpoint
	rs, err := s.reader.endpoints(ctx, q)
	for i := range rs {
		if p, ok := waiting[rs[i].Key]; ok {
			rs[i].Presence = p
		}
	}
	return rs, err
}

// Endpoint implements endpoint.Logins.
func (s *Store) Endpoint(ctx context.Context, k endpoint.Key) (endpoint.Record, error) {
	waiting, ok := s.queue.presence(k) // before the read: what is not here any more is committed
	r, err := s.reader.endpoint(ctx, k)
	if ok && err == nil {
		r.Presence = waiting
	}
	return r, err
}

// EndpointSecret implements endpoint.Logins.
func (s *Store) EndpointSecret(ctx context.Context, k endpoint.Key) (endpoint.Secret, bool, error) {
	return s.reader.secret(ctx, k)
}
