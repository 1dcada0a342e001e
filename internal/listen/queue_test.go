package listen

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

var (
	crowd = netip.MustParseAddr("192.0.2.1")
	other = netip.MustParseAddr("192.0.2.2")
	third = netip.MustParseAddr("192.0.2.3")
)

// TestQueueTurns has a crowd of one source and single ones of others: the sources take turns, one source is first in, first out.
func TestQueueTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(1, 10)
		if !q.tryEnter() || q.tryEnter() {
			t.Fatal("tryEnter() does not follow the one slot")
		}
		var order []string
		wait := func(name string, source netip.Addr) {
			go func() {
				if err := q.enter(t.Context(), source); err != nil {
					t.Error(err)
				}
				order = append(order, name) // one at a time: they hold the slot
				q.leave()
			}()
			synctest.Wait()
		}
		wait("crowd 1", crowd)
		wait("crowd 2", crowd)
		wait("crowd 3", crowd)
		wait("other 1", other)
		wait("third 1", third)
		wait("other 2", other)
		q.leave()
		synctest.Wait()
		want := []string{"crowd 1", "other 1", "third 1", "crowd 2", "other 2", "crowd 3"}
		if diff := cmp.Diff(want, order); diff != "" {
			t.Errorf("order (-want +got)\n%s", diff)
		}
		if busy, waiting := q.load(); busy != 0 || waiting != 0 || len(q.lines) != 0 || q.first != nil {
			t.Errorf("left over: busy %d, waiting %d, lines %d", busy, waiting, len(q.lines))
		}
	})
}

// TestQueueShare has a crowd that leaves room for others.
func TestQueueShare(t *testing.T) {
	q := newQueue(1, 5)
	q.tryEnter()
	for _, step := range []struct {
		source netip.Addr
		full   bool
	}{{crowd, false}, {crowd, false}, {crowd, true}, {other, false}, {crowd, true}, {other, false}, {third, false}, {third, true}} {
		q.mu.Lock()
		if got := q.fullLocked(step.source); got != step.full {
			t.Fatalf("%d wait, full for %v = %v, want %v", q.waiting, step.source, got, step.full)
		}
		if !step.full {
			q.pushLocked(step.source)
		}
		q.mu.Unlock()
	}
}

func TestQueueBounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(1, 1)
		q.tryEnter()
		late := make(chan error, 1)
		go func() {
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			late <- q.enter(ctx, crowd)
		}()
		synctest.Wait()
		if err := q.enter(t.Context(), other); !errors.Is(err, errQueueFull) {
			t.Errorf("enter() on a full queue = %v, want %v", err, errQueueFull)
		}
		if err := <-late; !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("enter() after its time = %v, want %v", err, context.DeadlineExceeded)
		}
		q.leave()
		if busy, waiting := q.load(); busy != 0 || waiting != 0 {
			t.Errorf("left over: busy %d, waiting %d", busy, waiting)
		}
	})
}

// TestQueueModel compares with a simple model: never more than slots are in, no slot is idle while somebody waits, nobody is lost.
func TestQueueModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		q := newQueue(rapid.IntRange(1, 3).Draw(rt, "slots"), 1000)
		var in int
		var tickets []*ticket
		rt.Repeat(map[string]func(*rapid.T){
			"enter": func(rt *rapid.T) {
				if q.tryEnter() {
					in++
					return
				}
				q.mu.Lock()
				defer q.mu.Unlock()
				tickets = append(tickets, q.pushLocked(rapid.SampledFrom([]netip.Addr{crowd, other, third}).Draw(rt, "source")))
			},
			"leave": func(rt *rapid.T) {
				if in == 0 {
					rt.Skip("nobody is in")
				}
				in--
				q.leave()
			},
			"give up": func(rt *rapid.T) {
				if len(tickets) == 0 {
					rt.Skip("nobody waits")
				}
				i := rapid.IntRange(0, len(tickets)-1).Draw(rt, "who")
				q.mu.Lock()
				defer q.mu.Unlock()
				q.dropLocked(tickets[i])
				tickets = slices.Delete(tickets, i, i+1)
			},
			"": func(rt *rapid.T) {
				tickets = slices.DeleteFunc(tickets, func(k *ticket) bool {
					select {
					case <-k.ready:
						in++
						return true
					default:
						return false
					}
				})
				busy, waiting := q.load()
				if busy != in || waiting != len(tickets) || busy > q.slots || (waiting > 0 && busy < q.slots) {
					rt.Fatalf("busy %d, waiting %d of %d slots; the model has %d and %d", busy, waiting, q.slots, in, len(tickets))
				}
			},
		})
	})
}

func TestSourceOf(t *testing.T) {
	for in, want := range map[string]string{
		"192.0.2.1": "192.0.2.1", "::ffff:192.0.2.1": "192.0.2.1", "2001:db8:1:2:3:4:5:6": "2001:db8:1:2::", "fe80::1%eth0": "fe80::",
	} {
		if got := sourceOf(netip.MustParseAddr(in)).String(); got != want {
			t.Errorf("sourceOf(%s) = %s, want %s", in, got, want)
		}
	}
}
