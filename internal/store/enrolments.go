package store

import (
	"context"
	"errors"
	"time"

	"signalbox/internal/access/enrolment"
	"signalbox/internal/endpoint"
)

var _ enrolment.Store = (*Store)(nil)

// CreateEnrolment implements enrolment.Store.
func (s *Store) CreateEnrolment(ctx context.Context, e enrolment.Enrolment, old time.Time) error {
	return s.try(ctx, func(t *tx) error {
		if err := t.enrolment.Forget(old); err != nil {
			return err
		}
		n, err := t.enrolment.Count()
		switch {
		case err != nil:
			return err
		case n >= enrolment.MaxKept:
			return enrolment.ErrTooMany
		}
		return t.enrolment.Insert(&e)
	}, enrolment.ErrTooMany)
}

// Enrolments implements enrolment.Store.
func (s *Store) Enrolments(ctx context.Context, domain, before string, limit int) ([]enrolment.Enrolment, error) {
	return s.reader.enrolments.Enrolments(ctx, domain, before, limit)
}

// RevokeEnrolment implements enrolment.Store.
func (s *Store) RevokeEnrolment(ctx context.Context, domain, id string) (enrolment.Enrolment, error) {
	return outcome(ctx, s, func(t *tx) (enrolment.Enrolment, error) {
		e, err := t.enrolment.Find(domain, id)
		if err != nil {
			return e, err
		}
		return e, t.enrolment.Delete(id)
	}, enrolment.ErrUnknown)
}

// enrolmentResults are the outcomes of an enrolment that are no failures of the store.
var enrolmentResults = []error{
	enrolment.ErrUnknown, enrolment.ErrExpired, enrolment.ErrUsedUp, enrolment.ErrOtherID, enrolment.ErrTaken, endpoint.ErrDisabled, endpoint.ErrID,
}

// Enrol implements enrolment.Store.
func (s *Store) Enrol(ctx context.Context, r enrolment.Request) (enrolment.Outcome, error) {
	return outcome(ctx, s, func(t *tx) (enrolment.Outcome, error) { return t.enrol(r) }, enrolmentResults...)
}

// enrol decides and does it. It writes nothing where it returns one of enrolmentResults.
func (t *tx) enrol(r enrolment.Request) (out enrolment.Outcome, err error) {
	e, err := t.enrolment.ByHash(r.Domain, r.Hash)
	if err != nil {
		return out, err
	}
	out.Enrolment = e
	out.Endpoint.Domain = r.Domain
	if out.Endpoint.ID, err = e.Target(r); err != nil {
		return out, err
	}
	found, err := t.enrolled(out.Endpoint)
	if err != nil {
		return out, err
	}
	if out.Did, err = e.Decide(r, found, t.now); err != nil {
		return out, err
	}
	secret := endpoint.Secret{Key: r.Key}
	switch out.Did {
	case enrolment.Again:
		return out, nil
	case enrolment.Replace:
		_, err = t.patchEndpoint(out.Endpoint, endpoint.Patch{Secret: &secret}, t.now)
	case enrolment.Create:
		made := endpoint.Endpoint{Key: out.Endpoint, Enabled: true, Labels: e.Labels, Groups: e.Groups, Created: t.now, Updated: t.now}
		_, err = t.createEndpoint(&made, secret)
	}
	if err != nil {
		return out, err
	}
	return out, t.enrolment.Use(e.ID, t.now)
}

// enrolled returns what is known of an endpoint that enrols.
func (t *tx) enrolled(k endpoint.Key) (enrolment.Found, error) {
	secret, enabled, err := t.endpoint.Secret(k)
	if errors.Is(err, endpoint.ErrUnknown) {
		return enrolment.Found{}, nil
	}
	return enrolment.Found{Exists: true, Enabled: enabled, Key: secret.Key}, err
}

// Identity returns the public key of the server with which this state was kept, as text; empty: none is known yet.
func (s *Store) Identity(ctx context.Context) (string, error) {
	return s.reader.enrolments.Identity(ctx)
}

// KeepIdentity keeps the public key of the server, as text.
func (s *Store) KeepIdentity(ctx context.Context, public string) error {
	return s.try(ctx, func(t *tx) error { return t.enrolment.SetIdentity(public) })
}
