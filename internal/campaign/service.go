package campaign

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"

	"signalbox/internal/push"
	"signalbox/internal/telemetry"
)

// Pusher sends a push to many. push.Service implements it.
type Pusher interface {
	SubmitFanout(ctx context.Context, r push.FanoutRequest) (push.Fanout, error)
	CancelFanout(ctx context.Context, domain string, id push.ID) (push.Fanout, error)
}

const (
	look        = time.Second      // between two looks at all campaigns
	chunk       = 2000             // targets that one transaction keeps
	cancelChunk = 20               // batches that are cancelled in one look
	dropWithin  = 10 * time.Second // that the removal of the targets of a campaign that is not made may take its caller
)

// Service is the life of campaigns. All methods may be called concurrently. What it knows stands in the store: it goes on where it was after any end of the process.
type Service struct {
	store   Store
	pushes  Pusher
	most    int // targets of one campaign
	log     *zap.Logger
	wake    chan struct{}
	mu      sync.Mutex
	keys    map[push.Idempotency]struct{} // of the requests that are running; guarded by mu
	making  map[ID]struct{}               // whose targets are being kept; guarded by mu
	trouble map[ID]bool                   // that were logged; owned by Run
	counted map[ID]counted                // of those that run; owned by Run
}

// New returns a service that has started nothing; a campaign has at most so many targets.
func New(store Store, pushes Pusher, most int, log *zap.Logger) *Service {
	return &Service{
		store: store, pushes: pushes, most: most, log: log.Named("campaign"), wake: make(chan struct{}, 1), keys: map[push.Idempotency]struct{}{}, making: map[ID]struct{}{},
		trouble: map[ID]bool{}, counted: map[ID]counted{},
	}
}

// Create makes a campaign that runs from its start on, for the endpoints that match now. A repeated request returns the campaign as it is, with replayed set.
//
// Errors: push.FieldErrors, push.ErrNoTargets, push.ErrKeyBusy, push.ErrKeyReused, ErrTooMany, push.ErrBusy, push.ErrNoSpace.
func (s *Service) Create(ctx context.Context, spec Spec, key *push.Idempotency) (c Campaign, replayed bool, err error) {
	if err := spec.Validate(); err != nil {
		return Campaign{}, false, err
	}
	if key != nil {
		if !s.claim(*key) {
			return Campaign{}, false, push.ErrKeyBusy
		}
		defer s.unclaim(*key)
	}
	domain := spec.Push.To.Domain
	id, replayed, err := s.store.NewCampaign(ctx, key)
	if err != nil {
		return Campaign{}, false, err
	}
	if !replayed {
		if err := s.create(ctx, domain, id, spec, key); err != nil {
			return Campaign{}, false, err
		}
		s.nudge()
	}
	c, err = s.Campaign(ctx, domain, id)
	return c, replayed, err
}

// create keeps the targets and makes the campaign; where that fails it leaves nothing behind.
func (s *Service) create(ctx context.Context, domain string, id ID, spec Spec, key *push.Idempotency) error {
	s.beginMaking(id)
	defer s.endMaking(id)
	err := s.keep(ctx, domain, id, spec, key)
	if err == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), dropWithin)
	defer cancel()
	if err := s.store.DropCampaignTargets(ctx, id); err != nil {
		s.log.Warn("targets of a campaign that was not made stay until the next start", telemetry.Campaign(id.String()), telemetry.Cause(err))
	}
	return err
}

func (s *Service) keep(ctx context.Context, domain string, id ID, spec Spec, key *push.Idempotency) error {
	n, err := s.keepTargets(ctx, domain, id, spec)
	if err != nil {
		return err
	}
	now := time.Now().UTC()
	spec.To = nil
	return s.store.CreateCampaign(ctx, Campaign{
		ID: id, Domain: domain, Spec: spec, State: Running, Reason: ReasonRequested, Targets: n, CanaryPassed: spec.CanaryPercent == 0, Created: now, Updated: now,
		History: []Change{{State: Running, At: now, Reason: ReasonRequested}},
	}, key)
}

// keepTargets notes who the targets are, in parts, so that no other write waits for all of them.
func (s *Service) keepTargets(ctx context.Context, domain string, id ID, spec Spec) (n int, err error) {
	next := s.listed(spec.To)
	if spec.To == nil {
		next = s.matching(domain, spec.Selector)
	}
	for {
		ids, err := next(ctx)
		if err != nil {
			return 0, err
		}
		if len(ids) == 0 {
			break
		}
		if n+len(ids) > s.most {
			return 0, push.FieldErrors{{Pointer: "/push/to", Detail: fmt.Sprintf("more than %d endpoints match, which push.max_targets allows", s.most)}}
		}
		if err := s.store.AddCampaignTargets(ctx, id, n, ids); err != nil {
			return 0, err
		}
		n += len(ids)
	}
	if n == 0 {
		return 0, push.ErrNoTargets
	}
	return n, nil
}

func (s *Service) listed(all []string) func(context.Context) ([]string, error) {
	return func(context.Context) ([]string, error) {
		part := all[:min(chunk, len(all))]
		all = all[len(part):]
		return part, nil
	}
}

func (s *Service) matching(domain string, sel push.Selector) func(context.Context) ([]string, error) {
	after := int64(0)
	return func(ctx context.Context) (ids []string, err error) {
		ids, after, err = s.store.MembersFrom(ctx, domain, sel, after, chunk)
		return ids, err
	}
}

func (s *Service) claim(k push.Idempotency) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	k.Body = [16]byte{}
	if _, busy := s.keys[k]; busy {
		return false
	}
	s.keys[k] = struct{}{}
	return true
}

func (s *Service) unclaim(k push.Idempotency) {
	s.mu.Lock()
	defer s.mu.Unlock()
	k.Body = [16]byte{}
	delete(s.keys, k)
}

func (s *Service) beginMaking(id ID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.making[id] = struct{}{}
}

func (s *Service) endMaking(id ID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.making, id)
}

func (s *Service) isMaking(id ID) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, is := s.making[id]
	return is
}

// nudge has Run look at once.
func (s *Service) nudge() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Campaign returns one with the counts of its targets, or ErrUnknown.
func (s *Service) Campaign(ctx context.Context, domain string, id ID) (Campaign, error) {
	c, err := s.store.Campaign(ctx, domain, id)
	if err != nil || c.Counts != nil {
		return c, err
	}
	c.Counts, err = s.store.CampaignCounts(ctx, id)
	return c, err
}

// List returns up to limit campaigns without counts, the newest first, before the given id (0: from the newest), in one state or in all.
func (s *Service) List(ctx context.Context, domain string, state State, before ID, limit int) ([]Campaign, error) {
	return s.store.Campaigns(ctx, domain, state, before, limit)
}

// Pause stops the sending of a running campaign. What was sent goes on. Errors: ErrUnknown, ErrState.
func (s *Service) Pause(ctx context.Context, domain string, id ID) (Campaign, error) {
	return s.change(ctx, domain, Step{ID: id, From: []State{Running}, To: Paused, Reason: ReasonRequested})
}

// Resume goes on with a paused campaign. Errors: ErrUnknown, ErrState.
func (s *Service) Resume(ctx context.Context, domain string, id ID) (Campaign, error) {
	return s.change(ctx, domain, Step{ID: id, From: []State{Paused}, To: Running, Reason: ReasonRequested})
}

// Abort ends a campaign: nothing more is sent, and what waits for its endpoint is cancelled by and by. Errors: ErrUnknown, ErrState.
func (s *Service) Abort(ctx context.Context, domain string, id ID) (Campaign, error) {
	return s.change(ctx, domain, Step{ID: id, From: []State{Running, Paused}, To: Aborted, Reason: ReasonRequested})
}

func (s *Service) change(ctx context.Context, domain string, step Step) (Campaign, error) {
	if _, err := s.store.StepCampaign(ctx, domain, step); err != nil {
		return Campaign{}, err
	}
	s.nudge()
	return s.Campaign(ctx, domain, step.ID)
}

// Run carries campaigns on until ctx is done.
func (s *Service) Run(ctx context.Context) error {
	if err := s.dropStrays(ctx); err != nil && ctx.Err() == nil {
		s.log.Warn("targets of campaigns that were never made could not be removed", telemetry.Cause(err))
	}
	ticks := time.NewTicker(look)
	defer ticks.Stop()
	for {
		s.carryOn(ctx)
		select {
		case <-ctx.Done():
			return nil
		case <-ticks.C:
		case <-s.wake:
		}
	}
}

// dropStrays removes targets that the last process left behind. Campaigns are being made meanwhile.
func (s *Service) dropStrays(ctx context.Context) error {
	ids, err := s.store.StrayCampaigns(ctx)
	for _, id := range ids {
		if err == nil && !s.isMaking(id) {
			err = s.store.DropCampaignTargets(ctx, id)
		}
	}
	return err
}

// carryOn takes one step in every campaign that has one to take.
func (s *Service) carryOn(ctx context.Context) {
	all, err := s.store.ActiveCampaigns(ctx)
	if err != nil {
		if ctx.Err() == nil {
			s.log.Warn("campaigns could not be read; they go on with the next look", telemetry.Cause(err))
		}
		return
	}
	maps.DeleteFunc(s.counted, func(id ID, _ counted) bool {
		return !slices.ContainsFunc(all, func(c Campaign) bool { return c.ID == id })
	})
	for _, c := range all {
		err := s.step(ctx, c, len(all))
		switch {
		case err == nil || ctx.Err() != nil || errors.Is(err, ErrState):
			delete(s.trouble, c.ID)
		case !s.trouble[c.ID]:
			s.trouble[c.ID] = true
			s.log.Warn("a campaign cannot go on; it is tried again until it can", telemetry.Campaign(c.ID.String()), telemetry.Cause(err))
		}
	}
}

// step does what one of so many campaigns does next.
func (s *Service) step(ctx context.Context, c Campaign, among int) error {
	if c.State == Aborted {
		return s.cancel(ctx, c)
	}
	counts, err := s.counts(ctx, c, among)
	if err != nil {
		return err
	}
	running := Step{ID: c.ID, From: []State{Running}}
	switch d := c.decide(time.Now(), counts); d.action {
	case send:
		return s.send(ctx, c, d.count)
	case passCanary:
		running.CanaryPassed = true
		s.nudge()
	case abort:
		running.To, running.Reason = Aborted, ReasonFailures
		s.nudge()
	case finish:
		running.To, running.Reason, running.Counts = Finished, ReasonDone, counts
	default:
		return nil
	}
	_, err = s.store.StepCampaign(ctx, c.Domain, running)
	return err
}

// batchKey is the key under which the next targets are sent.
func (c Campaign) batchKey(ids []string) push.Idempotency {
	return push.NewIdempotency(KeyToken, fmt.Sprintf("%s-%d", c.ID, c.Sent), []byte(strings.Join(ids, "\n")))
}

// send sends the next targets. Its key follows from the place in the campaign alone: whatever ends the process in between, they are sent once.
func (s *Service) send(ctx context.Context, c Campaign, n int) error {
	ids, err := s.store.CampaignTargets(ctx, c.ID, c.Sent, n)
	if err != nil {
		return err
	}
	key := c.batchKey(ids)
	f, err := s.pushes.SubmitFanout(ctx, push.FanoutRequest{Push: c.Push, To: ids, Idempotency: &key})
	if err != nil {
		return fmt.Errorf("send to %d targets behind %d: %w", len(ids), c.Sent, err)
	}
	now := time.Now()
	b := Batch{Campaign: c.ID, Place: c.Sent, Targets: len(ids), Fanout: f.ID, NextAt: c.after(now, len(ids))}
	if canary := c.canary(); c.Sent < canary && c.Sent+len(ids) >= canary {
		b.CanaryAt = now
	}
	if err := s.store.SentBatch(ctx, b); err != nil {
		return err
	}
	if !b.NextAt.After(now) {
		s.nudge()
	}
	return nil
}

// cancel cancels what waits of an aborted campaign, some batches at a time.
func (s *Service) cancel(ctx context.Context, c Campaign) error {
	batches, err := s.store.CampaignBatches(ctx, c.ID, c.Cancelled, cancelChunk)
	if err != nil {
		return err
	}
	if len(batches) == 0 {
		return s.endCancel(ctx, c)
	}
	for _, id := range batches {
		// Batches whose pushes are deleted, or of which nothing waits, have nothing to cancel.
		if _, err := s.pushes.CancelFanout(ctx, c.Domain, id); err != nil && !errors.Is(err, push.ErrState) && !errors.Is(err, push.ErrUnknown) {
			return err
		}
	}
	s.nudge()
	_, err = s.store.StepCampaign(ctx, c.Domain, Step{ID: c.ID, From: []State{Aborted}, Cancelled: c.Cancelled + len(batches)})
	return err
}

// endCancel notes a batch that was sent without being noted, because the process or the store failed in between, so that it is cancelled like the others. Of one that
// was interrupted the stored targets are all that there will be. Where there is none the campaign is done with.
func (s *Service) endCancel(ctx context.Context, c Campaign) error {
	f, err := s.store.SubmittedBatch(ctx, c.Domain, c.batchKey(nil))
	switch {
	case errors.Is(err, push.ErrUnknown):
		_, err = s.store.StepCampaign(ctx, c.Domain, Step{ID: c.ID, From: []State{Aborted}, Cancelled: c.Batches + 1})
		return err
	case err != nil:
		return err
	}
	s.nudge()
	return s.store.SentBatch(ctx, Batch{Campaign: c.ID, Place: c.Sent, Targets: f.Stored, Fanout: f.ID})
}
