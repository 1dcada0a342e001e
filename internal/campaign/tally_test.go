package campaign

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"

	"signalbox/internal/push"
)

// slow is a store in which one large campaign waits for its results and is counted slowly.
type slow struct {
	Store
	began    time.Time
	calls    int
	finished chan push.Counts
}

func (s *slow) StrayCampaigns(context.Context) ([]ID, error) { return nil, nil }

func (s *slow) ActiveCampaigns(context.Context) ([]Campaign, error) {
	if s.finished == nil {
		return nil, nil
	}
	return []Campaign{{ID: 1, State: Running, CanaryPassed: true, Targets: 2, Sent: 2}}, nil
}

func (s *slow) CampaignCounts(context.Context, ID) (push.Counts, error) {
	s.calls++
	time.Sleep(time.Second)
	if time.Since(s.began) > time.Minute {
		return push.Counts{push.Handled: 2}, nil
	}
	return push.Counts{push.Handled: 1, push.Sent: 1}, nil
}

func (s *slow) StepCampaign(_ context.Context, _ string, step Step) (Campaign, error) {
	s.finished <- step.Counts
	s.finished = nil
	return Campaign{}, nil
}

// TestCountingIsBounded: a campaign that takes a second to count is not counted all the time, and ends all the same.
func TestCountingIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		finished := make(chan push.Counts, 1)
		store := &slow{began: time.Now(), finished: finished}
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- New(store, nil, 10, zap.NewNop()).Run(ctx) }()
		if counts := <-finished; counts[push.Handled] != 2 {
			t.Errorf("it ended with %v", counts)
		}
		if took := time.Since(store.began); took > 2*time.Minute {
			t.Errorf("it ended after %v", took)
		}
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if store.calls > 6 {
			t.Errorf("counted %d times", store.calls)
		}
	})
}

// TestSentSinceTheCount: what was sent since the last count keeps a campaign open.
func TestSentSinceTheCount(t *testing.T) {
	s := New(nil, nil, 10, zap.NewNop())
	s.counted[1] = counted{push.Counts{push.Handled: 3}, 3, time.Now().Add(time.Hour)}
	got, err := s.counts(t.Context(), Campaign{ID: 1, Sent: 5}, 1)
	if err != nil || got[push.Accepted] != 2 || got[push.Handled] != 3 || s.counted[1].counts[push.Accepted] != 0 {
		t.Errorf("counts = %v, %v, want 3 handled and 2 accepted", got, err)
	}
}
