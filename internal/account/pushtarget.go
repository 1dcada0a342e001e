package account

import (
	"context"
	"fmt"

	"signalbox/internal/endpoint"
)

// PushTarget is a push service to which an account wants to be announced what waits for it (XEP-0357).
type PushTarget struct {
	Service string // JID
	Node    string // may be empty
	Options []byte // the form of publish-options as the client sent it; nil: none
}

// EnablePush registers a push service, in place of one with the same service and node. Errors: ErrInvalid, ErrTooLarge, ErrFull.
func (s *Service) EnablePush(ctx context.Context, k endpoint.Key, t PushTarget) error {
	if err := checkJID(t.Service); err != nil {
		return err
	}
	if err := checkBytes("a node", len(t.Node), MaxNameBytes); err != nil {
		return err
	}
	if err := checkBytes("the options of a push service", len(t.Options), MaxOptionsBytes); err != nil {
		return err
	}
	return s.store.Change(ctx, k, func(tx Tx) error {
		others, err := tx.CountPushTargets(t.Service, t.Node)
		if err != nil {
			return err
		}
		if others >= s.cfg.PushTargets {
			return fmt.Errorf("%w: %d push services", ErrFull, others)
		}
		return tx.SavePushTarget(t)
	}, nil)
}

// DisablePush removes the registration of a service and node, or all nodes of the service where node is nil, and returns how many there were.
func (s *Service) DisablePush(ctx context.Context, k endpoint.Key, service string, node *string) (int, error) {
	var n int
	err := s.store.Change(ctx, k, func(tx Tx) (err error) {
		n, err = tx.DeletePushTargets(service, node)
		return err
	}, nil)
	if err != nil {
		return 0, err
	}
	return n, nil
}

// PushTargets returns the registrations of an account.
func (s *Service) PushTargets(ctx context.Context, k endpoint.Key) ([]PushTarget, error) {
	return s.store.PushTargets(ctx, k)
}
