package push

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// hurriedCancel cancels for a caller that waits a second.
func (r *rig) hurriedCancel(id ID) error {
	ctx, cancel := context.WithTimeout(r.t.Context(), time.Second)
	defer cancel()
	_, err := r.svc.Cancel(ctx, pc1.Domain, id)
	return err
}

// Callers that cancel while the disk is full give up and come again: what they leave behind is bounded and takes no receipt's place.
func TestCancelsDoNotPileUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		ids := make([]ID, 2*maxCancels)
		for i := range ids {
			ids[i] = ID(i + 1)
			r.store.rows[ids[i]] = &row{Status: Status{Push: fill(Push{ID: ids[i], Created: time.Now()}), State: Accepted, History: []Change{{State: Accepted}}}}
		}
		r.store.fail(ErrNoSpace)
		first := make(chan error, 1)
		go func() { first <- r.hurriedCancel(ids[0]) }()
		synctest.Wait()
		if err := r.hurriedCancel(ids[0]); !errors.Is(err, ErrBusy) {
			t.Errorf("second Cancel() of a push = %v, want ErrBusy", err)
		}
		if err := <-first; !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Cancel() = %v, want the deadline", err)
		}
		refused := make(chan error, len(ids))
		for _, id := range ids[1:] {
			go func() { refused <- r.hurriedCancel(id) }()
		}
		busy := 0
		for range ids[1:] {
			if errors.Is(<-refused, ErrBusy) {
				busy++
			}
		}
		if want := len(ids) - maxCancels; busy != want {
			t.Errorf("%d cancels refused, want %d", busy, want)
		}
		receipt := make(chan error, 1)
		r.svc.Receipt(pc1, ids[0], func(err error) { receipt <- err })
		r.store.fail(nil)
		if err := <-receipt; err != nil {
			t.Errorf("done(%v) of a receipt behind the cancels", err)
		}
		r.wantHistory(ids[0], "accepted", "cancelled cancelled")
		if _, err := r.svc.Cancel(t.Context(), pc1.Domain, ids[len(ids)-1]); err != nil && !errors.Is(err, ErrState) {
			t.Errorf("Cancel() after the disk has room = %v", err)
		}
		if n := len(r.svc.cancels); n != 0 {
			t.Errorf("%d cancels are left", n)
		}
	})
}

// TestCancelBeforeItIsHandedOver: a push that is cancelled between its acceptance and the moment when its request hands it over is not sent.
func TestCancelBeforeItIsHandedOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		r.bind(pc1, 1)
		accept := func(p Push) (ticket, Push) {
			own := r.svc.enter(pc1)
			st, err := r.store.AcceptPush(t.Context(), Submission{Push: p, Queue: r.svc.bound()})
			if err != nil {
				t.Fatal(err)
			}
			return own, st.Push
		}
		own, p := accept(fill(Push{}))
		if st, err := r.svc.Cancel(t.Context(), pc1.Domain, p.ID); err != nil || st.State != Cancelled {
			t.Fatalf("Cancel() = %s, %v", st.State, err)
		}
		r.svc.hand(own, p)
		r.wantTaken(pc1)

		now := fill(Push{})
		now.TTL = 0
		own, p = accept(now)
		if _, err := r.svc.Cancel(t.Context(), pc1.Domain, p.ID); !errors.Is(err, ErrState) {
			t.Errorf("Cancel() of one with TTL 0 = %v, want ErrState", err)
		}
		<-r.svc.decideNow(own, p)
		r.wantTaken(pc1, p.ID)
	})
}
