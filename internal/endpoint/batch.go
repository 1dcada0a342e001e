package endpoint

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"
)

// OnExisting says what becomes of an item of a batch whose endpoint exists already.
type OnExisting uint8

// The ways. FailExisting is the default.
const (
	FailExisting   OnExisting = iota // ErrExists
	SkipExisting                     // it stays as it is
	UpdateExisting                   // what the item names replaces what was there
)

// BatchItem is one endpoint of a batch, as somebody wants it.
type BatchItem struct {
	Key
	Enabled *bool             // nil: it is enabled, or stays as it is
	Labels  map[string]string // nil: none, or they stay
	Groups  []string          // nil: none, or they stay
	Secret  string            // chosen; empty: Kept, or one is made for an endpoint that is new
	Kept    *Secret           // ready, as NewVerifiers makes it; nil: none
}

// BatchOutcome says what became of an item.
type BatchOutcome uint8

// The outcomes.
const (
	BatchFailed BatchOutcome = iota
	BatchCreated
	BatchUpdated
	BatchExisted // and stayed as it was
)

// BatchResult is the outcome of an item with what belongs to it.
type BatchResult struct {
	Outcome   BatchOutcome
	Generated string // the secret that was made, of one that was created
	Err       error  // of one that failed: ErrID, ErrSecret, ErrVerifier, ErrDescription, ErrExists, ErrUnknown, or that of the store or the context
}

// Saving is an item on its way to the store.
type Saving struct {
	Endpoint
	Secret Secret // of a new endpoint; without keys: it is to exist already
	Patch  Patch  // of one that exists
}

// batchChunk is how many endpoints share a transaction: few enough that pushes do not wait for them.
const batchChunk = 200

// Batch saves endpoints chunk after chunk, and returns a result for each in their order. Secrets are derived by at most half of the processors. When ctx ends, or the
// store takes no more, what was not saved has failed with that error. Sessions of endpoints that may no longer have them end.
func (d *Directory) Batch(ctx context.Context, items []BatchItem, on OnExisting) []BatchResult {
	results := make([]BatchResult, len(items))
	for from := 0; from < len(items); from += batchChunk {
		to := min(from+batchChunk, len(items))
		if err := d.batch(ctx, items[from:to], results[from:to], on); err != nil {
			for i := from; i < len(items); i++ {
				if results[i].Outcome == BatchFailed && results[i].Err == nil {
					results[i] = BatchResult{Err: err}
				}
			}
			break
		}
	}
	return results
}

// batch saves one chunk. An error is that of all its items that have none yet.
func (d *Directory) batch(ctx context.Context, items []BatchItem, results []BatchResult, on OnExisting) error {
	ready := make([]Saving, len(items))
	var g errgroup.Group
	g.SetLimit(cap(d.hashing))
	for i := range items {
		g.Go(func() error {
			ready[i], results[i] = d.prepare(ctx, &items[i], on)
			return nil
		})
	}
	_ = g.Wait() // each has its own result
	var list []Saving
	var places []int
	for i := range results {
		if results[i].Err == nil && results[i].Outcome == BatchFailed {
			list, places = append(list, ready[i]), append(places, i)
		}
	}
	if err := ctx.Err(); err != nil || len(list) == 0 {
		return err
	}
	outcomes, err := d.store.SaveEndpoints(context.WithoutCancel(ctx), list, on) // what is on its way is told as it comes out
	if err != nil {
		return fmt.Errorf("save %d endpoints: %w", len(list), err)
	}
	for n, i := range places {
		d.saved(&results[i], list[n], outcomes[n], on)
	}
	return nil
}

// saved notes what the store made of an item, and ends sessions as Update and ResetSecret do.
func (d *Directory) saved(r *BatchResult, s Saving, outcome BatchOutcome, on OnExisting) {
	r.Outcome = outcome
	if outcome != BatchCreated {
		r.Generated = ""
	}
	switch {
	case outcome == BatchFailed && on == FailExisting:
		r.Err = ErrExists
	case outcome == BatchFailed:
		r.Err = ErrUnknown
	case outcome == BatchUpdated && s.Patch.Enabled != nil && !*s.Patch.Enabled:
		d.registry.Disconnect(s.Key, ReasonDisabled)
	case outcome == BatchUpdated && s.Patch.Secret != nil:
		d.registry.Disconnect(s.Key, ReasonSecretChanged)
	}
}

// prepare checks an item and derives its secret, unless the endpoint exists and needs none. A result without an error and an outcome is to be saved.
func (d *Directory) prepare(ctx context.Context, item *BatchItem, on OnExisting) (Saving, BatchResult) {
	if err := errors.Join(CheckID(item.ID), CheckDescription(item.Labels, item.Groups)); err != nil {
		return Saving{}, BatchResult{Err: err}
	}
	_, err := d.store.Endpoint(ctx, item.Key)
	exists := err == nil
	switch {
	case exists && on == FailExisting:
		return Saving{}, BatchResult{Err: ErrExists}
	case exists && on == SkipExisting:
		return Saving{}, BatchResult{Outcome: BatchExisted}
	case !exists && !errors.Is(err, ErrUnknown):
		return Saving{}, BatchResult{Err: err}
	}
	now := time.Now().UTC()
	s := Saving{
		Endpoint: Endpoint{Key: item.Key, Enabled: item.Enabled == nil || *item.Enabled, Labels: item.Labels, Groups: item.Groups, Created: now, Updated: now},
		Patch:    Patch{Enabled: item.Enabled, Labels: item.Labels, Groups: item.Groups},
	}
	named := item.Secret != "" || item.Kept != nil
	if exists && !named {
		return s, BatchResult{}
	}
	kept, generated, err := d.derive(ctx, item)
	s.Secret = kept
	if named {
		s.Patch.Secret = &kept
	}
	return s, BatchResult{Generated: generated, Err: err}
}

// derive returns what is kept of the secret that an item names, or makes one.
func (d *Directory) derive(ctx context.Context, item *BatchItem) (kept Secret, generated string, err error) {
	if item.Kept != nil {
		return *item.Kept, "", nil
	}
	select {
	case d.hashing <- struct{}{}:
		defer func() { <-d.hashing }()
		return makeSecret(item.Secret)
	case <-ctx.Done():
		return Secret{}, "", ctx.Err()
	}
}
