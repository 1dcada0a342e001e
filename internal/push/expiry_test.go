package push

import (
	"testing"
	"testing/synctest"
	"time"

	"signalbox/internal/endpoint"
)

// What came before the TTL ended counts, also where the disk takes it after that.
func TestExpiryNeverOvertakesAnswers(t *testing.T) {
	for _, err := range []error{ErrBusy, ErrNoSpace} {
		t.Run(err.Error(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, nil)
				r.bind(pc1, 1)
				handled, delivered := r.submit(Push{TTL: 10 * time.Second, Ack: AckHandled}).ID, r.submit(Push{TTL: 10 * time.Second}).ID
				r.write(pc1)
				r.settle()
				r.store.fail(err)
				confirmed := make(chan error, 2)
				done := func(err error) { confirmed <- err }
				r.svc.Result(pc1, handled, true, []byte(`{}`), done)
				r.svc.Receipt(pc1, delivered, done)
				time.Sleep(20 * time.Second)
				r.store.fail(nil) // while the scribe pauses between two tries
				time.Sleep(20 * time.Second)
				for range 2 {
					if err := <-confirmed; err != nil {
						t.Errorf("done(%v)", err)
					}
				}
				r.wantHistory(handled, "accepted", "sent", "handled")
				r.wantHistory(delivered, "accepted", "sent", "delivered")
			})
		})
	}
}

// Whoever waits for the disk, lanes that stalled are tried again meanwhile.
func TestExpiryHoldsUpNoLane(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		r.bind(pc1, 1)
		r.wire.err = endpoint.ErrFull
		id := r.submit(Push{}).ID
		r.settle()
		r.store.commit = time.Minute
		r.svc.Receipt(pc1, 77, func(error) {})
		time.Sleep(5 * time.Second)
		r.wire.mu.Lock()
		r.wire.err = nil
		r.wire.mu.Unlock()
		time.Sleep(2 * tickPeriod)
		r.wantTaken(pc1, id)
	})
}

// The store ends pushes in one transaction and fails in the next.
func TestWhatEndedBeforeAnErrorCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, func(c *Config) { c.Window = 1 })
		r.store.failPartly(ErrNoSpace)
		r.bind(pc1, 1)
		silent, next := r.submit(Push{TTL: 10 * time.Second}).ID, r.submit(Push{}).ID
		r.write(pc1)
		ended := make(chan State, 1)
		go func() {
			st, _ := r.svc.Wait(t.Context(), pc1.Domain, silent)
			ended <- st.State
		}()
		time.Sleep(15 * time.Second)
		synctest.Wait()
		select {
		case st := <-ended:
			if st != Expired {
				t.Errorf("Wait() = %s, want expired", st)
			}
		default:
			t.Error("who waits for the push was not told of its end")
		}
		r.wantTaken(pc1, next)
	})
}
