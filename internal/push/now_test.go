package push

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"signalbox/internal/endpoint"
)

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
	t.Run("session ends before the write", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, nil)
			r.bind(pc1, 1)
			id := wantState(t, r, Accepted)
			r.end(pc1)
			r.settle()
			r.wantHistory(id, "accepted", "expired offline")
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
			r.wantHistory(id, "accepted", "sent")
			time.Sleep(NowGrace + 2*tickPeriod)
			r.wantHistory(id, "accepted", "sent", "expired no_receipt")
		})
	})
	t.Run("the answer comes in the next session", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, nil)
			r.bind(pc1, 1)
			st, err := r.now(Push{Ack: AckHandled})
			if err != nil {
				t.Fatal(err)
			}
			r.write(pc1)
			r.end(pc1)
			r.settle()
			r.bind(pc1, 2)
			r.result(pc1, st.ID, true, `{}`)
			r.wantHistory(st.ID, "accepted", "sent", "handled")
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
}
