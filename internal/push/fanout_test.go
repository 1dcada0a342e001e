package push

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"signalbox/internal/endpoint"
)

// many returns so many ids of endpoints.
func many(n int) []string {
	to := make([]string, n)
	for i := range to {
		to[i] = fmt.Sprintf("pc-%d", i)
	}
	return to
}

func named(id string) endpoint.Key { return endpoint.Key{Domain: pc1.Domain, ID: id} }

// spread posts a fan-out; a negative TTL stands for 0.
func (r *rig) spread(p Push, i *Idempotency, to ...string) (Fanout, error) {
	p = fill(p)
	p.To.ID, p.TTL = "", max(0, p.TTL)
	return r.svc.SubmitFanout(r.t.Context(), FanoutRequest{Push: p, To: to, Idempotency: i})
}

func wantCounts(t *testing.T, f Fanout, want Counts) {
	t.Helper()
	if diff := cmp.Diff(want, f.Counts); diff != "" {
		t.Errorf("counts (-want +got):\n%s", diff)
	}
}

func TestFanoutReachesEverybody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		to := many(2*fanoutChunk + 10)
		online := []string{to[0], to[fanoutChunk], to[len(to)-1]}
		for _, id := range online {
			r.bind(named(id), 1)
		}
		to[7] = "unknown"
		f, err := r.spread(Push{Payload: []byte(`{"n": 1}`)}, nil, to...)
		if err != nil {
			t.Fatal(err)
		}
		if f.Targets != len(to) || f.Stored != len(to) {
			t.Errorf("%d of %d targets are stored, want %d", f.Stored, f.Targets, len(to))
		}
		wantCounts(t, f, Counts{Accepted: len(to) - 1, Rejected: 1})
		for _, id := range online {
			sent := r.write(named(id))
			if len(sent) != 1 || string(sent[0].push.Payload) != `{"n":1}` || sent[0].delayed || sent[0].push.Fanout != f.ID {
				t.Fatalf("%s got %v, want the push", id, sent)
			}
			r.receipt(named(id), sent[0].push.ID)
			r.wantHistory(sent[0].push.ID, "accepted", "sent", "delivered")
		}
		r.wantMetric("signalbox_push_accepted_total", float64(len(to)-1))
		f, err = r.svc.Fanout(t.Context(), pc1.Domain, f.ID)
		if err != nil {
			t.Fatal(err)
		}
		wantCounts(t, f, Counts{Accepted: len(to) - 4, Delivered: 3, Rejected: 1})
		// Who comes later gets it from the store.
		r.bind(named(to[1]), 1)
		if sent := r.write(named(to[1])); len(sent) != 1 || !sent[0].delayed {
			t.Errorf("%s got %v, want the delayed push", to[1], sent)
		}
	})
}

func TestFanoutOfOnePassesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		r.bind(pc1, 1)
		r.setOpen(pc1, false)
		first := r.submit(Push{})
		if _, err := r.spread(Push{}, nil, pc1.ID); err != nil {
			t.Fatal(err)
		}
		last := r.submit(Push{})
		r.setOpen(pc1, true)
		if got := r.taken(pc1); len(got) != 3 || got[0] != first.ID || got[2] != last.ID {
			t.Errorf("sent %v, want the target between %s and %s", got, first.ID, last.ID)
		}
	})
}

func TestFanoutMistakes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		bad := []string{"a", "B", "c", "a", "", strings.Repeat("x", 257), "a"}
		for name, test := range map[string]struct {
			push Push
			to   []string
			want string
		}{
			"none":     {Push{}, nil, "/to"},
			"too many": {Push{}, many(MaxTargets + 1), "/to"},
			"ids":      {Push{}, bad, "/to/1 /to/3 /to/4 /to/5 /to/6"},
			"others":   {Push{Type: "a b", Payload: []byte("{")}, many(2), "/type /payload"},
			"endless": {Push{}, make([]string, 100), "/to/0" + func() (more string) {
				for i := 1; i < maxTargetErrors; i++ {
					more += fmt.Sprintf(" /to/%d", i)
				}
				return more
			}()},
		} {
			_, err := r.spread(test.push, nil, test.to...)
			var fields FieldErrors
			if !errors.As(err, &fields) {
				t.Errorf("%s: %v, want FieldErrors", name, err)
			}
			var got []string
			for _, f := range fields {
				got = append(got, f.Pointer)
			}
			if strings.Join(got, " ") != test.want {
				t.Errorf("%s: mistakes at %v, want %s", name, got, test.want)
			}
		}
		if _, err := r.spread(Push{}, nil, many(MaxTargets)...); err != nil {
			t.Errorf("SubmitFanout to %d endpoints = %v", MaxTargets, err)
		}
	})
}

func TestFanoutNowOrNever(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		r.bind(pc1, 1)
		key := NewIdempotency("tok", "k", nil)
		want := Counts{Accepted: 1, Expired: 2, Rejected: 1}
		f, err := r.spread(Push{TTL: -1}, &key, pc1.ID, "pc-2", "unknown", "pc-3")
		if err != nil {
			t.Fatal(err)
		}
		wantCounts(t, f, want)
		if sent := r.write(pc1); len(sent) != 1 {
			t.Errorf("sent %v, want one push", sent)
		}
		time.Sleep(2 * NowGrace) // no receipt comes: the sent one expires as well
		again, err := r.spread(Push{TTL: -1}, &key, pc1.ID, "pc-2", "unknown", "pc-3")
		if err != nil || !again.Replayed || again.ID != f.ID {
			t.Errorf("repeated request = %+v, %v, want %s again", again, err, f.ID)
		}
		wantCounts(t, again, want)
	})
}

func TestFanoutInterrupted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		key := NewIdempotency("tok", "k", nil)
		to := many(fanoutChunk + 1)
		r.store.fail(ErrNoSpace)
		if _, err := r.spread(Push{}, &key, to...); err != ErrNoSpace {
			t.Errorf("SubmitFanout on a full disk = %v, want ErrNoSpace alone: nothing is stored", err)
		}
		r.store.fail(nil)
		r.store.failChunk = func() error { return ErrNoSpace }
		_, err := r.spread(Push{}, &key, to...)
		var interrupted *InterruptedError
		if !errors.As(err, &interrupted) || !errors.Is(err, ErrNoSpace) || interrupted.Fanout.Stored != fanoutChunk {
			t.Fatalf("SubmitFanout = %v, want an InterruptedError behind the first chunk", err)
		}
		id := interrupted.Fanout.ID
		f, err := r.svc.Fanout(t.Context(), pc1.Domain, id)
		if err != nil || f.Done() {
			t.Errorf("fan-out = %+v, %v, want it open", f, err)
		}
		wantCounts(t, f, Counts{Accepted: fanoutChunk})

		// The repeated request goes on; a store that is busy for a while does not end it.
		busy := 2
		r.store.failChunk = func() error {
			if busy--; busy >= 0 {
				return ErrBusy
			}
			return nil
		}
		f, err = r.spread(Push{}, &key, to...)
		if err != nil || f.ID != id || f.Replayed || busy >= 0 {
			t.Errorf("repeated request = %+v, %v, want %s completed", f, err, id)
		}
		wantCounts(t, f, Counts{Accepted: len(to)})
		if f, err = r.spread(Push{}, &key, to...); err != nil || f.ID != id || !f.Replayed {
			t.Errorf("third request = %+v, %v, want the answer again", f, err)
		}
		r.store.failChunk = func() error { return ErrBusy }
		if _, err := r.spread(Push{}, nil, to...); !errors.Is(err, ErrBusy) {
			t.Errorf("SubmitFanout on a busy store = %v, want ErrBusy", err)
		}
		for _, l := range r.svc.allLanes() {
			if l.submitting != 0 {
				t.Errorf("%d requests stand at %s", l.submitting, l.key)
			}
		}
	})
}

// TestSmallChunksBesideOthers: as long as others post pushes, they wait for small transactions alone.
func TestSmallChunksBesideOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		chunks := func() (n int) {
			n = 1
			r.store.failChunk = func() error { n++; return nil }
			if _, err := r.spread(Push{}, nil, many(fanoutChunk)...); err != nil {
				t.Fatal(err)
			}
			return n
		}
		alone := chunks()
		r.submit(Push{})
		beside := chunks()
		time.Sleep(postedFor)
		after := chunks()
		if want := (fanoutChunk + smallChunk - 1) / smallChunk; alone != 1 || beside != want || after != 1 {
			t.Errorf("a fan-out is stored in %d, %d and %d transactions without, with and after others, want 1, %d and 1", alone, beside, after, want)
		}
	})
}

// TestPaceBesideOthers: as long as others post pushes, a chunk is handed out when those whom the last one woke have run, or after a while.
func TestPaceBesideOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		looks := 0
		line := func(lengths ...uint64) {
			looks = 0
			r.svc.standing = func() uint64 {
				n := lengths[min(looks, len(lengths)-1)]
				looks++
				return n
			}
		}
		pace := func(want int, lengths ...uint64) {
			t.Helper()
			line(lengths...)
			if r.svc.pace(); looks != want {
				t.Errorf("%d looks at a line of %v, want %d", looks, lengths, want)
			}
		}
		pace(0, 1000) // nobody posts
		r.submit(Push{})
		pace(1, paceStanding)
		pace(3, 1000, paceStanding+1, 0)
		pace(paceLooks, 1000)
		time.Sleep(postedFor)
		pace(0, 1000)
	})
}

// TestDiskIsLeftToOthers: as long as others post pushes, they have the disk as long as the last chunk had it.
func TestDiskIsLeftToOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		leave := func(want, took time.Duration) {
			t.Helper()
			began := time.Now()
			if r.svc.leaveDisk(took); time.Since(began) != want {
				t.Errorf("behind a chunk of %v: a pause of %v, want %v", took, time.Since(began), want)
			}
		}
		leave(0, 7*time.Millisecond) // nobody posts
		r.submit(Push{})
		leave(7*time.Millisecond, 7*time.Millisecond)
		leave(paceLooks*paceLook, time.Hour) // a disk that stands still
		time.Sleep(postedFor)
		leave(0, 7*time.Millisecond)
		r.submit(Push{})
		r.svc.standing = func() uint64 { return 0 }
		began := time.Now()
		if _, err := r.spread(Push{}, nil, many(4*smallChunk)...); err != nil {
			t.Fatal(err)
		}
		if took, want := time.Since(began), (4+3)*r.store.commit; took != want {
			t.Errorf("a fan-out of four chunks beside others takes %v, want %v: their time, and that of the first three for the others", took, want)
		}
	})
}

// TestStanding: a goroutine that could run is counted.
func TestStanding(t *testing.T) {
	var done atomic.Bool
	var ended sync.WaitGroup
	for range 4 * runtime.GOMAXPROCS(0) {
		ended.Go(func() {
			for !done.Load() {
				runtime.Gosched()
			}
		})
	}
	for standing() == 0 {
		runtime.Gosched()
	}
	done.Store(true)
	ended.Wait()
}

func TestCancelFanout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		r.bind(pc1, 1)
		to := append(many(maxBatch+5), "unknown") // pc-1 has a session
		f, err := r.spread(Push{}, nil, to...)
		if err != nil {
			t.Fatal(err)
		}
		r.write(pc1)
		r.settle()
		f, err = r.svc.CancelFanout(t.Context(), pc1.Domain, f.ID)
		if err != nil {
			t.Fatal(err)
		}
		wantCounts(t, f, Counts{Sent: 1, Cancelled: maxBatch + 4, Rejected: 1})
		if f, err = r.svc.CancelFanout(t.Context(), pc1.Domain, f.ID); err != nil || f.Counts[Sent] != 1 {
			t.Errorf("second cancel = %+v, %v", f, err)
		}
		if _, err := r.svc.CancelFanout(t.Context(), pc1.Domain, 1<<40); !errors.Is(err, ErrUnknown) {
			t.Errorf("CancelFanout of nothing = %v, want ErrUnknown", err)
		}
		if len(r.svc.cancels) != 0 {
			t.Errorf("%d cancels are left", len(r.svc.cancels))
		}
		r.end(pc1)
		r.bind(pc1, 2)
		r.settle()
		r.wantTaken(pc1)
		if f, err = r.svc.Fanout(t.Context(), pc1.Domain, f.ID); err != nil {
			t.Fatal(err)
		}
		wantCounts(t, f, Counts{Cancelled: maxBatch + 5, Rejected: 1})
	})
}

// TestCancelFanoutThatIsHandedOver: a target that its session has not taken yet, and does not take, is cancelled though it was on its way.
func TestCancelFanoutThatIsHandedOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := idleRig(t)
		full := &fullOnce{wire: r.wire, asked: make(chan struct{}), goOn: make(chan struct{})}
		r.start(nil, full)
		r.bind(pc1, 1)
		go func() {
			if _, err := r.spread(Push{}, nil, "pc-1"); err != nil {
				t.Error(err)
			}
		}()
		<-full.asked
		fanout := r.store.firstFanout()
		if _, err := r.svc.CancelFanout(t.Context(), pc1.Domain, fanout); err != nil {
			t.Fatal(err)
		}
		close(full.goOn)
		r.settle()
		r.settle()
		f, err := r.svc.Fanout(t.Context(), pc1.Domain, fanout)
		if err != nil {
			t.Fatal(err)
		}
		wantCounts(t, f, Counts{Cancelled: 1})
		r.wantTaken(pc1)
	})
}

// fullOnce is a wire whose session has no room for the first push, which it says when it is told to.
type fullOnce struct {
	*wire
	once        sync.Once
	asked, goOn chan struct{}
}

func (w *fullOnce) Send(k endpoint.Key, epoch uint64, p Push, delayed bool, written func(time.Time)) error {
	refused := false
	w.once.Do(func() {
		close(w.asked)
		<-w.goOn
		refused = true
	})
	if refused {
		return endpoint.ErrFull
	}
	return w.wire.Send(k, epoch, p, delayed, written)
}

func TestWaitFanout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		f, err := r.spread(Push{TTL: time.Minute}, nil, "pc-1", "pc-2", "unknown")
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		got, err := r.svc.WaitFanout(ctx, pc1.Domain, f.ID)
		if !errors.Is(err, context.DeadlineExceeded) || got.Counts[Accepted] != 2 {
			t.Errorf("WaitFanout = %+v, %v, want both accepted when the time is over", got, err)
		}
		r.bind(pc1, 1)
		sent := r.write(pc1)
		begin := time.Now()
		go r.svc.Receipt(pc1, sent[0].push.ID, func(error) {})
		got, err = r.svc.WaitFanout(t.Context(), pc1.Domain, f.ID) // the other one expires
		if err != nil || time.Since(begin) > time.Minute {
			t.Errorf("WaitFanout = %v after %v", err, time.Since(begin))
		}
		wantCounts(t, got, Counts{Delivered: 1, Expired: 1, Rejected: 1})
		if _, err := r.svc.WaitFanout(t.Context(), pc1.Domain, 1<<40); !errors.Is(err, ErrUnknown) {
			t.Errorf("WaitFanout for nothing = %v, want ErrUnknown", err)
		}
		if len(r.svc.waiters) != 0 {
			t.Errorf("%d fan-outs are still waited for", len(r.svc.waiters))
		}
	})
}
