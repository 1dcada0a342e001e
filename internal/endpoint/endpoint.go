// Package endpoint knows who an endpoint is, which live session it has, its presence, and how to reach it: the router.
package endpoint

import (
	"context"
	"errors"
	"time"
)

// Endpoint is one managed machine as the management server registered it.
type Endpoint struct {
	Key
	Enabled bool
	Labels  map[string]string
	Groups  []string
	Created time.Time
	Updated time.Time
}

// Errors of a Store. They are returned as they are or wrapped.
var (
	ErrUnknown  = errors.New("unknown endpoint")
	ErrExists   = errors.New("endpoint exists already")
	ErrDisabled = errors.New("endpoint is disabled")
)

// Patch changes an endpoint; nil fields stay as they are.
type Patch struct {
	Enabled *bool
	Labels  map[string]string // replaces all labels
	Groups  []string          // replaces all groups; non-nil and empty removes them
	Secret  *Secret           // replaces the stored secret
}

// Query selects endpoints of one domain in the order of their ids.
type Query struct {
	Domain string
	After  string // ids greater than this one; empty: from the start
	Limit  int    // 1..1000
	State  State  // empty: any
	Label  string // "name=value"; empty: any
	Group  string // empty: any
	Search string // part of the id; empty: any
}

// Record is an endpoint with its last known presence.
type Record struct {
	Endpoint
	Presence Presence
	Unrest   Unrest
}

// Accounts is durable storage of endpoints. All methods may be called concurrently; what a method that writes has done is durable when it returns nil.
type Accounts interface {
	// CreateEndpoint stores a new endpoint with its secret, or returns ErrExists.
	CreateEndpoint(ctx context.Context, e Endpoint, s Secret) error
	// SaveEndpoints stores endpoints in their order in one transaction, and returns what became of each: one that exists already is BatchFailed, BatchExisted or
	// BatchUpdated, as on says, and one that does not and has no secret is BatchFailed. It wants at least one. Errors: that of the store, and nothing is changed.
	SaveEndpoints(ctx context.Context, list []Saving, on OnExisting) ([]BatchOutcome, error)
	// UpdateEndpoint applies p and returns the endpoint after it, or ErrUnknown.
	UpdateEndpoint(ctx context.Context, k Key, p Patch, now time.Time) (Endpoint, error)
	// DeleteEndpoint removes the endpoint, its pushes and its presence, or returns ErrUnknown. Many pushes go in several steps: if ctx ends before, some are gone and
	// the endpoint is still there.
	DeleteEndpoint(ctx context.Context, k Key) error
	// Endpoints returns the endpoints that q selects, at most q.Limit.
	Endpoints(ctx context.Context, q Query) ([]Record, error)
}

// Logins is what a login reads. Both methods may be called concurrently.
type Logins interface {
	// Endpoint returns one endpoint with its last stored presence, or ErrUnknown.
	Endpoint(ctx context.Context, k Key) (Record, error)
	// EndpointSecret returns what is kept of the endpoint's secret and whether the endpoint is enabled, or ErrUnknown.
	EndpointSecret(ctx context.Context, k Key) (s Secret, enabled bool, err error)
}

// Presences keeps the last presence of each endpoint.
type Presences interface {
	// SavePresence stores p and what has to be told of it, and does not wait for the disk; a later call for the same endpoint wins. Where p.Tell lies ahead, nothing is
	// told if the presence is as it was told when that time comes.
	SavePresence(k Key, p Presence)
	// EndPresences turns every endpoint stored as online into offline with this reason; called once at the start. Of these and of all that wait nothing is told before tell.
	EndPresences(ctx context.Context, reason Reason, now, tell time.Time) error
	// TellPresences writes the events of presences whose time has come.
	TellPresences(ctx context.Context, now time.Time) error
	// SaveTrouble stores an event of what goes wrong with an endpoint and does not wait for the disk.
	SaveTrouble(k Key, t Trouble)
}

// Surveys reads the presence of many endpoints at once. Both methods may be called concurrently.
type Surveys interface {
	// EndpointsByID returns the endpoints of a domain that have one of these ids, in no order.
	EndpointsByID(ctx context.Context, domain string, ids []string) ([]Record, error)
	// Snapshot calls each with every endpoint that q selects, in the order of their ids and without a limit, all as they were when the event of number seq was the newest.
	// The state of q is that which events told. It ends with the first error of each.
	Snapshot(ctx context.Context, q Query, each func(Told) error) (seq int64, err error)
}

// Told is an endpoint as events told of it, which is what it was when they were written.
type Told struct {
	Record
	State State // that events told last; Presence has that which is stored
}

// Store is what this package needs of durable state.
type Store interface {
	Accounts
	Logins
	Presences
	Surveys
}
