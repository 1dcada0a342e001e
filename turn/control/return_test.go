package control

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestReturnIsToldOnce: not for the first TURN process, nor when the connection to one that relays on was cut; once for each other one, which knows what is open by then.
func TestReturnIsToldOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeTURN()
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		w := &pipeWay{ctx: ctx, server: newFakeServer(f)}
		c := newClient(t, w)
		var told []string // what the TURN process had open when it was told
		c.OnReturn(func() { told = append(told, strings.Join(f.open(), " ")) })
		stop := run(t, c)
		defer stop()
		synctest.Wait()
		must(t, c.Open(t.Context(), session("a")))
		must(t, c.Open(t.Context(), session("b")))
		await := func(what string, s *Server, want ...string) {
			t.Helper()
			w.become(s)
			time.Sleep(2 * longPause)
			synctest.Wait()
			if strings.Join(told, ",") != strings.Join(want, ",") {
				t.Errorf("%s: told with %q open, want %q", what, told, want)
			}
		}
		await("the same one again", w.server)
		f = newFakeTURN()
		await("another one", newFakeServer(f), "a b")
		await("nobody", nil, "a b")
		f = newFakeTURN()
		await("another one after a while", newFakeServer(f), "a b", "a b")
	})
}

// TestReturnIsToldLater: a TURN process that was cut off before it knew all that is open, and is reached again, is one that has come back, too.
func TestReturnIsToldLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		told := 0
		c := newClient(t, nil)
		c.OnReturn(func() { told++ })
		enter := func(instance string) { c.enter(newCaller(nil), hello{Instance: instance}) }
		enter("1")
		c.sayReturned()
		enter("2") // which did not answer
		enter("2")
		c.sayReturned()
		c.sayReturned()
		if told != 1 {
			t.Errorf("told %d times, want once", told)
		}
	})
}
