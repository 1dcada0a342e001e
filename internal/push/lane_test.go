package push

import (
	"testing"
	"testing/synctest"
	"time"

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
		time.Sleep(2 * time.Second)
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

// TestReadSeesThePushOfARequest: a read that has begun sees a push that is stored meanwhile, and the answer to its request comes when the round is over. It is sent once.
func TestReadSeesThePushOfARequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := idleRig(t)
		r.store.lag, r.store.begun = time.Second, make(chan struct{})
		r.start(nil, r.wire)
		r.bind(pc1, 1) // its round waits for the rows
		go r.submit(Push{})
		time.Sleep(100 * time.Millisecond)
		close(r.store.begun)
		time.Sleep(10 * time.Second)
		if got := r.taken(pc1); len(got) != 1 {
			t.Errorf("sent %v, want one push once", got)
		}
	})
}

// TestOldestInflight: a receipt is owed since the push was accepted or the session took pushes, whichever came later, and by no session that takes none.
func TestOldestInflight(t *testing.T) {
	const metric = "signalbox_push_oldest_inflight_seconds"
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		waited := r.submit(Push{}).ID
		advance := func(d time.Duration) {
			time.Sleep(d)
			synctest.Wait()
		}
		advance(time.Minute)
		r.wantMetric(metric, 0)
		began := time.Now()
		r.bind(pc1, 1)
		r.settle()
		advance(10 * time.Second)
		newer := r.submit(Push{}).ID
		advance(5 * time.Second)
		r.wantMetric(metric, time.Since(began).Seconds())
		r.write(pc1)
		r.receipt(pc1, waited)
		r.settle()
		owed := r.svc.oldestInflight()
		if owed < 5 || owed >= 10 {
			t.Errorf("after the receipt of the older push %v s are owed, want those since the newer one, 5 to 10", owed)
		}
		r.setOpen(pc1, false)
		r.wantMetric(metric, 0)
		r.setOpen(pc1, true)
		r.settle()
		r.write(pc1)
		r.receipt(pc1, newer)
		r.settle()
		r.wantMetric(metric, 0)
	})
}
