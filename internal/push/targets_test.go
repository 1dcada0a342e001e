package push

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"signalbox/internal/endpoint"
)

// choose posts a fan-out for a group.
func (r *rig) choose(group string, late bool, p Push) (Fanout, error) {
	p = fill(p)
	p.To.ID = ""
	return r.svc.SubmitFanout(r.t.Context(), FanoutRequest{Push: p, Selector: Selector{Group: group}, Late: late})
}

func TestGroupReachesItsMembers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		ids := many(2*fanoutChunk + 10)
		for _, id := range ids {
			r.store.join(id, "lab")
		}
		r.store.join("stranger", "other")
		for _, id := range []string{ids[0], ids[fanoutChunk], "stranger"} {
			r.bind(named(id), 1)
		}
		f, err := r.choose("lab", false, Push{})
		if err != nil || f.Targets != len(ids) || !f.Done() && f.Stored != len(ids) {
			t.Fatalf("SubmitFanout() = %+v, %v", f, err)
		}
		wantCounts(t, f, Counts{Accepted: len(ids)})
		for id, n := range map[string]int{ids[0]: 1, ids[fanoutChunk]: 1, "stranger": 0} {
			if got := r.taken(named(id)); len(got) != n {
				t.Errorf("%s got %v, want %d pushes", id, got, n)
			}
		}
	})
}

func TestGroupMistakes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, func(c *Config) { c.MaxTargets = 2 })
		if _, err := r.choose("lab", false, Push{}); !errors.Is(err, ErrNoTargets) {
			t.Errorf("SubmitFanout(nobody) = %v, want ErrNoTargets", err)
		}
		for _, id := range []string{"a", "b", "c"} {
			r.store.join(id, "lab")
		}
		var fields FieldErrors
		if _, err := r.choose("lab", false, Push{}); !errors.As(err, &fields) || fields[0].Pointer != "/to" {
			t.Errorf("SubmitFanout(too many) = %v, want a mistake at /to", err)
		}
		// A repetition is answered as the first request was, whoever matches now.
		r.store.join("c", "other")
		i := NewIdempotency("t", "k", nil)
		request := FanoutRequest{Push: fill(Push{To: endpoint.Key{Domain: pc1.Domain}}), Selector: Selector{Group: "lab"}, Idempotency: &i}
		first, err := r.svc.SubmitFanout(t.Context(), request)
		if err != nil {
			t.Fatal(err)
		}
		r.store.join("a", "other")
		r.store.join("b", "other")
		if again, err := r.svc.SubmitFanout(t.Context(), request); err != nil || !again.Replayed || again.ID != first.ID {
			t.Errorf("SubmitFanout(again) = %+v, %v, want the first answer", again, err)
		}
	})
}

func TestLateJoinersGetThePush(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		r.bind(pc1, 1)
		f, err := r.choose("lab", true, Push{TTL: time.Hour})
		if err != nil || f.Targets != 0 {
			t.Fatalf("SubmitFanout() = %+v, %v", f, err)
		}
		r.store.join(pc1.ID, "lab")
		time.Sleep(2 * clockPeriod)
		if got := r.taken(pc1); len(got) != 1 {
			t.Errorf("taken %v, want the push", got)
		}
		r.wantMetric("signalbox_push_accepted_total", 1)
		if _, err := r.svc.CancelFanout(t.Context(), pc1.Domain, f.ID); err != nil {
			t.Fatal(err)
		}
		r.store.join("pc-2", "lab")
		time.Sleep(2 * clockPeriod)
		if f, err := r.svc.FanoutProgress(t.Context(), pc1.Domain, f.ID); err != nil || f.Late || f.Targets != 1 {
			t.Errorf("cancelled, it is %+v, %v, want it to take nobody", f, err)
		}
	})
}

// TestGroupInterruptedBehindItsLastMember: a request that is repeated completes also a fan-out of which only the word is missing that nobody is left.
func TestGroupInterruptedBehindItsLastMember(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		for _, id := range many(fanoutChunk) {
			r.store.join(id, "lab")
		}
		p, key := fill(Push{TTL: time.Hour}), NewIdempotency("tok", "k", nil)
		p.To.ID = ""
		request := FanoutRequest{Push: p, Selector: Selector{Group: "lab"}, Late: true, Idempotency: &key}
		r.store.failChunk = func() error { return ErrNoSpace }
		var interrupted *InterruptedError
		if _, err := r.svc.SubmitFanout(t.Context(), request); !errors.As(err, &interrupted) {
			t.Fatalf("SubmitFanout() = %v, want an InterruptedError", err)
		}
		r.store.failChunk = nil
		f, err := r.svc.SubmitFanout(t.Context(), request)
		if err != nil || !f.complete() || f.Stored != fanoutChunk {
			t.Errorf("repeated, it is %+v, %v, want it complete", f, err)
		}
		if f, err := r.svc.SubmitFanout(t.Context(), request); err != nil || !f.Replayed {
			t.Errorf("repeated again, it is %+v, %v, want the same answer", f, err)
		}
	})
}

func TestNewerReplacesWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		older := r.submit(Push{CollapseKey: "k", Priority: Low})
		done := make(chan Status, 1)
		go func() {
			st, _ := r.svc.Wait(t.Context(), pc1.Domain, older.ID)
			done <- st
		}()
		synctest.Wait()
		newer := r.submit(Push{CollapseKey: "k"})
		if st := <-done; st.State != Replaced || st.History[1].By != newer.ID {
			t.Errorf("Wait() = %+v, want it replaced by %s", st, newer.ID)
		}
		r.wantMetric("signalbox_push_transitions_total", 1, "replaced")
		r.bind(pc1, 1)
		r.wantTaken(pc1, newer.ID)
		// On its way it is spared, and replaced when it comes back.
		newest := r.submit(Push{CollapseKey: "k"})
		r.wantTaken(pc1, newer.ID, newest.ID)
		r.wantHistory(newer.ID, "accepted")
		r.write(pc1)
		r.end(pc1)
		r.settle()
		r.wantHistory(newer.ID, "accepted", "sent", "accepted session_lost", "replaced collapse_key")
		r.bind(pc1, 2)
		r.wantTaken(pc1, newest.ID)
	})
}

// TestGivenBackIsReconsidered: a push that the session did not take, and that was spared for it, is replaced all the same.
func TestGivenBackIsReconsidered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		r.bind(pc1, 1)
		older := r.submit(Push{CollapseKey: "k"})
		newer := r.submit(Push{CollapseKey: "k"})
		r.end(pc1) // neither was written
		r.settle()
		r.wantHistory(older.ID, "accepted", "replaced collapse_key")
		r.bind(pc1, 2)
		r.wantTaken(pc1, newer.ID)
	})
}

func TestScheduledWaitsForItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		r.bind(pc1, 1)
		later := r.submit(Push{NotBefore: time.Now().Add(10 * time.Second), Priority: High})
		now := r.submit(Push{})
		r.wantTaken(pc1, now.ID)
		r.write(pc1)
		time.Sleep(9 * time.Second)
		r.wantTaken(pc1)
		time.Sleep(2 * time.Second)
		r.wantTaken(pc1, later.ID)
		if st, err := r.svc.Cancel(t.Context(), pc1.Domain, r.submit(Push{NotBefore: time.Now().Add(time.Minute)}).ID); err != nil || st.State != Cancelled {
			t.Errorf("Cancel() = %s, %v", st.State, err)
		}
		for name, p := range map[string]Push{
			"at its end": {TTL: time.Minute, NotBefore: time.Now().Add(time.Minute)}, "now or never": {TTL: -1, NotBefore: time.Now().Add(time.Second)},
		} {
			p = fill(p)
			p.TTL = max(p.TTL, 0)
			var fields FieldErrors
			if _, err := r.svc.Submit(t.Context(), Request{Push: p}); !errors.As(err, &fields) || fields[0].Pointer != "/not_before" {
				t.Errorf("%s: Submit() = %v, want a mistake at /not_before", name, err)
			}
		}
	})
}

func TestFullQueueDropsAndTells(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, func(c *Config) { c.QueueCount, c.QueuePolicy = 2, DropOldest })
		first, second := r.submit(Push{}), r.submit(Push{})
		third := r.submit(Push{})
		r.wantHistory(first.ID, "accepted", "rejected dropped_oldest")
		r.wantMetric("signalbox_push_transitions_total", 1, "rejected")
		r.bind(pc1, 1)
		sent := r.write(pc1)
		var types []string
		for _, m := range sent {
			types = append(types, m.push.Type)
		}
		if diff := cmp.Diff([]string{"demo.ping", "demo.ping", ResyncType}, types); diff != "" || sent[0].push.ID != second.ID || sent[1].push.ID != third.ID {
			t.Errorf("sent (-want +got):\n%s", diff)
		}
		// What is on its way is never dropped.
		if _, err := r.svc.Submit(t.Context(), Request{Push: fill(Push{})}); !errors.Is(err, ErrQueueFull) {
			t.Errorf("Submit() = %v, want ErrQueueFull", err)
		}
	})
}

func TestBatchKeepsItsOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		r.bind(pc1, 1)
		i := NewIdempotency("t", "k", nil)
		b := BatchRequest{
			Items: []Push{fill(Push{}), fill(Push{Type: "a..b"}), fill(Push{}), fill(Push{To: named("unknown")}), fill(Push{To: named("offline")})}, Idempotency: &i,
			Errs: make([]error, 5),
		}
		b.Items[4].TTL = 0
		out, err := r.svc.SubmitBatch(t.Context(), b)
		if err != nil {
			t.Fatal(err)
		}
		var fields FieldErrors
		if !errors.As(out.Items[1].Err, &fields) || !errors.Is(out.Items[3].Err, endpoint.ErrUnknown) || out.Items[4].Status.State != Expired {
			t.Errorf("SubmitBatch() = %+v", out.Items)
		}
		r.wantTaken(pc1, out.Items[0].Status.ID, out.Items[2].Status.ID)
		if again, err := r.svc.SubmitBatch(t.Context(), b); err != nil || !again.Replayed {
			t.Errorf("SubmitBatch(again) = %+v, %v", again, err)
		}
		r.store.fail(ErrNoSpace)
		b.Idempotency = nil
		if _, err := r.svc.SubmitBatch(t.Context(), b); !errors.Is(err, ErrNoSpace) {
			t.Errorf("SubmitBatch() = %v, want ErrNoSpace", err)
		}
		r.store.fail(nil)
	})
}

func TestSelectorMatches(t *testing.T) {
	labels, groups := map[string]string{"site": "paris", "os": ""}, []string{"lab", "x"}
	for name, tt := range map[string]struct {
		sel  Selector
		want bool
	}{
		"nothing":       {Selector{}, false},
		"group":         {Selector{Group: "lab"}, true},
		"another group": {Selector{Group: "la"}, false},
		"label":         {Selector{Labels: map[string]string{"site": "paris"}}, true},
		"another value": {Selector{Labels: map[string]string{"site": "rome"}}, false},
		"empty value":   {Selector{Labels: map[string]string{"os": ""}}, true},
		"missing label": {Selector{Labels: map[string]string{"none": ""}}, false},
		"both":          {Selector{Group: "x", Labels: map[string]string{"site": "paris", "os": ""}}, true},
		"one of both":   {Selector{Group: "y", Labels: map[string]string{"site": "paris"}}, false},
	} {
		if got := tt.sel.Matches(labels, groups); got != tt.want {
			t.Errorf("%s: Matches() = %v, want %v", name, got, tt.want)
		}
	}
}
