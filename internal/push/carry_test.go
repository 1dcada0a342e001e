package push

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"signalbox/internal/endpoint"
)

// restarted is a service over the store of another one that does not run any more: it recovers all but what the session of pc1 carries, which is restored.
func restarted(t *testing.T, before *rig) *rig {
	t.Helper()
	carried := before.svc.Carried(pc1)
	r := idleRig(t)
	r.store.close()
	r.store, r.carried = before.store, map[ID]bool{}
	for _, c := range carried {
		r.carried[c.ID] = true
	}
	r.start(nil, r.wire)
	r.wire.sessions[pc1] = &session{epoch: 2}
	r.tell(endpoint.Bound, pc1, 2)
	r.tell(endpoint.Available, pc1, 2)
	r.tell(endpoint.Suspended, pc1, 2)
	r.svc.Carry(pc1, carried)
	synctest.Wait()
	return r
}

// TestCarry: what a session has on the way is not sent again by another service that goes on with that session, and returns to the queue with its end.
func TestCarry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		before := newRig(t, nil)
		before.bind(pc1, 1)
		written := before.submit(Push{}).ID
		before.write(pc1)
		receipted := before.submit(Push{}).ID
		before.write(pc1)
		before.receipt(pc1, receipted)
		handed := before.submit(Push{}).ID
		before.settle()
		before.setOpen(pc1, false)
		if err := before.svc.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		other := before.submit(Push{}).ID

		r := restarted(t, before)
		r.setOpen(pc1, true)
		r.settle()
		if got := r.taken(pc1); len(got) != 1 || got[0] != other {
			t.Errorf("sent to the restored session: %v, want %v alone", got, other)
		}
		r.wantHistory(written, "accepted", "sent")
		r.wantHistory(handed, "accepted")
		r.svc.Wrote(pc1, handed)(time.Now())
		r.settle()
		r.wantHistory(handed, "accepted", "sent")
		r.receipt(pc1, written)
		r.settle()
		r.wantHistory(written, "accepted", "sent", "delivered")
		r.end(pc1)
		r.settle()
		r.wantHistory(written, "accepted", "sent", "delivered")
		r.wantHistory(handed, "accepted", "sent", "accepted session_lost")
		r.wantHistory(receipted, "accepted", "sent", "delivered")
		r.svc.Wrote(pc1, handed)(time.Now()) // too late: it says nothing
		r.settle()
		r.wantHistory(handed, "accepted", "sent", "accepted session_lost")
	})
}

// TestCarryWithoutSession: where no session was restored, what it carried returns at once.
func TestCarryWithoutSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		r.bind(pc1, 1)
		id := r.submit(Push{}).ID
		r.write(pc1)
		r.settle()
		carried := r.svc.Carried(pc1)
		after := idleRig(t)
		after.store.close()
		after.store, after.carried = r.store, map[ID]bool{id: true}
		after.start(nil, after.wire)
		after.wantHistory(id, "accepted", "sent")
		after.svc.Carry(pc1, carried)
		after.settle()
		after.wantHistory(id, "accepted", "sent", "accepted session_lost")
		if got := after.svc.Carried(pc1); got != nil {
			t.Errorf("Carried without a session = %v", got)
		}
	})
}

// TestDrop: what a session carried that was not restored returns to the queue, and goes out on the session that there is.
func TestDrop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		r.bind(pc1, 1)
		id := r.submit(Push{}).ID
		r.write(pc1)
		r.settle()
		carried := r.svc.Carried(pc1)
		after := idleRig(t)
		after.store.close()
		after.store, after.carried = r.store, map[ID]bool{id: true}
		after.start(nil, after.wire)
		after.bind(pc1, 2)
		after.settle()
		after.svc.Drop(pc1, carried)
		after.settle()
		after.write(pc1)
		after.settle()
		after.wantHistory(id, "accepted", "sent", "accepted session_lost", "sent")
	})
}

func TestFlushAfterTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		r.stop()
		if err := r.svc.Flush(t.Context()); !errors.Is(err, ErrStopped) {
			t.Errorf("Flush = %v", err)
		}
	})
}
