package store

import (
	"context"
	"errors"
	"strconv"
	"testing"
	"time"

	"go.uber.org/zap"

	"signalbox/internal/campaign"
	"signalbox/internal/endpoint"
	"signalbox/internal/push"
)

// mute is a campaign.Pusher that stores as push.Service does and tells what it cancels.
type mute struct {
	s         *Store
	cancelled chan push.ID
}

func (m mute) SubmitFanout(ctx context.Context, r push.FanoutRequest) (push.Fanout, error) {
	out, err := m.s.AcceptTargets(ctx, push.FanoutChunk{Push: r.Push, Targets: len(r.To), To: r.To, Idempotency: r.Idempotency})
	return out.Fanout, err
}

func (m mute) CancelFanout(_ context.Context, _ string, id push.ID) (push.Fanout, error) {
	m.cancelled <- id
	return push.Fanout{}, nil
}

// refusing is a store that does not note batches.
type refusing struct{ *Store }

func (refusing) SentBatch(context.Context, campaign.Batch) error { return push.ErrNoSpace }

// blocking is a store in which the making of a campaign waits.
type blocking struct {
	*Store
	begun, goOn chan struct{}
}

func (b blocking) CreateCampaign(ctx context.Context, c campaign.Campaign, key *push.Idempotency) error {
	b.begun <- struct{}{}
	<-b.goOn
	return b.Store.CreateCampaign(ctx, c, key)
}

func rollout(to ...string) campaign.Spec {
	return campaign.Spec{
		Name: "x", To: to, Push: push.Push{To: endpoint.Key{Domain: "push.example"}, Type: "demo.ping", Payload: []byte("{}"), TTL: 100 * time.Hour, Ack: push.AckDelivered, Priority: push.Normal},
	}
}

const sentPushes = "push WHERE fanout IS NOT NULL"

// unnoted makes a campaign whose one batch is accepted, while the store takes no word of that.
func unnoted(t *testing.T, s *Store) campaign.Campaign {
	t.Helper()
	addEndpoint(t, s, "pc-1")
	c, _, err := campaign.New(refusing{s}, mute{s: s}, 100, zap.NewNop()).Create(t.Context(), rollout("pc-1"), nil)
	if err != nil {
		t.Fatal(err)
	}
	carryOn(t, s, campaign.New(refusing{s}, mute{s: s}, 100, zap.NewNop()), sentPushes, 1)
	return c
}

func rowsOf(t *testing.T, s *Store, from string) int {
	t.Helper()
	return count(t, s, "SELECT count(*) FROM "+from)
}

// until waits for a transaction after which there are as many rows.
func until(t *testing.T, s *Store, from string, want int) {
	t.Helper()
	limit := time.After(time.Minute)
	for wake := s.WatchEvents(); rowsOf(t, s, from) != want; {
		select {
		case <-wake:
		case <-limit:
			t.Fatalf("%s has %d rows, want %d", from, rowsOf(t, s, from), want)
		}
	}
}

// carryOn has a service run until a transaction after which there are as many rows.
func carryOn(t *testing.T, s *Store, service *campaign.Service, from string, want int) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- service.Run(ctx) }()
	until(t, s, from, want)
	stop()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
}

// TestCampaignBatchOnceAfterLongPause: a batch that was accepted and not noted is not sent again, however long the campaign is paused in between.
func TestCampaignBatchOnceAfterLongPause(t *testing.T) {
	s := running(t)
	c := unnoted(t, s)
	if err := s.deleteOld(t.Context(), time.Now().Add(s.cfg.IdempotencyRetention+time.Hour)); err != nil {
		t.Fatal(err)
	}
	carryOn(t, s, campaign.New(s, mute{s: s}, 100, zap.NewNop()), "campaign WHERE sent = 1", 1)
	if n := rowsOf(t, s, sentPushes); n != 1 {
		t.Errorf("%s sent %d pushes to one endpoint", c.ID, n)
	}
	if n := rowsOf(t, s, "idem"); n != 0 {
		t.Errorf("%d keys are kept of batches that are noted", n)
	}
}

// TestAbortCancelsWhatWasNotNoted: a batch that was accepted and not noted before the campaign was aborted is cancelled with it.
func TestAbortCancelsWhatWasNotNoted(t *testing.T) {
	s := running(t)
	c := unnoted(t, s)
	pushes := mute{s, make(chan push.ID, 10)}
	service := campaign.New(s, pushes, 100, zap.NewNop())
	if _, err := service.Abort(t.Context(), c.Domain, c.ID); err != nil {
		t.Fatal(err)
	}
	carryOn(t, s, service, "campaign WHERE state = 'aborted' AND cancelled > batches", 1)
	if n := len(pushes.cancelled); n != 1 {
		t.Errorf("%d batches were cancelled, want the one that was sent", n)
	}
}

// TestCampaignIsMadeWhileRunBegins: the sweep of what the last process left behind takes nothing from a campaign that is being made.
func TestCampaignIsMadeWhileRunBegins(t *testing.T) {
	s := running(t)
	b := blocking{s, make(chan struct{}), make(chan struct{})}
	service := campaign.New(b, mute{s: s}, 100, zap.NewNop())
	made := make(chan campaign.Campaign)
	spec := rollout("pc-1", "pc-2")
	spec.Start = time.Now().Add(time.Hour)
	go func() {
		c, _, err := service.Create(t.Context(), spec, nil)
		if err != nil {
			t.Error(err)
		}
		made <- c
	}()
	<-b.begun
	stray := campaign.ID(1 << 60) // behind the other
	if err := s.AddCampaignTargets(t.Context(), stray, 0, []string{"pc-1"}); err != nil {
		t.Fatal(err)
	}
	carryOn(t, s, service, "campaign_target WHERE campaign >= 1152921504606846976", 0)
	close(b.goOn)
	c := <-made
	if ids, err := s.CampaignTargets(t.Context(), c.ID, 0, 10); err != nil || len(ids) != 2 {
		t.Errorf("targets of %s = %v, %v; want both", c.ID, ids, err)
	}
}

// TestRefusedCampaignLeavesNothing: targets that were kept go with the campaign that is not made.
func TestRefusedCampaignLeavesNothing(t *testing.T) {
	s := running(t)
	ids := make([]string, 2*campaignChunk+1)
	for i := range ids {
		ids[i] = "pc-" + strconv.Itoa(i)
	}
	_, _, err := campaign.New(s, mute{s: s}, len(ids)-1, zap.NewNop()).Create(t.Context(), rollout(ids...), nil)
	var mistakes push.FieldErrors
	if !errors.As(err, &mistakes) {
		t.Fatalf("Create = %v, want that there are too many targets", err)
	}
	if n := rowsOf(t, s, "campaign_target"); n != 0 {
		t.Errorf("%d targets of a campaign that was refused are kept", n)
	}
}

// TestOldCampaignsAreDeleted: with all that belongs to them, in parts, and no others.
func TestOldCampaignsAreDeleted(t *testing.T) {
	s := running(t)
	for id, state := range map[campaign.ID]campaign.State{1: campaign.Finished, 2: campaign.Running} {
		c := campaign.Campaign{ID: id, Domain: "push.example", Spec: rollout(), State: state, Created: time.Now(), Updated: time.Now()}
		if err := s.CreateCampaign(t.Context(), c, nil); err != nil {
			t.Fatal(err)
		}
		if err := s.AddCampaignTargets(t.Context(), id, 0, make([]string, campaignChunk+1)); err != nil {
			t.Fatal(err)
		}
		if err := s.SentBatch(t.Context(), campaign.Batch{Campaign: id, Targets: 1, Fanout: push.ID(id)}); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		age  time.Duration
		want int
	}{{-time.Hour, 2}, {time.Hour, 1}} {
		if err := s.deleteOldCampaigns(t.Context(), time.Now().Add(tt.age)); err != nil {
			t.Fatal(err)
		}
		for table, each := range map[string]int{"campaign": 1, "campaign_target": campaignChunk + 1, "campaign_batch": 1} {
			if n := rowsOf(t, s, table); n != tt.want*each {
				t.Errorf("%d rows of %s are left, want those of %d campaigns", n, table, tt.want)
			}
		}
	}
}

// TestTargetsOfACampaignAreKept: what became of the pushes of a campaign is known as long as it is not over, however long that takes.
func TestTargetsOfACampaignAreKept(t *testing.T) {
	s := running(t)
	k := addEndpoint(t, s, "pc-1")
	out, err := s.AcceptTargets(t.Context(), push.FanoutChunk{Push: rollout().Push, Targets: 2, To: []string{"pc-1", "nobody"}})
	if err != nil {
		t.Fatal(err)
	}
	delivered := make(chan error, 1)
	s.AdvancePushes([]push.Transition{{ID: out.Targets[0].ID, Key: k, To: push.Delivered}}, func(_ []push.Outcome, err error) { delivered <- err })
	if err := <-delivered; err != nil {
		t.Fatal(err)
	}
	c := campaign.Campaign{ID: 1, Domain: k.Domain, Spec: rollout(), State: campaign.Running, Created: time.Now(), Updated: time.Now()}
	if err := s.CreateCampaign(t.Context(), c, nil); err != nil {
		t.Fatal(err)
	}
	if err := s.SentBatch(t.Context(), campaign.Batch{Campaign: c.ID, Targets: 2, Fanout: out.Fanout.ID}); err != nil {
		t.Fatal(err)
	}
	old := time.Now().Add(s.cfg.Retention + time.Hour)
	if err := s.deleteOld(t.Context(), old); err != nil {
		t.Fatal(err)
	}
	counts, err := s.CampaignCounts(t.Context(), c.ID)
	if err != nil || counts[push.Delivered] != 1 || counts[push.Rejected] != 1 {
		t.Errorf("counts of a campaign that runs = %v, %v; want both targets", counts, err)
	}
	step := campaign.Step{ID: c.ID, From: []campaign.State{campaign.Running}, To: campaign.Finished, Counts: counts}
	if _, err := s.StepCampaign(t.Context(), k.Domain, step); err != nil {
		t.Fatal(err)
	}
	if err := s.deleteOld(t.Context(), old); err != nil {
		t.Fatal(err)
	}
	if pushes, fanouts := rowsOf(t, s, "push"), rowsOf(t, s, "fanout"); pushes+fanouts != 0 {
		t.Errorf("%d pushes and %d fan-outs of a campaign that is over are kept", pushes, fanouts)
	}
}
