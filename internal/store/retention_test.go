package store

import (
	"testing"
	"time"

	"signalbox/internal/push"
)

func TestRetention(t *testing.T) {
	s := running(t)
	k := addEndpoint(t, s, "pc-1")
	key := push.NewIdempotency("tok_1", "key", nil)
	p := push.Push{To: k, TTL: push.MaxTTL, Payload: []byte("{}")}
	keyed, err := s.AcceptPush(t.Context(), push.Submission{Push: p, Idempotency: &key})
	if err != nil {
		t.Fatal(err)
	}
	open := mustAccept(t, s, k, 10)
	late := mustAccept(t, s, k, 10)
	now := late.Created
	advanced := make(chan error, 1)
	s.AdvancePushes([]push.Transition{
		{ID: keyed.ID, Key: k, To: push.Delivered, At: now}, {ID: late.ID, Key: k, To: push.Delivered, At: now.Add(5 * 24 * time.Hour)},
	}, func(_ []push.Outcome, err error) { advanced <- err })
	if err := <-advanced; err != nil {
		t.Fatal(err)
	}
	const hour = time.Hour
	for _, step := range []struct {
		after                time.Duration
		pushes, keys, events int
	}{
		{24 * hour, 3, 1, 5}, {49 * hour, 3, 0, 5}, {73 * hour, 3, 0, 1}, {7*24*hour + hour, 2, 0, 1}, {12*24*hour + hour, 1, 0, 0},
	} {
		if err := s.deleteOld(t.Context(), now.Add(step.after)); err != nil {
			t.Fatal(err)
		}
		var got [3]int
		for i, table := range retainedTables[:oldArchive] {
			if err := s.reader.db.QueryRow("SELECT count(*) FROM " + table.name).Scan(&got[i]); err != nil {
				t.Fatal(err)
			}
		}
		if want := [3]int{step.pushes, step.keys, step.events}; got != want {
			t.Errorf("after %s: pushes, keys, events = %v, want %v", step.after, got, want)
		}
	}
	if _, err := s.Push(t.Context(), k.Domain, open.ID); err != nil {
		t.Errorf("the open push is gone: %v", err)
	}
}

func TestRetentionInChunks(t *testing.T) {
	s := running(t)
	k := addEndpoint(t, s, "pc-1")
	const n = 2*retentionChunk + 10
	var ts []push.Transition
	for range n {
		st := mustAccept(t, s, k, 0)
		ts = append(ts, push.Transition{ID: st.ID, Key: k, To: push.Cancelled, At: st.Created})
	}
	s.AdvancePushes(ts, nil)
	mustAccept(t, s, k, 0) // behind the mark
	if err := s.deleteOld(t.Context(), time.Now().Add(8*24*time.Hour)); err != nil {
		t.Fatal(err)
	}
	all, err := s.Pushes(t.Context(), k, "", 0, 1000)
	if err != nil || len(all) != 1 {
		t.Errorf("%d pushes are left, %v, want the open one", len(all), err)
	}
}

// TestPayloadsGoWithTheirPush looks into the table: a payload that nobody will ask for again must not take space.
func TestPayloadsGoWithTheirPush(t *testing.T) {
	s := running(t)
	kept := func() (n int) {
		t.Helper()
		if err := s.reader.db.QueryRow("SELECT count(*) FROM push_body").Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	k, other := addEndpoint(t, s, "pc-1"), addEndpoint(t, s, "pc-2")
	delivered, expired := mustAccept(t, s, k, 10), mustAccept(t, s, k, 10)
	mustAccept(t, s, other, 10)
	mustAccept(t, s, k, 0)
	if _, err := s.AcceptPush(t.Context(), push.Submission{Push: push.Push{To: k, Payload: []byte("now or never")}}); err != nil {
		t.Fatal(err)
	}
	if n := kept(); n != 3 {
		t.Errorf("%d payloads after accepting 3 that are kept", n)
	}
	s.AdvancePushes([]push.Transition{{ID: delivered.ID, Key: k, To: push.Delivered}}, nil)
	if err := s.DeleteEndpoint(t.Context(), other); err != nil { // behind the mark
		t.Fatal(err)
	}
	if n := kept(); n != 1 {
		t.Errorf("%d payloads after a delivery and the end of an endpoint, want 1", n)
	}
	if _, err := s.ExpirePushes(t.Context(), expired.Expires(), 10); err != nil {
		t.Fatal(err)
	}
	if n := kept(); n != 0 {
		t.Errorf("%d payloads after the TTL, want 0", n)
	}
}
