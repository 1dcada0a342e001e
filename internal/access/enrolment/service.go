package enrolment

import (
	"context"
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"

	"signalbox/internal/access"
	"signalbox/internal/endpoint"
	"signalbox/internal/identity"
	"signalbox/internal/telemetry"
)

// keepOver is how long an enrolment that is over is listed.
const keepOver = 30 * 24 * time.Hour

// Entry is one act for the audit.
type Entry struct {
	Actor   string // name of the API token, or the id of the enrolment
	Action  string // "enrolment.created" ...
	Subject string // id of the enrolment, or of the endpoint
	Detail  map[string]string
}

// Actions of entries.
const (
	ActionCreated  = "enrolment.created"
	ActionRevoked  = "enrolment.revoked"
	ActionUsed     = "enrolment.used"
	ActionRefused  = "enrolment.refused"
	ActionIdentity = "endpoint.identity" // of an endpoint that was registered before: it has another key
)

// Audit keeps what was done. It may be called concurrently, and logs by itself what it cannot keep.
type Audit interface {
	Record(ctx context.Context, e Entry)
}

// Sessions ends those of endpoints whose secret was replaced.
type Sessions interface {
	Disconnect(k endpoint.Key, r endpoint.Reason) bool
}

// Deps are the parts behind a Service.
type Deps struct {
	Domain   string
	Key      identity.Key // of the server
	Store    Store
	Sessions Sessions
	Audit    Audit
	Now      func() time.Time
	Log      *zap.Logger
}

// Service makes enrolment tokens and enrols endpoints. All methods may be called concurrently.
type Service struct{ deps Deps }

// New returns a service.
func New(d Deps) *Service {
	d.Log = d.Log.Named("enrolment")
	return &Service{d}
}

// FieldError is a mistake in a Spec or a lifetime, by its place in a request.
type FieldError struct{ Pointer, Detail string }

// FieldErrors are all mistakes of a request.
type FieldErrors []FieldError

// Error implements error.
func (f FieldErrors) Error() string {
	var b strings.Builder
	for i, e := range f {
		if i > 0 {
			b.WriteString("; ")
		}
		b.WriteString(e.Pointer + ": " + e.Detail)
	}
	return b.String()
}

// Create makes a token for a lifetime, which is kept nowhere, by somebody with this name. Zero Uses and lifetime stand for the defaults. Errors: FieldErrors, ErrTooMany, and
// those of endpoint.Directory about labels and groups, endpoint.ErrDescription.
func (s *Service) Create(ctx context.Context, spec Spec, lifetime time.Duration, by string) (token string, e Enrolment, err error) {
	if spec.Uses == 0 {
		spec.Uses = 1
	}
	if lifetime == 0 {
		lifetime = DefaultLifetime
	}
	if errs := check(spec, lifetime); errs != nil {
		return "", Enrolment{}, errs
	}
	if err := endpoint.CheckDescription(spec.Labels, spec.Groups); err != nil {
		return "", Enrolment{}, err
	}
	now := s.deps.Now().UTC().Truncate(time.Microsecond)
	made := identity.NewEnrolmentToken(s.deps.Key.Public())
	e = Enrolment{
		ID: access.NewID(idPrefix, now), Domain: s.deps.Domain, Hash: made.Hash(), Spec: spec, By: by, Created: now, Expires: now.Add(lifetime),
	}
	if err := s.deps.Store.CreateEnrolment(ctx, e, now.Add(-keepOver)); err != nil {
		return "", Enrolment{}, fmt.Errorf("create enrolment: %w", err)
	}
	s.deps.Audit.Record(ctx, Entry{Actor: by, Action: ActionCreated, Subject: e.ID, Detail: detailOf(spec, e.Expires)})
	return made.String(), e, nil
}

func check(spec Spec, lifetime time.Duration) error {
	var errs FieldErrors
	bad := func(pointer, format string, args ...any) {
		errs = append(errs, FieldError{pointer, fmt.Sprintf(format, args...)})
	}
	if err := endpoint.CheckID(spec.Endpoint); spec.Endpoint != "" && err != nil {
		bad("/endpoint", "%v", err)
	}
	if spec.Prefix != "" && (len(spec.Prefix) > MaxPrefixBytes || endpoint.CheckID(spec.Prefix+"x") != nil) {
		bad("/prefix", "it has at most %d bytes of a-z, 0-9 and . _ - + ~", MaxPrefixBytes)
	}
	if spec.Endpoint != "" && spec.Prefix != "" {
		bad("/prefix", "an enrolment for one endpoint has none")
	}
	switch {
	case spec.Uses < 1 || spec.Uses > MaxUses:
		bad("/uses", "it is 1 to %d", MaxUses)
	case spec.Endpoint != "" && spec.Uses != 1:
		bad("/uses", "an enrolment for one endpoint has one")
	}
	if lifetime < time.Second || lifetime > MaxLifetime {
		bad("/lifetime", "it is 1 to %d seconds", int64(MaxLifetime/time.Second))
	}
	if errs == nil {
		return nil
	}
	return errs
}

func detailOf(spec Spec, expires time.Time) map[string]string {
	d := map[string]string{"uses": fmt.Sprint(spec.Uses), "expires_at": expires.Format(time.RFC3339)}
	for name, text := range map[string]string{"endpoint": spec.Endpoint, "prefix": spec.Prefix, "groups": strings.Join(spec.Groups, ",")} {
		if text != "" {
			d[name] = text
		}
	}
	if len(spec.Labels) > 0 {
		d["labels"] = strings.Join(slices.Sorted(maps.Keys(spec.Labels)), ",")
	}
	return d
}

// List returns enrolments with ids before one, empty: all, the newest first and at most limit; those that are over for a month.
func (s *Service) List(ctx context.Context, before string, limit int) ([]Enrolment, error) {
	all, err := s.deps.Store.Enrolments(ctx, s.deps.Domain, before, limit)
	if err != nil {
		return nil, fmt.Errorf("list enrolments: %w", err)
	}
	return all, nil
}

// Revoke deletes an enrolment, or returns ErrUnknown: its token is worth nothing from now on. Endpoints that it enrolled stay.
func (s *Service) Revoke(ctx context.Context, id, by string) error {
	if _, err := s.deps.Store.RevokeEnrolment(ctx, s.deps.Domain, id); err != nil {
		return fmt.Errorf("revoke enrolment: %w", err)
	}
	s.deps.Audit.Record(ctx, Entry{Actor: by, Action: ActionRevoked, Subject: id})
	return nil
}

// Enrol registers an endpoint with its key. from says where it is, for the audit. Errors: those of Store.Enrol.
func (s *Service) Enrol(ctx context.Context, token identity.EnrolmentToken, id string, key identity.Public, from string) (Outcome, error) {
	out, err := s.deps.Store.Enrol(ctx, Request{Hash: token.Hash(), Domain: s.deps.Domain, ID: id, Key: key})
	if err != nil {
		s.refused(ctx, out.Enrolment.ID, id, from, err)
		return Outcome{}, fmt.Errorf("enrol: %w", err)
	}
	detail := map[string]string{"endpoint": out.Endpoint.ID, "key": key.String(), "from": from, "did": out.Did.String()}
	s.deps.Audit.Record(ctx, Entry{Actor: out.Enrolment.ID, Action: ActionUsed, Subject: out.Endpoint.ID, Detail: detail})
	if out.Did == Replace {
		s.deps.Audit.Record(ctx, Entry{Actor: out.Enrolment.ID, Action: ActionIdentity, Subject: out.Endpoint.ID, Detail: detail})
		s.deps.Sessions.Disconnect(out.Endpoint, endpoint.ReasonSecretChanged)
	}
	s.deps.Log.Info("endpoint enrolled", telemetry.Endpoint(out.Endpoint.JID()), telemetry.Detail(out.Enrolment.ID))
	return out, nil
}

// refusals are the errors of Enrol that are the endpoint's doing, by the reason that the audit has.
var refusals = []struct {
	err    error
	reason string
}{
	{ErrUnknown, "unknown_token"}, {ErrExpired, "token_expired"}, {ErrUsedUp, "token_used"}, {ErrOtherID, "other_id"}, {ErrTaken, "endpoint_exists"},
	{endpoint.ErrDisabled, "endpoint_disabled"}, {endpoint.ErrID, "invalid_id"},
}

// reasonOf names why an endpoint was refused; empty: the error is the server's own.
func reasonOf(err error) string {
	for _, r := range refusals {
		if errors.Is(err, r.err) {
			return r.reason
		}
	}
	return ""
}

// refused has a refusal kept: a token that was stolen or is used again shows there.
func (s *Service) refused(ctx context.Context, enrolment, id, from string, err error) {
	reason := reasonOf(err)
	if reason == "" {
		return
	}
	detail := map[string]string{"reason": reason, "from": from}
	if endpoint.CheckID(id) == nil { // else it is a stranger's text
		detail["endpoint"] = id
	}
	s.deps.Audit.Record(ctx, Entry{Actor: enrolment, Action: ActionRefused, Subject: enrolment, Detail: detail})
}

// suffixOf makes an endpoint's id of its key, so that who asks again gets the same: 13 characters, 65 bits.
func suffixOf(key identity.Public) string {
	sum := sha256.Sum256([]byte(key.String()))
	return base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz").WithPadding(base32.NoPadding).EncodeToString(sum[:])[:13]
}
