package im

import (
	"strings"
	"testing"
)

const hello = "<message to='bob@x.test' type='chat'><body>hello</body><no-permanent-store xmlns='urn:xmpp:hints'/></message>"

// TestKeptWhileClientArrives: a message that is put aside while its recipient comes does not wait for the next time.
func TestKeptWhileClientArrives(t *testing.T) {
	w := newWorld(t)
	alice, bob := w.bind("alice", "pc"), w.bind("bob", "pc")
	w.store.queue = func() { w.says(bob, "<presence/>") }
	if a := w.says(alice, hello); a.Condition != "" {
		t.Fatalf("answer: %+v", a)
	}
	if got := bob.take(); strings.Count(got, "hello") != 1 {
		t.Errorf("bob got %s", got)
	}
	if n, err := w.accounts.CountOffline(t.Context(), key("bob")); n != 0 || err != nil {
		t.Errorf("%d messages wait, %v", n, err)
	}
}

// TestKeptMessagesComeOnce: also to a client that comes, goes, and comes at once.
func TestKeptMessagesComeOnce(t *testing.T) {
	w := newWorld(t)
	alice, bob := w.bind("alice", "pc"), w.bind("bob", "pc")
	for range 20 {
		w.says(alice, hello)
		w.says(bob, "<presence/>")
		w.says(bob, "<presence type='unavailable'/>")
		w.says(bob, "<presence/>")
		w.says(bob, "<presence type='unavailable'/>")
		if got := bob.take(); strings.Count(got, "hello") != 1 {
			t.Fatalf("bob got %s", got)
		}
	}
}
