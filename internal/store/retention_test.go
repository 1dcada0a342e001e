package store

import (
	"path/filepath"
	"testing"
	"time"

	"signalbox/internal/endpoint"
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
		{24 * hour, 3, 1, 6}, {49 * hour, 3, 0, 6}, {73 * hour, 3, 0, 1}, {7*24*hour + hour, 2, 0, 1}, {12*24*hour + hour, 1, 0, 0},
	} {
		if err := s.deleteOld(t.Context(), now.Add(step.after)); err != nil {
			t.Fatal(err)
		}
		var got [3]int
		for i, table := range retainedTables[:oldEvents+1] {
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

// TestPayloadOfAFanout looks into the table: it goes with the last target that may need it, in whatever way that ends.
func TestPayloadOfAFanout(t *testing.T) {
	s := running(t)
	var to []string
	for _, id := range []string{"pc-1", "pc-2", "pc-3", "pc-4"} {
		addEndpoint(t, s, id)
		to = append(to, id)
	}
	chunk := push.FanoutChunk{
		Push: push.Push{To: endpoint.Key{Domain: "push.example"}, Type: "x", TTL: time.Hour, Payload: []byte("{}")}, Targets: 5, To: append(to, "nobody"),
	}
	out, err := s.AcceptTargets(t.Context(), chunk)
	if err != nil {
		t.Fatal(err)
	}
	count := func(table string) (n int) {
		t.Helper()
		if err := s.reader.db.QueryRow("SELECT count(*) FROM " + table).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	key := func(i int) endpoint.Key { return endpoint.Key{Domain: "push.example", ID: to[i]} }
	s.AdvancePushes([]push.Transition{{ID: out.Targets[0].ID, Key: key(0), To: push.Delivered}, {ID: out.Targets[1].ID, Key: key(1), To: push.Cancelled}}, nil)
	if err := s.DeleteEndpoint(t.Context(), key(2)); err != nil { // behind the mark
		t.Fatal(err)
	}
	if n := count("push_body"); n != 1 {
		t.Errorf("%d payloads while one target is open, want the one", n)
	}
	now := out.Created.Add(time.Hour)
	if _, err := s.ExpirePushes(t.Context(), now, 10); err != nil {
		t.Fatal(err)
	}
	if n := count("push_body"); n != 0 {
		t.Errorf("%d payloads after the last target, want 0", n)
	}
	week := 7 * 24 * time.Hour
	for _, step := range []struct {
		after                                  time.Duration
		pushes, refused, fanouts, events, gone int
	}{{time.Hour, 3, 1, 1, 12, 1}, {week - 30*time.Minute, 1, 0, 1, 0, 0}, {week + time.Hour, 0, 0, 0, 0, 0}} {
		if err := s.deleteOld(t.Context(), now.Add(step.after)); err != nil {
			t.Fatal(err)
		}
		got := [...]int{count("push"), count("refused"), count("fanout"), count("outbox"), count("gone")}
		if want := [...]int{step.pushes, step.refused, step.fanouts, step.events, step.gone}; got != want {
			t.Errorf("after %s: pushes, refused targets, fan-outs, events, endpoints that are gone = %v, want %v", step.after, got, want)
		}
	}
}

// TestFanoutStaysWithItsKey: a request that is repeated when all targets are gone is answered as it was.
func TestFanoutStaysWithItsKey(t *testing.T) {
	cfg := Default()
	cfg.Retention = time.Hour
	s := openAt(t, filepath.Join(t.TempDir(), FileName), cfg)
	t.Cleanup(start(t, s))
	k := addEndpoint(t, s, "pc-1")
	key := push.NewIdempotency("tok_1", "key", nil)
	chunk := push.FanoutChunk{
		Push: push.Push{To: endpoint.Key{Domain: k.Domain}, Type: "x", TTL: time.Hour}, Targets: 2, To: []string{"pc-1", "nobody"}, Idempotency: &key,
	}
	out, err := s.AcceptTargets(t.Context(), chunk)
	if err != nil {
		t.Fatal(err)
	}
	s.AdvancePushes([]push.Transition{{ID: out.Targets[0].ID, Key: k, To: push.Delivered}}, nil)
	again := func(after time.Duration) push.Fanout {
		t.Helper()
		if err := s.deleteOld(t.Context(), out.Created.Add(after)); err != nil {
			t.Fatal(err)
		}
		out, err := s.AcceptTargets(t.Context(), chunk)
		if err != nil {
			t.Fatal(err)
		}
		return out.Fanout
	}
	if f := again(2 * time.Hour); !f.Replayed || f.ID != out.Fanout.ID || f.Stored != 2 || f.Refused != 1 {
		t.Errorf("repeated request without targets = %+v, want the first answer", f)
	}
	if f := again(72 * time.Hour); f.Replayed || f.ID == out.Fanout.ID {
		t.Errorf("repeated request without key = %+v, want a new fan-out", f)
	}
}
