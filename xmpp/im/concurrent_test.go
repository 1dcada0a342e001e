package im

import (
	"context"
	"math/rand/v2"
	"regexp"
	"strings"
	"sync"
	"testing"
)

var presencePattern = regexp.MustCompile(`<presence[^>]*from='(alice@x\.test/[a-z]+)'`)

// TestPresenceIsTrueInTheEnd: clients of an account come, go, are replaced and cut off, all at once, while the contact comes, goes and asks. When it is quiet, a contact knows who is there.
func TestPresenceIsTrueInTheEnd(t *testing.T) {
	w := newWorld(t)
	bob := w.bind("bob", "pc")
	w.says(bob, "<presence/>")
	ctx, stop := context.WithCancel(t.Context())
	var worker, all sync.WaitGroup
	worker.Go(func() { _ = w.Run(ctx) })
	for _, resource := range []string{"pc", "phone"} {
		for range 2 { // two machines with one resource
			all.Go(func() {
				for range 60 {
					c := w.bind("alice", resource)
					var both sync.WaitGroup
					both.Go(func() {
						w.says(c, "<presence/>")
						w.says(c, "<presence to='bob@x.test/pc'/>")
						if rand.IntN(2) == 0 {
							w.says(c, "<presence type='unavailable'/>")
							w.says(c, "<presence/>")
						}
					})
					if rand.IntN(2) == 0 {
						w.end(c)
					}
					both.Wait()
				}
			})
		}
	}
	all.Go(func() {
		for range 100 {
			w.says(bob, "<presence to='alice@x.test' type='probe'/>")
			w.says(bob, "<presence type='unavailable'/>")
			w.says(bob, "<presence/>")
		}
	})
	all.Wait()
	stop()
	worker.Wait()

	seen := map[string]bool{}
	for _, p := range strings.SplitAfter(bob.take(), "/>") {
		if p == "<presence type='unavailable' from='bob@x.test/pc'/>" {
			clear(seen) // he is told anew when he comes back
		}
		if m := presencePattern.FindStringSubmatch(p); m != nil {
			seen[m[1]] = !strings.Contains(p, "unavailable")
		}
	}
	for _, resource := range []string{"pc", "phone"} {
		jid := "alice@x.test/" + resource
		there := w.client(Address{key("alice"), resource})
		if want := there != nil && there.State().Presence().Available; seen[jid] != want {
			t.Errorf("bob knows %s as available: %v, want %v", jid, seen[jid], want)
		}
	}
}
