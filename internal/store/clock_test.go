package store

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"signalbox/internal/endpoint"
	"signalbox/internal/push"
)

// anything is an operation of a test.
type anything func(t *tx) error

func (f anything) apply(t *tx) error { return f(t) }

// acceptAt accepts a push while the clock shows now.
func acceptAt(t *testing.T, s *Store, k endpoint.Key, now time.Time, key *push.Idempotency) push.Status {
	t.Helper()
	op := &acceptPush{in: push.Submission{Push: push.Push{To: k, Type: "demo.ping", TTL: time.Hour}, Idempotency: key}}
	if err := s.do(t.Context(), anything(func(t *tx) error {
		t.now = now
		return op.apply(t)
	})); err != nil || op.result != nil {
		t.Fatal(err, op.result)
	}
	return op.out
}

// deliver ends pushes at the given time.
func deliver(t *testing.T, s *Store, at time.Time, all ...push.Status) {
	t.Helper()
	var ts []push.Transition
	for _, st := range all {
		ts = append(ts, push.Transition{ID: st.ID, Key: st.To, To: push.Delivered, At: at})
	}
	done := make(chan error, 1)
	s.AdvancePushes(ts, func(_ []push.Outcome, err error) { done <- err })
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

// rows counts what retention may delete of pushes and events, in the order of retainedTables.
func rows(t *testing.T, s *Store) (n [3]int) {
	t.Helper()
	for i, table := range retainedTables[:oldEvents+1] {
		if err := s.reader.db.QueryRow("SELECT count(*) FROM " + table.name).Scan(&n[i]); err != nil {
			t.Fatal(err)
		}
	}
	return n
}

// TestRetentionAfterTheClockStoodAhead has pushes of a clock that stood a year ahead before pushes of the right time: all of them go when theirs is over.
func TestRetentionAfterTheClockStoodAhead(t *testing.T) {
	s := running(t)
	k := addEndpoint(t, s, "pc-1")
	now := time.Now().UTC().Truncate(time.Microsecond)
	future := now.Add(365 * 24 * time.Hour)
	key := func(name string, i int) *push.Idempotency {
		key := push.NewIdempotency("tok_1", fmt.Sprint(name, i), nil)
		return &key
	}
	var ahead, right []push.Status
	for i := range retentionChunk + 10 {
		ahead = append(ahead, acceptAt(t, s, k, future, key("ahead", i)))
	}
	deliver(t, s, future, ahead...)
	if err := s.deleteOld(t.Context(), now.Add(30*24*time.Hour)); err != nil {
		t.Fatal(err)
	}
	n := len(ahead)
	if got, want := rows(t, s), [3]int{n, n, 2 * n}; got != want {
		t.Fatalf("pushes, keys, events = %v, want %v: nothing behind them shows that they are old", got, want)
	}
	open := acceptAt(t, s, k, now, key("open", 0))
	endedAhead := acceptAt(t, s, k, now, nil)
	deliver(t, s, future, endedAhead)
	for i := range retentionChunk + 10 {
		right = append(right, acceptAt(t, s, k, now, key("right", i)))
	}
	deliver(t, s, now, right...)
	if right[0].ID <= ahead[n-1].ID {
		t.Fatalf("id %d is not greater than %d", right[0].ID, ahead[n-1].ID)
	}
	young := now.Add(30 * 24 * time.Hour)
	deliver(t, s, young, acceptAt(t, s, k, young, key("young", 0)))
	if err := s.deleteOld(t.Context(), young); err != nil {
		t.Fatal(err)
	}
	if got, want := rows(t, s), [3]int{2, 1, 2}; got != want {
		t.Errorf("pushes, keys, events = %v, want %v: the open push and what is young", got, want)
	}
	if _, err := s.Push(t.Context(), k.Domain, open.ID); err != nil {
		t.Errorf("the open push is gone: %v", err)
	}
}

func TestIDsAheadOfTheClockAreReportedOnce(t *testing.T) {
	core, logs := observer.New(zap.ErrorLevel)
	s := openAt(t, filepath.Join(t.TempDir(), FileName), Default())
	s.log = zap.New(core)
	defer s.Close()
	defer commit(s)() // without retention, which reports as well
	k := addEndpoint(t, s, "pc-1")
	now := time.Now()
	for _, step := range []struct {
		accepted    time.Time
		known, want bool
		logs        int
	}{
		{now, false, false, 0}, {now.Add(30 * time.Second), false, false, 0}, {now.Add(2 * time.Minute), false, true, 1}, {now.Add(2 * time.Minute), true, true, 0},
	} {
		acceptAt(t, s, k, step.accepted, nil)
		if got := s.checkClock(t.Context(), now, step.known); got != step.want {
			t.Errorf("checkClock with a push of %s = %v, want %v", step.accepted.Sub(now), got, step.want)
		}
		if got := len(logs.TakeAll()); got != step.logs {
			t.Errorf("%d errors are logged at a push of %s, want %d", got, step.accepted.Sub(now), step.logs)
		}
	}
}
