package store

import (
	"errors"
	"path/filepath"
	"testing"
	"time"

	"signalbox/internal/endpoint"
	"signalbox/internal/push"
)

// TestWhatIsKnownOfAnEndpointIsTrue: whatever happens between two pushes, the bound of the queue and the endpoint's state decide as they are.
func TestWhatIsKnownOfAnEndpointIsTrue(t *testing.T) {
	path := filepath.Join(t.TempDir(), FileName)
	s := openAt(t, path, Default())
	t.Cleanup(start(t, s))
	k := endpoint.Key{Domain: "d.test", ID: "pc-1"}
	_, secret, err := endpoint.GenerateSecret()
	if err != nil {
		t.Fatal(err)
	}
	create := func() {
		t.Helper()
		if err := s.CreateEndpoint(t.Context(), endpoint.Endpoint{Key: k, Enabled: true, Created: time.Now()}, secret); err != nil {
			t.Fatal(err)
		}
	}
	accept := func(want error) push.ID {
		t.Helper()
		st, err := s.AcceptPush(t.Context(), push.Submission{
			Push: push.Push{To: k, Type: "demo", Payload: []byte("{}"), TTL: time.Hour}, Queue: push.Queue{Count: 2, Bytes: 100},
		})
		if !errors.Is(err, want) {
			t.Fatalf("accept = %v, want %v", err, want)
		}
		return st.ID
	}
	deliver := func(id push.ID) {
		t.Helper()
		done := make(chan error, 1)
		s.AdvancePushes([]push.Transition{{ID: id, Key: k, To: push.Sent}, {ID: id, Key: k, To: push.Delivered}}, func(_ []push.Outcome, err error) { done <- err })
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
	accept(endpoint.ErrUnknown)
	create()
	first := accept(nil)
	accept(nil)
	accept(push.ErrQueueFull)
	deliver(first)
	accept(nil)
	accept(push.ErrQueueFull)
	off, on := false, true
	for _, step := range []struct {
		enabled *bool
		want    error
	}{{&off, endpoint.ErrDisabled}, {&on, push.ErrQueueFull}} {
		if _, err := s.UpdateEndpoint(t.Context(), k, endpoint.Patch{Enabled: step.enabled}, time.Now()); err != nil {
			t.Fatal(err)
		}
		accept(step.want)
	}
	if _, err := s.ExpirePushes(t.Context(), time.Now().Add(2*time.Hour), 10); err != nil {
		t.Fatal(err)
	}
	accept(nil)
	other, err := openDB(dsn(path, nil))
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if _, err := other.ExecContext(t.Context(), "UPDATE endpoint SET enabled = 0"); err != nil {
		t.Fatal(err)
	}
	accept(endpoint.ErrDisabled)
	if err := s.DeleteEndpoint(t.Context(), k); err != nil {
		t.Fatal(err)
	}
	accept(endpoint.ErrUnknown)
	create()
	accept(nil)
	accept(nil)
	accept(push.ErrQueueFull)
}

// TestManyAtOnce: pushes that share a transaction and a statement are all there, each with its own payload, and the bound counts among them.
func TestManyAtOnce(t *testing.T) {
	s := running(t)
	k := addEndpoint(t, s, "pc-1")
	const all, room = 100, 67
	results := make(chan error, all)
	for i := range all {
		go func() {
			p := push.Push{To: k, Type: "demo", Payload: []byte{byte(i)}, Binary: true, TTL: time.Hour}
			if i%3 == 0 {
				p.Payload = nil
			}
			_, err := s.AcceptPush(t.Context(), push.Submission{Push: p, Queue: push.Queue{Count: room}})
			results <- err
		}()
	}
	refused := 0
	for range all {
		if err := <-results; errors.Is(err, push.ErrQueueFull) {
			refused++
		} else if err != nil {
			t.Fatal(err)
		}
	}
	waiting, err := s.WaitingPushes(t.Context(), k, push.Cursor{}, all)
	if err != nil || len(waiting) != room || refused != all-room {
		t.Fatalf("%d wait, %d refused, %v; want %d and %d", len(waiting), refused, err, room, all-room)
	}
	seen := map[string]bool{}
	for i, p := range waiting {
		if i > 0 && p.ID <= waiting[i-1].ID {
			t.Errorf("push %d does not follow the one before it", i)
		}
		if len(p.Payload) > 0 && seen[string(p.Payload)] {
			t.Errorf("payload %v is there twice", p.Payload)
		}
		seen[string(p.Payload)] = true
	}
}
