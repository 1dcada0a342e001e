package push

import (
	"context"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"signalbox/internal/endpoint"
)

// still is a store that does nothing, so that only the service is measured.
type still struct {
	Store // what is not measured is not asked
	next  ID
}

var stillHistory = []Change{{State: Accepted}}

func (s *still) AcceptPush(_ context.Context, in Submission) (Status, error) {
	s.next++
	in.Push.ID, in.Push.Created = s.next, time.Time{}.Add(time.Hour)
	return Status{Push: in.Push, State: Accepted, History: stillHistory}, nil
}

func (s *still) AdvancePushes(ts []Transition, done func([]Outcome, error)) {
	if done != nil {
		done(make([]Outcome, len(ts)), nil)
	}
}
func (s *still) ExpirePushes(context.Context, time.Time, int) ([]Status, error)      { return nil, nil }
func (s *still) RecoverPushes(context.Context, string, time.Time, map[ID]bool) error { return nil }
func (s *still) Deleted(func(endpoint.Key))                                          {}
func (s *still) Push(context.Context, string, ID) (Status, error)                    { return Status{}, ErrUnknown }
func (s *still) CountWaiting(context.Context, endpoint.Key) (int, error)             { return 0, nil }
func (s *still) Pushes(context.Context, endpoint.Key, State, ID, int) ([]Status, error) {
	return nil, nil
}
func (s *still) AcceptTargets(context.Context, FanoutChunk) (AcceptedChunk, error) {
	return AcceptedChunk{}, nil
}
func (s *still) Fanout(context.Context, string, ID) (Fanout, error) { return Fanout{}, ErrUnknown }
func (s *still) FanoutProgress(context.Context, string, ID) (Fanout, error) {
	return Fanout{}, ErrUnknown
}
func (s *still) Deliveries(context.Context, string, ID, State, ID, int) ([]Status, error) {
	return nil, nil
}
func (s *still) WaitingPushes(context.Context, endpoint.Key, Cursor, int) ([]Push, error) {
	return nil, nil
}

// taker is a session that takes and writes everything at once.
type taker struct{ sent int }

func (t *taker) Send(_ endpoint.Key, _ uint64, _ Push, _ bool, written func(time.Time)) error {
	t.sent++
	written(time.Time{})
	return nil
}

// straight returns a service whose only lane is open. Nothing runs: commit empties the scribe as Run would.
func straight(tb testing.TB) (s *Service, t *taker, commit func()) {
	tb.Helper()
	t = &taker{}
	s, err := New(Default(), &still{}, t, zap.NewNop(), prometheus.NewRegistry())
	if err != nil {
		tb.Fatal(err)
	}
	commit = func() { s.scribe.commit(tb.Context(), s.scribe.take(maxBatch)) }
	s.SessionChanged(endpoint.Change{Kind: endpoint.Bound, Key: pc1, Epoch: 1})
	s.SessionChanged(endpoint.Change{Kind: endpoint.Available, Key: pc1, Epoch: 1})
	commit()
	s.work(tb.Context(), s.pool.take())
	return s, t, commit
}

func onePush(tb testing.TB, s *Service, r Request, commit func()) {
	st, err := s.Submit(context.Background(), r)
	if err != nil {
		tb.Fatal(err)
	}
	s.Receipt(pc1, st.ID, func(error) {})
	commit()
}

// maxStraightAllocs is what one push of the fast path may allocate from Submit to its confirmed receipt, without store, session and API.
const maxStraightAllocs = 12

func TestFastPathAllocations(t *testing.T) {
	s, wire, commit := straight(t)
	r := Request{Push: fill(Push{Payload: []byte(`{"n":1}`)})}
	got := testing.AllocsPerRun(1000, func() { onePush(t, s, r, commit) })
	if wire.sent != 1001 {
		t.Fatalf("%d pushes took the fast path, want all 1001", wire.sent)
	}
	if got > maxStraightAllocs {
		t.Errorf("%v allocations, at most %d are allowed", got, maxStraightAllocs)
	}
}

// maxReceiptAllocs is what a receipt may allocate until it stands in the queue of the disk.
const maxReceiptAllocs = 1

func TestReceiptAllocations(t *testing.T) {
	s, _, commit := straight(t)
	r := Request{Push: fill(Push{})}
	const runs = 20 // fewer than the window has places
	var ids []ID
	for range runs + 1 {
		st, err := s.Submit(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, st.ID)
	}
	s.scribe.mu.Lock()
	s.scribe.queue = append(make([]write, 0, 4*runs), s.scribe.queue...) // it grows rarely: see scribe.reuse
	s.scribe.mu.Unlock()
	confirmed := 0
	done := func(error) { confirmed++ }
	got := testing.AllocsPerRun(runs, func() {
		s.Receipt(pc1, ids[0], done)
		ids = ids[1:]
	})
	if commit(); confirmed != runs+1 {
		t.Fatalf("%d receipts are confirmed, want all %d", confirmed, runs+1)
	}
	if got > maxReceiptAllocs {
		t.Errorf("%v allocations, at most %d are allowed", got, maxReceiptAllocs)
	}
}

func BenchmarkFastPath(b *testing.B) {
	s, _, commit := straight(b)
	r := Request{Push: fill(Push{Payload: []byte(`{"n":1}`)})}
	b.ReportAllocs()
	for b.Loop() {
		onePush(b, s, r, commit)
	}
}
