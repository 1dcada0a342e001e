package store

import (
	"context"
	"errors"

	"signalbox/internal/endpoint"
)

// saveEndpoints stores the endpoints of a part of a batch.
type saveEndpoints struct {
	list []endpoint.Saving
	on   endpoint.OnExisting

	outcomes []endpoint.BatchOutcome
}

// SaveEndpoints implements endpoint.Accounts.
func (s *Store) SaveEndpoints(ctx context.Context, list []endpoint.Saving, on endpoint.OnExisting) ([]endpoint.BatchOutcome, error) {
	op := &saveEndpoints{list: list, on: on}
	if err := s.doSized(ctx, op, len(list)); err != nil {
		return nil, err
	}
	return op.outcomes, nil
}

func (op *saveEndpoints) apply(t *tx) error {
	op.outcomes = make([]endpoint.BatchOutcome, len(op.list))
	for i := range op.list {
		var err error
		if op.outcomes[i], err = op.save(t, &op.list[i]); err != nil {
			return err
		}
	}
	return nil
}

func (op *saveEndpoints) save(t *tx, s *endpoint.Saving) (endpoint.BatchOutcome, error) {
	if len(s.Secret.Scram) > 0 {
		created, err := t.createEndpoint(&s.Endpoint, s.Secret)
		switch {
		case err != nil:
			return endpoint.BatchFailed, err
		case created:
			return endpoint.BatchCreated, nil
		}
	}
	switch op.on {
	case endpoint.SkipExisting:
		return endpoint.BatchExisted, nil
	case endpoint.UpdateExisting:
		_, err := t.patchEndpoint(s.Key, s.Patch, s.Updated)
		if errors.Is(err, endpoint.ErrUnknown) { // deleted since somebody saw it
			return endpoint.BatchFailed, nil
		}
		return endpoint.BatchUpdated, err
	}
	return endpoint.BatchFailed, nil
}
