package im

import (
	"strings"
	"testing"

	"signalbox/internal/endpoint"
)

const (
	aliceHere = "<presence from='alice@x.test/pc'/>"
	aliceGone = "<presence type='unavailable' from='alice@x.test/pc'/>"
)

// TestTakeoverEndsAvailable: the end of the session that was replaced is not news about the one that took its address.
func TestTakeoverEndsAvailable(t *testing.T) {
	w := newWorld(t)
	bob := w.bind("bob", "pc")
	w.says(bob, "<presence/>")
	w.says(w.bind("alice", "pc"), "<presence/>")
	again := w.bind("alice", "pc")
	w.says(again, "<presence/>")
	w.work()
	if got := bob.take(); !strings.HasSuffix(got, aliceHere) {
		t.Errorf("bob got %s, want alice available at last", got)
	}
	again.take()
	w.end(again)
	w.work()
	if got := bob.take(); got != aliceGone {
		t.Errorf("after the end bob got %s", got)
	}
}

// TestEndDuringArrival: a client whose session ends while its initial presence is on its way stays available for nobody.
func TestEndDuringArrival(t *testing.T) {
	w := newWorld(t)
	bob := w.bind("bob", "pc")
	w.says(bob, "<presence/>")
	bob.take()
	alice := w.bind("alice", "pc")
	w.store.pause = func(endpoint.Key) {
		w.store.pause = nil
		w.end(alice)
		w.work()
	}
	w.says(alice, "<presence/>")
	w.work()
	if got := bob.take(); strings.HasSuffix(got, aliceHere) {
		t.Errorf("alice has ended, and bob got %s", got)
	}
}

// TestPresenceAfterTheEnd: what the reader still handles when the session has ended makes nobody available.
func TestPresenceAfterTheEnd(t *testing.T) {
	w := newWorld(t)
	bob := w.bind("bob", "pc")
	w.says(bob, "<presence/>")
	bob.take()
	alice := w.bind("alice", "pc")
	w.end(alice)
	w.says(alice, "<presence/>")
	w.says(alice, "<presence to='bob@x.test/pc'/>")
	w.work()
	if got := bob.take(); got != "" {
		t.Errorf("alice has ended, and bob got %s", got)
	}
}

// TestDirectedPresenceEnds: whoever was shown a presence hears of its end, also where the client never was available for others, and below priority 0.
func TestDirectedPresenceEnds(t *testing.T) {
	w := newWorld(t)
	carol := w.bind("carol", "pc")
	w.says(carol, "<presence><priority>-1</priority></presence>")
	carol.take()
	for _, tc := range []struct {
		name, to string
		first    bool // initial presence before
	}{
		{"to a full JID", "carol@x.test/pc", true},
		{"to a bare JID", "carol@x.test", true},
		{"to a full JID without initial presence", "carol@x.test/pc", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			alice := w.bind("alice", "pc")
			if tc.first {
				w.says(alice, "<presence/>")
			}
			w.says(alice, "<presence to='"+tc.to+"'/>")
			if got := carol.take(); !strings.HasPrefix(got, "<presence ") {
				t.Fatalf("carol was shown %q", got)
			}
			w.end(alice)
			w.work()
			if got := carol.take(); got != aliceGone {
				t.Errorf("after the end carol got %q", got)
			}
		})
	}
}
