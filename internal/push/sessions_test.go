package push

import (
	"testing"
	"testing/synctest"
	"time"

	"signalbox/internal/endpoint"
)

func (r *rig) reads(l *lane) uint32 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.rounds
}

// An endpoint that said that it is not available takes nothing before it says otherwise, whatever happens to its connection.
func TestUnavailableOutlivesResumption(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		r.bind(pc1, 1)
		r.settle()
		before := r.reads(r.svc.lane(pc1))
		r.tell(endpoint.Unavailable, pc1, 1)
		r.setOpen(pc1, false)
		r.setOpen(pc1, true)
		id := r.submit(Push{}).ID
		time.Sleep(time.Minute)
		r.wantTaken(pc1)
		if n := r.reads(r.svc.lane(pc1)) - before; n != 0 {
			t.Errorf("%d reads of the store for a session that takes nothing", n)
		}
		r.wantMetric("signalbox_push_lanes", 0)
		r.tell(endpoint.Available, pc1, 1)
		r.settle()
		r.wantTaken(pc1, id)
		r.wantMetric("signalbox_push_lanes", 1)
	})
}

// A presence that is worked on while its connection is lost opens nothing.
func TestAvailableWhileSuspended(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		id := r.submit(Push{}).ID
		r.wire.sessions[pc1] = &session{epoch: 1}
		r.tell(endpoint.Bound, pc1, 1)
		r.tell(endpoint.Suspended, pc1, 1)
		r.tell(endpoint.Available, pc1, 1)
		time.Sleep(time.Minute)
		if n := r.reads(r.svc.lane(pc1)); n != 0 {
			t.Errorf("%d reads of the store for a suspended session", n)
		}
		r.setOpen(pc1, true)
		r.settle()
		r.wantTaken(pc1, id)
	})
}

// Nothing makes a lane for a session that has ended.
func TestNoLaneAfterTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		r.tell(endpoint.Bound, pc1, 1)
		r.tell(endpoint.Ended, pc1, 1)
		r.tell(endpoint.Available, pc1, 1)
		if r.svc.lane(pc1) != nil {
			t.Error("an ended session has a lane")
		}
	})
}

// An endpoint that comes back again and again while the disk is full must not fill the scribe's queue.
func TestOneBarrierPerEndpoint(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		id := r.submit(Push{}).ID
		r.store.fail(ErrNoSpace)
		r.svc.Receipt(pc1, 77, func(error) {}) // what the scribe is busy with
		r.settle()
		for epoch := range uint64(1000) {
			r.bind(pc1, epoch+1)
		}
		if n := r.svc.scribe.waiting(); n > 3 {
			t.Errorf("%d writes wait, want one barrier of the endpoint and one of the expiry", n)
		}
		r.wantTaken(pc1)
		r.store.fail(nil)
		time.Sleep(2 * longestBackoff)
		r.wantTaken(pc1, id)
	})
}

func (s *scribe) waiting() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.queue)
}

// The receipt could not be written, and the session that gave it is gone, or is another one by now: the push must not stay behind as sent.
func TestGivenUpReceiptOfALostSession(t *testing.T) {
	for _, newer := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, nil)
			r.bind(pc1, 1)
			id := r.submit(Push{}).ID
			r.write(pc1)
			r.settle()
			done := make(chan error, 1)
			r.svc.Result(pc1, id, true, []byte(`"poison"`), func(err error) { done <- err })
			r.end(pc1)
			if newer {
				r.bind(pc1, 2)
			}
			if err := <-done; err == nil {
				t.Fatal("done(nil)")
			}
			r.settle()
			r.wantHistory(id, "accepted", "sent", "accepted session_lost")
			if !newer {
				r.bind(pc1, 2)
			}
			r.settle()
			r.wantTaken(pc1, id)
			r.wantMetric("signalbox_push_inflight", 1)
		})
	}
}

// A receipt that the newer session repeated is given up: nothing is known of the push but that it is not on its way.
func TestGivenUpReceiptOfAnUnknownFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		r.bind(pc1, 1)
		id := r.submit(Push{}).ID
		r.write(pc1)
		r.settle()
		l := r.svc.lane(pc1)
		r.svc.release(l, id) // as if another session had sent it
		done := make(chan error, 1)
		r.svc.Result(pc1, id, true, []byte(`"poison"`), func(err error) { done <- err })
		if err := <-done; err == nil {
			t.Fatal("done(nil)")
		}
		r.settle()
		r.wantTaken(pc1, id)
		r.wantHistory(id, "accepted", "sent", "accepted session_lost")
	})
}
