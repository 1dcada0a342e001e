package xmpp

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"signalbox/internal/endpoint"
	"signalbox/internal/push"
	"signalbox/xmpp/transport"
)

const ask = "<r xmlns='urn:xmpp:sm:3'/>"

func receipt(id push.ID) string {
	return "<message to='" + testDomain + "'><received xmlns='urn:xmpp:receipts' id='" + id.String() + "'/></message>"
}

// TestCountWaitsForTheStore: h covers a receipt only after it is committed, and everything behind it waits, too (SPEC section 6).
func TestCountWaitsForTheStore(t *testing.T) {
	b := newBench(t)
	k, _ := b.resumable(t)
	k.feed(receipt(1) + "<presence/>" + receipt(2) + ask)
	if got := k.wire.take(); got != "<a xmlns='urn:xmpp:sm:3' h='1'/>" { // the presence of resumable
		t.Errorf("before the commit: %s", got)
	}
	b.answers.done[1](nil)
	if got := k.wire.take(); got != "" {
		t.Errorf("after the commit of the later one: %s, want nothing", got)
	}
	b.answers.done[0](nil)
	if got := k.wire.take(); got != "<a xmlns='urn:xmpp:sm:3' h='4'/>" { // owed since it asked
		t.Errorf("after both commits: %q", got)
	}
}

// TestFailedCommitIsNeverCounted: the stream ends, and the endpoint sends the stanza again when it resumes.
func TestFailedCommitIsNeverCounted(t *testing.T) {
	b := newBench(t)
	k, id := b.resumable(t)
	k.feed(receipt(1))
	b.answers.done[0](errors.New("disk full"))
	if got := k.wire.take(); !strings.Contains(got, "<resource-constraint ") || !k.wire.ended() {
		t.Errorf("after the failure: %s", got)
	}
	if got := b.changes.String(); got != "bound available suspended:not_stored" {
		t.Errorf("changes: %s", got)
	}
	again := b.connect(t)
	again.feed(header + authPC1 + header + "<resume xmlns='urn:xmpp:sm:3' previd='" + id + "' h='0'/>")
	if got := again.wire.take(); !strings.Contains(got, "<resumed xmlns='urn:xmpp:sm:3' previd='"+id+"' h='1'/>") {
		t.Errorf("resumed: %s", got)
	}
	again.feed(receipt(1) + receipt(2) + ask)
	b.answers.done[0](nil) // a late answer to the first round counts nothing
	if got := again.wire.take(); got != "<a xmlns='urn:xmpp:sm:3' h='1'/>" {
		t.Errorf("count after the resumption = %s, want 1", got)
	}
	b.answers.done[1](nil)
	b.answers.done[2](nil)
	if got := again.wire.take(); got != "<a xmlns='urn:xmpp:sm:3' h='3'/>" {
		t.Errorf("count after the commits = %s, want 3", got)
	}
}

func TestResumptionSendsAgainInOrder(t *testing.T) {
	b := newBench(t)
	k, id := b.resumable(t)
	for _, s := range []string{"<message id='1'/>", "<message id='2'/>", "<message id='3'/>"} {
		if err := b.deliver(t, s); err != nil {
			t.Fatal(err)
		}
	}
	if got := k.wire.take(); got != "<message id='1'/>"+ask+"<message id='2'/><message id='3'/>" {
		t.Errorf("sent %s", got)
	}
	k.feed("<a xmlns='urn:xmpp:sm:3' h='1'/>")
	k.wire.take()
	k.lose()
	if err := b.deliver(t, "<message id='4'/>"); !errors.Is(err, endpoint.ErrOffline) {
		t.Errorf("delivery to a suspended session: %v, want ErrOffline", err)
	}
	again := b.connect(t)
	again.feed(header + authPC1 + header + "<resume xmlns='urn:xmpp:sm:3' previd='" + id + "' h='2'/>")
	_, got, _ := strings.Cut(again.wire.take(), "<resumed")
	if want := " xmlns='urn:xmpp:sm:3' previd='" + id + "' h='1'/><message id='3'/>" + ask; got != want {
		t.Errorf("after resumption: %s\nwant %s", got, want)
	}
	if again.next != transport.Settle && again.next != transport.Read {
		t.Errorf("next = %v", again.next)
	}
	if got := b.changes.String(); got != "bound available suspended:connection_lost resumed" {
		t.Errorf("changes: %s", got)
	}
}

// TestLaggingCountIsNotAskedForAtOnce: an endpoint that counts too few, or is still busy with a stanza, would otherwise be asked as fast as it answers.
func TestLaggingCountIsNotAskedForAtOnce(t *testing.T) {
	b := newBench(t)
	k, _ := b.resumable(t)
	for range requestEvery + 2 {
		if err := b.deliver(t, "<message/>"); err != nil {
			t.Fatal(err)
		}
	}
	k.wire.take()
	for _, tc := range []struct{ h, want string }{{"0", ""}, {"1", ask}, {"1", ""}} {
		k.feed("<a xmlns='urn:xmpp:sm:3' h='" + tc.h + "'/>")
		if got := k.wire.take(); got != tc.want {
			t.Errorf("after h = %s: %q, want %q", tc.h, got, tc.want)
		}
	}
	if err := b.deliver(t, "<message/>"); err != nil {
		t.Fatal(err)
	}
	if got := k.wire.take(); got != "<message/>"+ask {
		t.Errorf("with the next stanza: %s", got)
	}
}

// TestResumptionTakesOverALiveStream: the endpoint noticed the loss before we did (XEP-0198 section 5).
func TestResumptionTakesOverALiveStream(t *testing.T) {
	b := newBench(t)
	k, id := b.resumable(t)
	again := b.connect(t)
	again.feed(header + authPC1 + header + "<resume xmlns='urn:xmpp:sm:3' previd='" + id + "' h='0'/>")
	if got := k.wire.take(); !strings.Contains(got, "<conflict ") {
		t.Errorf("the old stream got %s, want a conflict", got)
	}
	k.feed(receipt(7))
	k.Closed(nil)
	if len(b.answers.text) != 0 {
		t.Errorf("the old stream was listened to: %v", b.answers.text)
	}
	if err := b.deliver(t, "<message id='1'/>"); err != nil {
		t.Errorf("delivery on the new stream: %v", err)
	}
	if got := b.changes.String(); got != "bound available" {
		t.Errorf("changes: %s, want no sign of the loss", got)
	}
}

func TestImpossibleCounts(t *testing.T) {
	for _, h := range []string{"1", "-1", "x", "", "4294967296", "4294967295"} {
		b := newBench(t)
		k, _ := b.resumable(t)
		k.feed("<a xmlns='urn:xmpp:sm:3' h='" + h + "'/>")
		if got := k.wire.take(); !strings.Contains(got, "<undefined-condition ") || !k.wire.ended() {
			t.Errorf("h=%q: %s", h, got)
		}
	}
}

// TestCountersWrap: counters are modulo 2^32 (XEP-0198 section 4).
func TestCountersWrap(t *testing.T) {
	m := management{enabled: true, acked: 1<<32 - 2}
	for range 4 {
		m.sentLocked(&outbound{raw: []byte("x")})
	}
	if _, ok := m.acknowledgeLocked(1); !ok || len(m.unacked) != 1 || m.bytes != 1 {
		t.Errorf("after the wrap: %d unacked of %d bytes, want 1 of 1", len(m.unacked), m.bytes)
	}
	if _, ok := m.acknowledgeLocked(3); ok {
		t.Error("3 was acknowledged, though 2 is the last")
	}
}

// TestQueueIsBoundedInBytes: attack rows 24 and 43.
func TestQueueIsBoundedInBytes(t *testing.T) {
	b := newBench(t, func(c *Config) { c.QueueBytes, c.MaxStanzaBytes = 64<<10, 64<<10 })
	k, _ := b.resumable(t)
	big := "<message><body>" + strings.Repeat("x", 30<<10) + "</body></message>"
	for i := range 2 {
		if err := b.deliver(t, big); err != nil {
			t.Fatalf("delivery %d: %v", i, err)
		}
	}
	if err := b.deliver(t, big); !errors.Is(err, endpoint.ErrFull) {
		t.Errorf("third delivery: %v, want ErrFull", err)
	}
	// Answers go on; an endpoint that asks for more and more without acknowledging is closed.
	for range 2000 {
		k.feed("<iq type='get' id='" + strings.Repeat("i", 100) + "'><ping xmlns='urn:xmpp:ping'/></iq>")
	}
	if got := k.wire.take(); !strings.Contains(got, "<resource-constraint ") {
		t.Errorf("the end of it: %.200s", got[max(0, len(got)-200):])
	}
	if got := b.changes.String(); !strings.HasSuffix(got, "ended:queue_full") {
		t.Errorf("changes: %s", got)
	}
}

func TestSuspendedSessionsExpire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(c *Config) { c.ResumeTimeout = 10 * time.Second })
		run := b.start(t)
		defer run()
		k, id := b.resumable(t)
		k.lose()
		time.Sleep(12 * time.Second)
		if got := b.changes.String(); got != "bound available suspended:connection_lost ended:resume_expired" {
			t.Errorf("changes: %s", got)
		}
		if _, ok := b.deps.Resumptions.Find(id); ok {
			t.Error("an expired session can still be found")
		}
	})
}

// start turns the server's wheel, which runs its timers, until the returned function is called.
func (b *bench) start(t *testing.T) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		b.wheel.Run(ctx)
		close(done)
	}()
	return func() {
		cancel()
		<-done
	}
}

// TestSilenceEndsAStream: a ping after the silence, then the end, then resumable for a while.
func TestSilenceEndsAStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(c *Config) { c.PingAfter, c.Liveness = 20*time.Second, 30*time.Second })
		run := b.start(t)
		defer run()
		k := b.connect(t)
		k.feed(login1)
		k.wire.take()
		time.Sleep(21 * time.Second)
		if got := k.wire.take(); !strings.Contains(got, "<ping xmlns='urn:xmpp:ping'/>") {
			t.Fatalf("after the silence: %q, want a ping", got)
		}
		k.feed(" ") // a sign of life
		time.Sleep(25 * time.Second)
		if got := k.wire.take(); strings.Count(got, "<ping ") != 1 || k.wire.ended() {
			t.Fatalf("after the sign of life: %q, want one more ping", got)
		}
		time.Sleep(8 * time.Second)
		if got := k.wire.take(); !strings.Contains(got, "<connection-timeout ") {
			t.Errorf("after the second silence: %q, want connection-timeout", got)
		}
		if got := b.changes.String(); got != "bound ended:silent" {
			t.Errorf("changes: %s", got)
		}
	})
}

func TestBegunStanzaMustEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(c *Config) { c.StanzaTimeout = 30 * time.Second })
		run := b.start(t)
		defer run()
		k := b.connect(t)
		k.feed(login1)
		b.wheel.Set(&k.timer, b.cfg.PingAfter)
		k.feed("<message>")
		for i := range 12 {
			time.Sleep(10 * time.Second)
			if k.wire.ended() {
				if got := k.wire.take(); !strings.Contains(got, "<policy-violation ") || i < 2 {
					t.Errorf("after %d0 s: %s", i+1, got)
				}
				return
			}
			k.feed("x")
		}
		t.Error("a stanza that never ends was not ended")
	})
}

func TestLoginMustEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		run := b.start(t)
		defer run()
		k := b.connect(t)
		b.wheel.Set(&k.timer, b.cfg.LoginTimeout)
		time.Sleep(b.cfg.LoginTimeout + time.Second)
		got := k.wire.take()
		if !strings.Contains(got, "<stream:stream ") || !strings.Contains(got, "<connection-timeout ") || !strings.HasSuffix(got, "</stream:stream>") {
			t.Errorf("got %s, want our header, the error and the end", got)
		}
	})
}
