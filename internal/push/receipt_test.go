package push

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"signalbox/internal/endpoint"
)

// A receipt shows that the push was written, also where we hear of the write later; the history has it once.
func TestReceiptFasterThanWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		r.bind(pc1, 1)
		id := r.submit(Push{}).ID
		r.wantTaken(pc1, id)
		r.receipt(pc1, id)
		r.write(pc1)
		r.settle()
		r.wantHistory(id, "accepted", "sent", "delivered")
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
