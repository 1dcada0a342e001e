package endpoint

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"
)

// Bounds of what describes an endpoint.
const (
	MaxLabels     = 64
	MaxLabelBytes = 128 // of a name, a value or a group
	MaxGroups     = 64
)

// ErrDescription says that labels or groups are out of bounds. Errors of the Directory wrap it.
var ErrDescription = errors.New("invalid label or group")

// DirectoryStore is what the directory needs of durable state.
type DirectoryStore interface {
	Accounts
	Logins
	Surveys
}

// Directory holds the endpoints that the management server registered. It is safe for concurrent use.
type Directory struct {
	store    DirectoryStore
	registry *Registry
	hashing  chan struct{} // one element for each secret of a batch that is being derived
}

// NewDirectory returns a directory that ends the live sessions of endpoints that may no longer have one.
func NewDirectory(store DirectoryStore, registry *Registry) *Directory {
	return &Directory{store: store, registry: registry, hashing: make(chan struct{}, max(1, runtime.GOMAXPROCS(0)/2))}
}

// Create registers e, which needs a Key; a missing secret is made and returned. Errors: ErrID, ErrSecret, ErrDescription, ErrExists.
func (d *Directory) Create(ctx context.Context, e Endpoint, secret string) (created Endpoint, generated string, err error) {
	if err := errors.Join(CheckID(e.ID), CheckDescription(e.Labels, e.Groups)); err != nil {
		return Endpoint{}, "", err
	}
	kept, generated, err := makeSecret(secret)
	if err != nil {
		return Endpoint{}, "", err
	}
	e.Created = time.Now().UTC()
	e.Updated = e.Created
	if err := d.store.CreateEndpoint(ctx, e, kept); err != nil {
		return Endpoint{}, "", fmt.Errorf("create endpoint %s: %w", e.Key, err)
	}
	return e, generated, nil
}

// Update changes an endpoint; one that is disabled loses its session. Errors: ErrDescription, ErrUnknown.
func (d *Directory) Update(ctx context.Context, k Key, p Patch) (Endpoint, error) {
	if err := CheckDescription(p.Labels, p.Groups); err != nil {
		return Endpoint{}, err
	}
	e, err := d.store.UpdateEndpoint(ctx, k, p, time.Now().UTC())
	if err != nil {
		return Endpoint{}, fmt.Errorf("update endpoint %s: %w", k, err)
	}
	if !e.Enabled {
		d.registry.Disconnect(k, ReasonDisabled)
	}
	return e, nil
}

// ResetSecret replaces the endpoint's secret and ends its session; an empty secret is made and returned. Errors: ErrSecret, ErrUnknown.
func (d *Directory) ResetSecret(ctx context.Context, k Key, secret string) (generated string, err error) {
	kept, generated, err := makeSecret(secret)
	if err != nil {
		return "", err
	}
	if _, err := d.store.UpdateEndpoint(ctx, k, Patch{Secret: &kept}, time.Now().UTC()); err != nil {
		return "", fmt.Errorf("change secret of %s: %w", k, err)
	}
	d.registry.Disconnect(k, ReasonSecretChanged)
	return generated, nil
}

// Delete removes an endpoint with all that belongs to it and ends its session, or returns ErrUnknown.
func (d *Directory) Delete(ctx context.Context, k Key) error {
	if err := d.store.DeleteEndpoint(ctx, k); err != nil {
		return fmt.Errorf("delete endpoint %s: %w", k, err)
	}
	d.registry.Disconnect(k, ReasonDeleted)
	return nil
}

// Endpoint returns one endpoint with its presence as it is now, or ErrUnknown.
func (d *Directory) Endpoint(ctx context.Context, k Key) (Record, error) {
	r, err := d.store.Endpoint(ctx, k)
	if err != nil {
		return Record{}, fmt.Errorf("read endpoint %s: %w", k, err)
	}
	d.overlay(&r)
	return r, nil
}

// Endpoints returns the endpoints that q selects, with their presence as it is now.
func (d *Directory) Endpoints(ctx context.Context, q Query) ([]Record, error) {
	rs, err := d.store.Endpoints(ctx, q)
	if err != nil {
		return nil, fmt.Errorf("list endpoints: %w", err)
	}
	for i := range rs {
		d.overlay(&rs[i])
	}
	return rs, nil
}

// ByID returns the endpoints of a domain that have one of these ids, in no order, with their presence as it is now.
func (d *Directory) ByID(ctx context.Context, domain string, ids []string) ([]Record, error) {
	rs, err := d.store.EndpointsByID(ctx, domain, ids)
	if err != nil {
		return nil, fmt.Errorf("read endpoints by id: %w", err)
	}
	for i := range rs {
		d.overlay(&rs[i])
	}
	return rs, nil
}

// Snapshot is that of Surveys: endpoints as events told of them.
func (d *Directory) Snapshot(ctx context.Context, q Query, each func(Told) error) (seq int64, err error) {
	if seq, err = d.store.Snapshot(ctx, q, each); err != nil {
		return 0, fmt.Errorf("take a snapshot: %w", err)
	}
	return seq, nil
}

func (d *Directory) overlay(r *Record) {
	if p, ok := d.registry.Live(r.Key); ok {
		r.Presence = p.Beside(r.Presence)
	}
	r.Unrest = d.registry.Unrest(r.Key)
}

func makeSecret(secret string) (kept Secret, generated string, err error) {
	if secret == "" {
		generated, kept, err = GenerateSecret()
		return kept, generated, err
	}
	kept, err = NewSecret(secret)
	return kept, "", err
}

// CheckDescription reports why labels or groups cannot describe an endpoint, with ErrDescription.
func CheckDescription(labels map[string]string, groups []string) error {
	if len(labels) > MaxLabels {
		return fmt.Errorf("%w: %d labels, at most %d are allowed", ErrDescription, len(labels), MaxLabels)
	}
	if len(groups) > MaxGroups {
		return fmt.Errorf("%w: %d groups, at most %d are allowed", ErrDescription, len(groups), MaxGroups)
	}
	for name, value := range labels {
		if name == "" || len(name) > MaxLabelBytes || len(value) > MaxLabelBytes {
			return fmt.Errorf("%w: a label's name has 1 to %d bytes, its value at most %d", ErrDescription, MaxLabelBytes, MaxLabelBytes)
		}
	}
	for _, g := range groups {
		if g == "" || len(g) > MaxLabelBytes {
			return fmt.Errorf("%w: a group's name has 1 to %d bytes", ErrDescription, MaxLabelBytes)
		}
	}
	return nil
}
