package store

import (
	"errors"
	"testing"
	"time"

	"signalbox/internal/endpoint"
	"signalbox/internal/push"
)

func count(t *testing.T, s *Store, query string) (n int) {
	t.Helper()
	if err := s.reader.db.QueryRow(query).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// lateFanout stores a fan-out that takes late joiners and has no target yet.
func lateFanout(t *testing.T, s *Store, ttl time.Duration) push.Fanout {
	t.Helper()
	out, err := s.AcceptTargets(t.Context(), push.FanoutChunk{
		Push: push.Push{To: endpoint.Key{Domain: "push.example"}, Type: "x", TTL: ttl, Payload: []byte("{}")}, Selector: push.Selector{Group: "lab"}, Limit: 10, Late: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	return out.Fanout
}

func admitLateAt(t *testing.T, s *Store, now time.Time) []push.Admitted {
	t.Helper()
	out, _, err := s.AdmitLate(t.Context(), now, push.Queue{}, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	return out.Targets
}

// TestRetentionOfLateFanouts: the payload stays as long as somebody may come, and a target that was done long ago is not forgotten before the fan-out.
func TestRetentionOfLateFanouts(t *testing.T) {
	s := running(t)
	k := addEndpoint(t, s, "pc-1")
	f := lateFanout(t, s, push.MaxTTL)
	groups := func(names ...string) {
		t.Helper()
		if _, err := s.UpdateEndpoint(t.Context(), k, endpoint.Patch{Groups: names}, f.Created); err != nil {
			t.Fatal(err)
		}
	}
	groups("lab")
	got := admitLateAt(t, s, f.Created)
	if len(got) != 1 {
		t.Fatalf("admitted %v, want one", got)
	}
	done := make(chan error, 1)
	s.AdvancePushes([]push.Transition{{ID: got[0].ID, Key: k, To: push.Delivered, At: f.Created}}, func(_ []push.Outcome, err error) { done <- err })
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	const day = 24 * time.Hour
	if err := s.deleteOld(t.Context(), f.Created.Add(20*day)); err != nil {
		t.Fatal(err)
	}
	groups()
	groups("lab")
	if again := admitLateAt(t, s, f.Created.Add(20*day)); len(again) != 0 {
		t.Errorf("admitted %v a second time", again)
	}
	if n := count(t, s, "SELECT count(*) FROM push_body"); n != 1 {
		t.Errorf("%d payloads while somebody may come, want one", n)
	}
	admitLateAt(t, s, f.Expires())
	if n := count(t, s, "SELECT count(*) FROM push_body"); n != 0 {
		t.Errorf("%d payloads after the end, want none", n)
	}
	if err := s.deleteOld(t.Context(), f.Expires().Add(8*day)); err != nil {
		t.Fatal(err)
	}
	if n := count(t, s, "SELECT (SELECT count(*) FROM push) + (SELECT count(*) FROM fanout) + (SELECT count(*) FROM joined)"); n != 0 {
		t.Errorf("%d rows are left, want none", n)
	}
}

func TestRetentionOfEmptyLateFanouts(t *testing.T) {
	s := running(t)
	f := lateFanout(t, s, push.MaxTTL)
	if err := s.deleteOld(t.Context(), f.Created.Add(20*24*time.Hour)); err != nil {
		t.Fatal(err)
	}
	if n := count(t, s, "SELECT count(*) FROM fanout"); n != 1 {
		t.Error("a fan-out that takes late joiners is gone")
	}
}

func TestRetentionOfBatches(t *testing.T) {
	s := running(t)
	k := addEndpoint(t, s, "pc-1")
	body := push.NewIdempotency("tok_1", "key", nil)
	b := push.BatchSubmission{Items: []push.Push{{To: k, Type: "x", TTL: time.Hour}}, Errs: make([]error, 1), Idempotency: &body}
	if _, err := s.AcceptBatch(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		after time.Duration
		want  int
	}{{47 * time.Hour, 1}, {49 * time.Hour, 0}} {
		if err := s.deleteOld(t.Context(), time.Now().Add(step.after)); err != nil {
			t.Fatal(err)
		}
		if n := count(t, s, "SELECT count(*) FROM batch"); n != step.want {
			t.Errorf("after %s: %d batches, want %d", step.after, n, step.want)
		}
	}
}

// TestLateFanoutsAreBounded: each is compared with every endpoint that changes.
func TestLateFanoutsAreBounded(t *testing.T) {
	s := running(t)
	for range push.MaxLate {
		lateFanout(t, s, time.Hour)
	}
	_, err := s.AcceptTargets(t.Context(), push.FanoutChunk{
		Push: push.Push{To: endpoint.Key{Domain: "push.example"}, Type: "x", TTL: time.Hour}, Selector: push.Selector{Group: "lab"}, Limit: 10, Late: true,
	})
	if !errors.Is(err, push.ErrLateFull) {
		t.Errorf("AcceptTargets = %v, want ErrLateFull", err)
	}
	if _, err := s.AcceptTargets(t.Context(), push.FanoutChunk{
		Push: push.Push{To: endpoint.Key{Domain: "push.example"}, Type: "x", TTL: time.Hour}, Selector: push.Selector{Group: "lab"}, Limit: 10,
	}); err != nil {
		t.Errorf("AcceptTargets without late joiners = %v", err)
	}
}
