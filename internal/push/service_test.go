package push

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap/zaptest"

	"signalbox/internal/endpoint"
)

func TestOnlinePushGoesStraightToTheSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		r.bind(pc1, 1)
		id := r.submit(Push{Ack: AckHandled}).ID
		ms := r.write(pc1)
		if len(ms) != 1 || ms[0].push.ID != id || ms[0].delayed {
			t.Fatalf("sent %+v, want push %s, not delayed", ms, id)
		}
		r.settle()
		r.wantHistory(id, "accepted", "sent")
		r.receipt(pc1, id)
		r.result(pc1, id, true, `{"n":1}`)
		r.wantHistory(id, "accepted", "sent", "delivered", "handled")
		if got := string(r.status(id).Result); got != `{"n":1}` {
			t.Errorf("result = %s", got)
		}
		r.wantMetric("signalbox_push_accepted_total", 1)
		r.wantMetric("signalbox_push_transitions_total", 1, "handled")
		r.wantMetric("signalbox_push_delivery_seconds", 1)
		r.wantMetric("signalbox_push_inflight", 0)
		r.wantMetric("signalbox_push_lanes", 1)
	})
}

func TestWaitingPushesComeInOrderOfPriorityThenID(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		low, normal := r.submit(Push{Priority: Low}).ID, r.submit(Push{Priority: Normal}).ID
		high, normal2 := r.submit(Push{Priority: High}).ID, r.submit(Push{Priority: Normal}).ID
		r.bind(pc1, 1)
		r.settle()
		r.wantTaken(pc1, high, normal, normal2, low)
		for _, m := range r.write(pc1) {
			if !m.delayed {
				t.Errorf("push %s is not marked as delayed", m.push.ID)
			}
		}
	})
}

func TestWindowIsNeverExceededAndRefills(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, func(c *Config) { c.Window = 4 })
		r.bind(pc1, 1)
		var ids []ID
		for range 10 {
			ids = append(ids, r.submit(Push{}).ID)
		}
		r.wantTaken(pc1, ids[:4]...)
		r.wantMetric("signalbox_push_inflight", 4)
		r.write(pc1) // written is not acknowledged
		r.settle()
		r.wantTaken(pc1)
		r.receipt(pc1, ids[0])
		r.settle()
		r.wantTaken(pc1)
		r.receipt(pc1, ids[1])
		r.settle()
		r.wantTaken(pc1, ids[4:6]...)
	})
}

func TestAckNoneLeavesTheWindowWhenWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, func(c *Config) { c.Window = 2 })
		r.bind(pc1, 1)
		var ids []ID
		for range 5 {
			ids = append(ids, r.submit(Push{Ack: AckNone}).ID)
		}
		for n := 0; n < 5; n += 2 {
			r.wantTaken(pc1, ids[n:min(n+2, 5)]...)
			r.write(pc1)
			r.settle()
		}
		r.wantTaken(pc1)
		if n := len(r.svc.lane(pc1).flights); n != 0 {
			t.Errorf("%d flights are kept after the end", n)
		}
		r.end(pc1)
		r.settle()
		r.wantHistory(ids[4], "accepted", "sent")
	})
}

func TestNewPushNeverOvertakesWaitingOnes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, func(c *Config) { c.Window = 2 })
		r.bind(pc1, 1)
		first, second := r.submit(Push{}).ID, r.submit(Push{}).ID
		third := r.submit(Push{}).ID
		r.write(pc1)
		r.receipt(pc1, first)
		fourth := r.submit(Push{}).ID
		r.settle()
		r.wantTaken(pc1, third)
		r.write(pc1)
		r.receipt(pc1, second)
		r.settle()
		r.wantTaken(pc1, fourth)
	})
}

func TestLostSessionReturnsWhatHasNoReceipt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		r.bind(pc1, 1)
		delivered, lost, unwritten := r.submit(Push{}).ID, r.submit(Push{}).ID, ID(0)
		r.write(pc1)
		unwritten = r.submit(Push{}).ID
		r.receipt(pc1, delivered)
		r.end(pc1)
		r.settle()
		r.wantHistory(delivered, "accepted", "sent", "delivered")
		r.wantHistory(lost, "accepted", "sent", "accepted session_lost")
		r.wantHistory(unwritten, "accepted")
		r.bind(pc1, 2)
		r.settle()
		r.wantTaken(pc1, lost, unwritten)
	})
}

// A newer session takes over: the new lane must see what the old one returned, whatever the order of the calls.
func TestTakeOverWaitsForTheOldSessionsChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		r.store.commit = 50 * time.Millisecond
		r.bind(pc1, 1)
		id := r.submit(Push{}).ID
		old := r.write(pc1)[0]
		r.bind(pc1, 2)
		r.tell(endpoint.Ended, pc1, 1)
		r.tell(endpoint.Available, pc1, 1)
		old.written(time.Now())
		time.Sleep(time.Second)
		r.wantTaken(pc1, id)
		r.wantHistory(id, "accepted", "sent", "accepted session_lost")
		r.wantMetric("signalbox_push_lanes", 1)
	})
}

// The endpoint was offline when the request began, and the new lane reads the store before the push is there.
func TestLaneThatComesWhileThePushIsStored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		r.store.commit = 50 * time.Millisecond
		c := make(chan ID, 1)
		go func() { c <- r.submit(Push{}).ID }()
		synctest.Wait()
		r.bind(pc1, 1)
		r.wantTaken(pc1)
		r.wantTaken(pc1, <-c)
	})
}

func TestSuspendedSessionKeepsWhatIsOnTheWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		r.bind(pc1, 1)
		first := r.submit(Push{}).ID
		r.write(pc1)
		r.setOpen(pc1, false)
		second := r.submit(Push{}).ID
		r.settle()
		r.wantTaken(pc1)
		r.setOpen(pc1, true)
		r.settle()
		r.wantTaken(pc1, second)
		if m := r.write(pc1)[0]; !m.delayed {
			t.Error("a push that waited for the session's return is not marked as delayed")
		}
		r.receipt(pc1, first)
		r.wantHistory(first, "accepted", "sent", "delivered")
	})
}

func TestFullSessionQueueLeavesPushesStored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		r.bind(pc1, 1)
		r.wire.sessions[pc1].capacity = 2
		var ids []ID
		for range 5 {
			ids = append(ids, r.submit(Push{}).ID)
		}
		r.wantTaken(pc1, ids[:2]...)
		r.write(pc1)
		r.settle()
		r.wantTaken(pc1, ids[2:4]...)
		r.write(pc1)
		r.settle()
		r.wantTaken(pc1, ids[4])
	})
}

// Nothing of ours is in the full queue, so no write of ours will wake the lane: the tick does.
func TestStalledLaneIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		r.bind(pc1, 1)
		r.wire.err = endpoint.ErrFull
		id := r.submit(Push{}).ID
		r.settle()
		r.wantTaken(pc1)
		r.wire.mu.Lock()
		r.wire.err = nil
		r.wire.mu.Unlock()
		time.Sleep(2 * tickPeriod)
		r.wantTaken(pc1, id)
	})
}

func TestReceiptFasterThanWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		r.bind(pc1, 1)
		id := r.submit(Push{}).ID
		r.wantTaken(pc1, id)
		r.receipt(pc1, id)
		r.write(pc1)
		r.settle()
		r.wantHistory(id, "accepted", "delivered")
	})
}

func TestSenderMayCallBackAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		waited := r.submit(Push{}).ID
		r.wire.sync = true
		r.bind(pc1, 1)
		fast := r.submit(Push{}).ID
		st, err := r.now(Push{Ack: AckNone})
		if err != nil {
			t.Fatal(err)
		}
		r.settle()
		for _, id := range []ID{waited, fast, st.ID} {
			r.wantHistory(id, "accepted", "sent")
		}
	})
}

func TestNowOrNever(t *testing.T) {
	wantState := func(t *testing.T, r *rig, want State) ID {
		t.Helper()
		st, err := r.now(Push{})
		if err != nil || st.State != want {
			t.Fatalf("Submit() = %s, %v, want %s", st.State, err, want)
		}
		if want == Expired {
			r.wantHistory(st.ID, "accepted", "expired offline")
			if n := len(st.History); n != 2 || st.History[1].Reason != ReasonOffline {
				t.Errorf("answered history %v", st.History)
			}
		}
		return st.ID
	}
	t.Run("no session", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) { wantState(t, newRig(t, nil), Expired) })
	})
	t.Run("suspended session", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, nil)
			r.bind(pc1, 1)
			r.setOpen(pc1, false)
			wantState(t, r, Expired)
		})
	})
	t.Run("full window", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, func(c *Config) { c.Window = 1 })
			r.bind(pc1, 1)
			r.submit(Push{})
			wantState(t, r, Expired)
		})
	})
	t.Run("full session queue", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, nil)
			r.bind(pc1, 1)
			r.wire.err = endpoint.ErrFull
			wantState(t, r, Expired)
		})
	})
	t.Run("online, payload from memory", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, nil)
			r.bind(pc1, 1)
			st, err := r.now(Push{Payload: []byte(`{"a": 1}`)})
			if err != nil || st.State != Accepted {
				t.Fatalf("Submit() = %s, %v", st.State, err)
			}
			if ms := r.write(pc1); len(ms) != 1 || string(ms[0].push.Payload) != `{"a":1}` {
				t.Fatalf("sent %+v", ms)
			}
			r.receipt(pc1, st.ID)
			r.wantHistory(st.ID, "accepted", "sent", "delivered")
		})
	})
	t.Run("session ends without a receipt", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, nil)
			r.bind(pc1, 1)
			id := wantState(t, r, Accepted)
			r.write(pc1)
			r.end(pc1)
			r.settle()
			r.wantHistory(id, "accepted", "sent", "expired offline")
		})
	})
	t.Run("session still opening", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, nil)
			waiting := r.submit(Push{}).ID
			r.store.reading = make(chan struct{})
			r.bind(pc1, 1)
			c := make(chan Status, 1)
			go func() {
				st, _ := r.now(Push{})
				c <- st
			}()
			r.settle()
			close(r.store.reading)
			st := <-c
			r.wantTaken(pc1, waiting, st.ID)
		})
	})
	for _, kind := range []endpoint.ChangeKind{endpoint.Suspended, endpoint.Ended} {
		t.Run(fmt.Sprintf("session goes while it opens, change %d", kind), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, nil)
				r.store.reading = make(chan struct{})
				r.bind(pc1, 1)
				c := make(chan State, 1)
				go func() {
					st, _ := r.now(Push{})
					c <- st.State
				}()
				r.settle()
				r.tell(kind, pc1, 1)
				if got := <-c; got != Expired {
					t.Errorf("Submit() = %s, want expired", got)
				}
				close(r.store.reading)
			})
		})
	}
	t.Run("window neither full nor ready to be refilled", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, func(c *Config) { c.Window = 4 })
			r.bind(pc1, 1)
			first := r.submit(Push{}).ID
			for range 4 {
				r.submit(Push{})
			}
			r.write(pc1)
			r.receipt(pc1, first)
			wantState(t, r, Expired)
			if n := len(r.taken(pc1)); n != 1 {
				t.Errorf("%d pushes sent, want the one that waited", n)
			}
		})
	})
	t.Run("repeated with its key", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, nil)
			key := NewIdempotency("tok", "k", nil)
			p := fill(Push{})
			p.TTL = 0
			for i := range 2 {
				st, err := r.svc.Submit(t.Context(), Request{Push: p, Idempotency: &key})
				if err != nil || st.State != Expired || st.Replayed != (i == 1) {
					t.Errorf("Submit() #%d = %s, replayed %v, %v", i, st.State, st.Replayed, err)
				}
			}
		})
	})
}

func TestExpiry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, func(c *Config) { c.Window = 1 })
		offline := r.submit(Push{To: endpoint.Key{Domain: pc1.Domain, ID: "pc-2"}, TTL: time.Minute}).ID
		r.bind(pc1, 1)
		unanswered := r.submit(Push{TTL: time.Minute, Ack: AckHandled}).ID
		r.write(pc1)
		r.receipt(pc1, unanswered)
		silent, last := r.submit(Push{TTL: time.Minute}).ID, r.submit(Push{}).ID
		r.write(pc1)
		r.wantTaken(pc1)
		time.Sleep(time.Minute + 2*tickPeriod)
		r.wantHistory(offline, "accepted", "expired ttl")
		r.wantHistory(silent, "accepted", "sent", "expired ttl")
		r.wantHistory(unanswered, "accepted", "sent", "delivered", "failed no_result")
		r.wantTaken(pc1, last) // the expired one gave its place back
		r.wantMetric("signalbox_push_transitions_total", 2, "expired")
	})
}

// The sweeper cannot run while the store fails; what is read after that must not be sent late.
func TestPushReadPastItsTTLIsNotSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		id := r.submit(Push{TTL: 500 * time.Millisecond}).ID
		r.store.reading = make(chan struct{})
		r.bind(pc1, 1)
		time.Sleep(700 * time.Millisecond)
		close(r.store.reading)
		r.settle()
		r.wantTaken(pc1)
		r.wantHistory(id, "accepted", "expired ttl")
	})
}

func TestCancel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		waiting := r.submit(Push{}).ID
		st, err := r.svc.Cancel(t.Context(), pc1.Domain, waiting)
		if err != nil || st.State != Cancelled {
			t.Errorf("Cancel() = %s, %v", st.State, err)
		}
		if st, err = r.svc.Cancel(t.Context(), pc1.Domain, waiting); !errors.Is(err, ErrState) || st.State != Cancelled {
			t.Errorf("second Cancel() = %s, %v, want ErrState", st.State, err)
		}
		if _, err = r.svc.Cancel(t.Context(), pc1.Domain, 99); !errors.Is(err, ErrUnknown) {
			t.Errorf("Cancel(unknown) = %v", err)
		}
		r.bind(pc1, 1)
		onTheWay := r.submit(Push{}).ID
		if _, err = r.svc.Cancel(t.Context(), pc1.Domain, onTheWay); !errors.Is(err, ErrState) {
			t.Errorf("Cancel(on the way) = %v, want ErrState", err)
		}
		r.wantTaken(pc1, onTheWay)
	})
}

// A worker has read the push as waiting when it is cancelled: it must not be sent after that.
func TestCancelWhileTheQueueIsRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		id := r.submit(Push{}).ID
		r.store.reading = make(chan struct{})
		r.bind(pc1, 1)
		if st, err := r.svc.Cancel(t.Context(), pc1.Domain, id); err != nil || st.State != Cancelled {
			t.Errorf("Cancel() = %s, %v", st.State, err)
		}
		close(r.store.reading)
		r.settle()
		r.wantTaken(pc1)
	})
}

// A receipt of the old session is committed while the new lane's read, which has seen the push as waiting, is still under way.
func TestReceiptWhileTheQueueIsRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		id := r.submit(Push{}).ID
		r.store.reading = make(chan struct{})
		r.bind(pc1, 1)
		r.receipt(pc1, id)
		close(r.store.reading)
		r.settle()
		r.wantTaken(pc1)
		r.wantHistory(id, "accepted", "delivered")
	})
}

func TestResultReasons(t *testing.T) {
	big := `"` + strings.Repeat("r", MaxResultBytes) + `"`
	for _, c := range []struct {
		name, text string
		ok         bool
		want       string
		kept       bool
	}{
		{"handled", `{"n":1}`, true, "handled", true},
		{"handled without result", "", true, "handled", true},
		{"handled, result too big", big, true, "handled result_dropped", false},
		{"failed", "", false, "failed failed", true},
		{"failed with its own words", `{"error":"no"}`, false, "failed failed", true},
		{"interrupted", `{"reason":"interrupted"}`, false, "failed interrupted", true},
		{"another reason", `{"reason":"exit_3","code":3}`, false, "failed exit_3", true},
		{"reason is not a name", `{"reason":"No such file"}`, false, "failed failed", true},
		{"reason is not a text", `{"reason":5}`, false, "failed failed", true},
		{"not an object", `[1]`, false, "failed failed", true},
		{"not JSON", `{"reason":`, false, "failed result_dropped", false},
		{"not UTF-8", "\"\xff\"", true, "handled result_dropped", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, nil)
				id := r.submit(Push{}).ID
				r.result(pc1, id, c.ok, c.text)
				r.wantHistory(id, "accepted", c.want)
				want := c.text
				if !c.kept {
					want = ""
				}
				if got := string(r.status(id).Result); got != want {
					t.Errorf("result = %q, want %q", got, want)
				}
			})
		})
	}
}

func TestUnknownReceiptIsConfirmed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		id := r.submit(Push{}).ID
		r.receipt(pc1, 77)
		r.receipt(endpoint.Key{Domain: pc1.Domain, ID: "other"}, id)
		r.wantMetric("signalbox_push_unknown_receipts_total", 2)
		r.wantHistory(id, "accepted")
	})
}

func TestFailedWritesAreTriedAgain(t *testing.T) {
	for _, err := range []error{ErrBusy, ErrNoSpace} {
		t.Run(err.Error(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, nil)
				r.bind(pc1, 1)
				id := r.submit(Push{}).ID
				r.write(pc1)
				r.settle()
				r.store.fail(err)
				done := make(chan error, 1)
				r.svc.Receipt(pc1, id, func(err error) { done <- err })
				time.Sleep(10 * time.Minute)
				select {
				case err := <-done:
					t.Fatalf("done(%v) before the receipt is durable", err)
				default:
				}
				r.store.fail(nil)
				if err := <-done; err != nil {
					t.Errorf("done(%v)", err)
				}
				r.wantHistory(id, "accepted", "sent", "delivered")
			})
		})
	}
}

// One write that the store can never take must neither stop the others nor be confirmed.
func TestPoisonedWriteIsGivenUpAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		bad, good := r.submit(Push{}).ID, r.submit(Push{}).ID
		badDone, goodDone := make(chan error, 1), make(chan error, 1)
		r.svc.Result(pc1, bad, true, []byte(`"poison"`), func(err error) { badDone <- err })
		r.svc.Receipt(pc1, good, func(err error) { goodDone <- err })
		if err := <-badDone; !errors.Is(err, errPoison) {
			t.Errorf("done(%v), want the store's error", err)
		}
		if err := <-goodDone; err != nil {
			t.Errorf("done(%v), want nil", err)
		}
	})
}

// The receipt could not be written: the push must go back to the queue when the session ends.
func TestGivenUpReceiptIsRedelivered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		r.bind(pc1, 1)
		id := r.submit(Push{}).ID
		r.write(pc1)
		r.settle()
		done := make(chan error, 1)
		r.svc.Result(pc1, id, true, []byte(`"poison"`), func(err error) { done <- err })
		if err := <-done; err == nil {
			t.Fatal("done(nil)")
		}
		r.wantMetric("signalbox_push_inflight", 1)
		r.end(pc1)
		r.settle()
		r.wantHistory(id, "accepted", "sent", "accepted session_lost")
	})
}

func TestTooManyResultsAreRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		r.store.fail(ErrNoSpace)
		text := []byte(`"` + strings.Repeat("r", MaxResultBytes/2) + `"`)
		refused := 0
		for i := range 2 * maxQueuedBytes / len(text) {
			r.svc.Result(pc1, ID(i+1), true, text, func(err error) {
				if errors.Is(err, ErrBusy) {
					refused++
				}
			})
		}
		if refused == 0 {
			t.Error("no result was refused")
		}
		r.store.fail(nil)
	})
}

func TestIdempotency(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		r.bind(pc1, 1)
		key := NewIdempotency("tok", "k1", []byte("body"))
		other := NewIdempotency("tok", "k1", []byte("other"))
		first, err := r.svc.Submit(t.Context(), Request{Push: fill(Push{}), Idempotency: &key})
		if err != nil {
			t.Fatal(err)
		}
		again, err := r.svc.Submit(t.Context(), Request{Push: fill(Push{}), Idempotency: &key})
		if err != nil || !again.Replayed || again.ID != first.ID {
			t.Errorf("repeated Submit() = %+v, %v", again, err)
		}
		if _, err = r.svc.Submit(t.Context(), Request{Push: fill(Push{}), Idempotency: &other}); !errors.Is(err, ErrKeyReused) {
			t.Errorf("Submit(other body) = %v, want ErrKeyReused", err)
		}
		r.wantTaken(pc1, first.ID)

		running := NewIdempotency("tok", "k2", nil)
		r.store.commit = time.Second
		answers := make(chan error, 1)
		go func() {
			_, err := r.svc.Submit(t.Context(), Request{Push: fill(Push{}), Idempotency: &running})
			answers <- err
		}()
		synctest.Wait()
		if _, err = r.svc.Submit(t.Context(), Request{Push: fill(Push{}), Idempotency: &running}); !errors.Is(err, ErrKeyBusy) {
			t.Errorf("Submit(running key) = %v, want ErrKeyBusy", err)
		}
		if err := <-answers; err != nil {
			t.Errorf("Submit() = %v", err)
		}
	})
}

func TestSubmitPassesTheStoresErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, func(c *Config) { c.QueueCount = 1 })
		if _, err := r.svc.Submit(t.Context(), Request{Push: fill(Push{To: endpoint.Key{Domain: pc1.Domain, ID: "unknown"}})}); !errors.Is(err, endpoint.ErrUnknown) {
			t.Errorf("Submit(unknown endpoint) = %v", err)
		}
		r.submit(Push{})
		if _, err := r.svc.Submit(t.Context(), Request{Push: fill(Push{})}); !errors.Is(err, ErrQueueFull) {
			t.Errorf("Submit(full queue) = %v", err)
		}
	})
}

func TestWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		r.bind(pc1, 1)
		id := r.submit(Push{}).ID
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if st, err := r.svc.Wait(ctx, pc1.Domain, id); !errors.Is(err, context.DeadlineExceeded) || st.State != Accepted {
			t.Errorf("Wait() = %s, %v, want accepted and the deadline", st.State, err)
		}
		states := make(chan State, 1)
		go func() {
			st, _ := r.svc.Wait(t.Context(), pc1.Domain, id)
			states <- st.State
		}()
		synctest.Wait()
		r.write(pc1)
		r.receipt(pc1, id)
		if got := <-states; got != Delivered {
			t.Errorf("Wait() = %s", got)
		}
		if st, err := r.svc.Wait(t.Context(), pc1.Domain, id); err != nil || st.State != Delivered {
			t.Errorf("Wait(ended) = %s, %v", st.State, err)
		}
		if n := len(r.svc.waiters); n != 0 {
			t.Errorf("%d waiters are left", n)
		}
	})
}

// What was queued when Run's context ends is written before Run returns; later receipts are refused.
func TestStopWritesWhatIsQueued(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		id := r.submit(Push{}).ID
		done := make(chan error, 1)
		r.svc.Receipt(pc1, id, func(err error) { done <- err })
		r.stop()
		if err := <-done; err != nil {
			t.Errorf("done(%v)", err)
		}
		r.wantHistory(id, "accepted", "delivered")
		r.svc.Receipt(pc1, id, func(err error) { done <- err })
		if err := <-done; !errors.Is(err, ErrStopped) {
			t.Errorf("done(%v) after the end, want ErrStopped", err)
		}
	})
}

func TestRecover(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		r.bind(pc1, 1)
		id := r.submit(Push{}).ID
		r.write(pc1)
		r.settle()
		if err := r.svc.Recover(t.Context()); err != nil {
			t.Fatal(err)
		}
		r.wantHistory(id, "accepted", "sent", "accepted server_restarted")
		r.store.fail(ErrNoSpace)
		if err := r.svc.Recover(t.Context()); !errors.Is(err, ErrNoSpace) {
			t.Errorf("Recover() = %v", err)
		}
		r.store.fail(nil)
	})
}

func TestListAndCount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		a, b := r.submit(Push{}).ID, r.submit(Push{}).ID
		r.receipt(pc1, a)
		sts, err := r.svc.List(t.Context(), pc1, "", 0, 10)
		if err != nil || len(sts) != 2 || sts[0].ID != b || sts[1].State != Delivered {
			t.Errorf("List() = %+v, %v", sts, err)
		}
		if n, err := r.svc.CountWaiting(t.Context(), pc1); n != 1 || err != nil {
			t.Errorf("CountWaiting() = %d, %v", n, err)
		}
	})
}

func TestNewRefusesBadConfigurationAndUsedRegistry(t *testing.T) {
	cfg := Config{Window: 0, QueueCount: -1, QueueBytes: 1, DefaultTTL: MaxTTL + 1}
	want := "window: must be 1 to 1024\nqueue_count: must be 1 to 1000000\nqueue_bytes: must be at least 65536, the largest payload\ndefault_ttl: must be 0s to 672h0m0s"
	_, err := New(cfg, nil, nil, zaptest.NewLogger(t), prometheus.NewRegistry())
	if err == nil {
		t.Fatal("New(bad configuration) = nil")
	}
	if diff := cmp.Diff(want, err.Error()); diff != "" {
		t.Errorf("New(bad configuration) (-want +got):\n%s", diff)
	}
	reg := prometheus.NewRegistry()
	if _, err := New(Default(), nil, nil, zaptest.NewLogger(t), reg); err != nil {
		t.Fatal(err)
	}
	if _, err := New(Default(), nil, nil, zaptest.NewLogger(t), reg); err == nil {
		t.Error("New() with metrics that are registered already = nil")
	}
}
