// Package enrolment lets endpoints register themselves: one-time tokens that the management server makes, and what becomes of them at POST /enrol.
package enrolment

import (
	"context"
	"errors"
	"strings"
	"time"

	"signalbox/internal/endpoint"
	"signalbox/internal/identity"
)

// Bounds of enrolments.
const (
	DefaultLifetime = 24 * time.Hour
	MaxLifetime     = 90 * 24 * time.Hour
	MaxUses         = 10_000
	MaxPrefixBytes  = 128
	MaxKept         = 100_000 // enrolments that are listed, those that are over included
	idPrefix        = "enr_"
)

// Enrolment is a token as it is kept: the token itself is stored as a hash only. It is for one endpoint, or open: then those who enrol choose their ids, or take one that is
// made of their key.
type Enrolment struct {
	ID     string // "enr_..."
	Domain string
	Hash   [32]byte // SHA-256 of the token
	Spec
	By      string // name of the API token that made it
	Created time.Time
	Expires time.Time
	Used    int       // endpoints that were enrolled
	LastUse time.Time // zero: none was
}

// Spec says what an enrolment is for.
type Spec struct {
	Endpoint string            // id of the one endpoint, which may exist: then it has the new key alone; empty: open
	Prefix   string            // with which the ids of an open one begin; empty: any
	Labels   map[string]string // of endpoints that it makes
	Groups   []string
	Uses     int // 1..MaxUses; 1 where there is one endpoint
}

// Errors of enrolments. Those of Enrol say why an endpoint was refused.
var (
	ErrUnknown = errors.New("unknown enrolment")
	ErrTooMany = errors.New("too many enrolments")
	ErrExpired = errors.New("the enrolment token has expired")
	ErrUsedUp  = errors.New("the enrolment token has been used")
	ErrOtherID = errors.New("the enrolment token is for other endpoint ids")
	ErrTaken   = errors.New("the endpoint exists, and an open token replaces none")
)

// Request is what an endpoint asks for. The zero value of ID leaves the choice to the server.
type Request struct {
	Hash   [32]byte // of the token
	Domain string
	ID     string
	Key    identity.Public
}

// Outcome is what became of a request.
type Outcome struct {
	Enrolment Enrolment
	Endpoint  endpoint.Key
	Did       Decision
}

// Decision says what is done with an endpoint that enrols.
type Decision uint8

// The decisions.
const (
	Create  Decision = iota + 1 // it is registered
	Replace                     // it was registered, and has this key and no other secret from now on
	Again                       // it has this key already: its first request did all, and the answer was lost
)

// String returns a word for the audit.
func (d Decision) String() string {
	return [...]string{"", "created", "replaced", "again"}[d]
}

// Found is what is known of the endpoint that an enrolment is for.
type Found struct {
	Exists, Enabled bool
	Key             identity.Public
}

// State is what can be done with an enrolment.
type State string

// The states.
const (
	StateOpen    State = "open"
	StateUsed    State = "used" // as often as it may be
	StateExpired State = "expired"
)

// State returns the state at a time.
func (e *Enrolment) State(now time.Time) State {
	switch {
	case e.Used >= e.Uses:
		return StateUsed
	case !now.Before(e.Expires):
		return StateExpired
	}
	return StateOpen
}

// Target returns the id of the endpoint that a request is for, or ErrOtherID, or an error of endpoint.CheckID.
func (e *Enrolment) Target(r Request) (string, error) {
	id := r.ID
	switch {
	case e.Endpoint != "" && id == "":
		id = e.Endpoint
	case id == "":
		id = e.Prefix + suffixOf(r.Key)
	}
	switch {
	case e.Endpoint != "" && id != e.Endpoint, !strings.HasPrefix(id, e.Prefix):
		return "", ErrOtherID
	}
	return id, endpoint.CheckID(id)
}

// Decide says what to do about the endpoint of a request, or why not: ErrExpired, ErrUsedUp, ErrTaken, endpoint.ErrDisabled. A request that comes again has the same answer,
// so that an endpoint that stopped in the middle goes on with the same token.
func (e *Enrolment) Decide(r Request, f Found, now time.Time) (Decision, error) {
	again := f.Exists && f.Key == r.Key
	switch {
	case again && !f.Enabled:
		return 0, endpoint.ErrDisabled
	case again:
		return Again, nil
	case !now.Before(e.Expires):
		return 0, ErrExpired
	case e.Used >= e.Uses:
		return 0, ErrUsedUp
	case f.Exists && e.Endpoint == "":
		return 0, ErrTaken
	case f.Exists && !f.Enabled:
		return 0, endpoint.ErrDisabled
	case f.Exists:
		return Replace, nil
	}
	return Create, nil
}

// Store is durable storage of enrolments. All methods may be called concurrently; what a method that writes has done is durable when it returns nil.
type Store interface {
	// CreateEnrolment stores e, or returns ErrTooMany. Enrolments that expired before old are forgotten.
	CreateEnrolment(ctx context.Context, e Enrolment, old time.Time) error
	// Enrolments returns those of a domain with ids before one, empty: all, the newest first and at most limit.
	Enrolments(ctx context.Context, domain, before string, limit int) ([]Enrolment, error)
	// RevokeEnrolment deletes one and returns it, or ErrUnknown. Endpoints that it enrolled stay.
	RevokeEnrolment(ctx context.Context, domain, id string) (Enrolment, error)
	// Enrol does what Target and Decide say in one transaction, and counts the use. Its errors are theirs, with the Enrolment in the outcome, or ErrUnknown.
	Enrol(ctx context.Context, r Request) (Outcome, error)
}
