package xmpp

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"signalbox/internal/endpoint"
	"signalbox/internal/push"
	"signalbox/xmpp/sasl"
	"signalbox/xmpp/transport"
)

var keyPC1 = endpoint.Key{Domain: testDomain, ID: "pc-1"}

func resumeOf(id string, h int) string {
	return fmt.Sprintf("<resume xmlns='urn:xmpp:sm:3' previd='%s' h='%d'/>", id, h)
}

// TestLossAndResumptionAtOnce: whoever is first, a session with an open stream is online and takes stanzas.
func TestLossAndResumptionAtOnce(t *testing.T) {
	b := newBench(t)
	for i := range 500 {
		k, id := b.resumable(t)
		again := b.connect(t)
		again.feed(header + authPC1 + header)
		var both sync.WaitGroup
		both.Go(k.lose)
		both.Go(func() { again.feed(resumeOf(id, 0)) })
		both.Wait()
		p, _ := b.deps.Registry.Live(keyPC1)
		if err := b.deliver(t, "<message/>"); err != nil || p.State != endpoint.StateOnline {
			t.Fatalf("round %d: %v, registry says %s: %s", i, err, p.State, again.wire.take())
		}
		b.deps.Registry.Disconnect(keyPC1, endpoint.ReasonDisconnected)
	}
}

// TestResumedWhereItDoesNotFit: what ends a session that is resumed is what happened, and a connection that is lost meanwhile ends none.
func TestResumedWhereItDoesNotFit(t *testing.T) {
	for _, tc := range []struct {
		name string
		cut  func(*wire)
		want string
	}{
		{"no room for what is sent again", func(w *wire) { w.full = true }, " ended:queue_full"},
		{"the connection is lost", func(w *wire) { w.finished = true }, " suspended:connection_lost"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := newBench(t)
			k, id := b.resumable(t)
			if err := b.deliver(t, "<message/>"); err != nil {
				t.Fatal(err)
			}
			k.lose()
			again := b.connect(t)
			again.feed(header + authPC1 + header)
			tc.cut(again.wire)
			again.feed(resumeOf(id, 0))
			again.lose()
			if got := b.changes.String(); !strings.HasSuffix(got, tc.want) {
				t.Errorf("changes: %s, want%s at the end", got, tc.want)
			}
		})
	}
}

// TestLateExpiry: the timer of a suspension that is over ends nothing.
func TestLateExpiry(t *testing.T) {
	b := newBench(t)
	k, id := b.resumable(t)
	k.lose()
	late := k.session.Load().expiry // the wheel has taken it, its call is about to come
	again := b.connect(t)
	again.feed(header + authPC1 + header + resumeOf(id, 0))
	late.timer.Do(time.Now())
	again.wire.take()
	again.feed("<iq type='get' id='1'><ping xmlns='urn:xmpp:ping'/></iq>")
	if got := again.wire.take(); !strings.Contains(got, "type='result' id='1'") {
		t.Errorf("after the late timer: %s; %s", got, b.changes)
	}
}

// TestCountLeavesOutWhatIsInWork: a stanza that the old stream is handling when the session moves on is not in our count; it comes again.
func TestCountLeavesOutWhatIsInWork(t *testing.T) {
	b := newBench(t)
	k, id := b.resumable(t)
	s := k.session.Load()
	if !s.receive(k.stream) { // the old reader has taken a receipt ...
		t.Fatal("not received")
	}
	again := b.connect(t)
	again.feed(header + authPC1 + header + resumeOf(id, 0))
	if got := again.wire.take(); !strings.Contains(got, "<resumed xmlns='urn:xmpp:sm:3' previd='"+id+"' h='1'/>") {
		t.Errorf("resumed: %s, want h='1', the presence", got)
	}
	s.hold(k.stream)(nil) // ... and only now comes to hand it on
	s.handled(k.stream)
	again.feed(ask)
	if got := again.wire.take(); got != "<a xmlns='urn:xmpp:sm:3' h='1'/>" {
		t.Errorf("count = %s, want 1", got)
	}
}

// TestReplacedStreamIsNotHeard: its acknowledgements are not those of the session's new stream.
func TestReplacedStreamIsNotHeard(t *testing.T) {
	b := newBench(t)
	k, id := b.resumable(t)
	again := b.connect(t)
	again.feed(header + authPC1 + header + resumeOf(id, 0))
	k.wire.take()
	k.over.Store(false) // as if the reader were in the middle of its bytes
	k.feed("<a xmlns='urn:xmpp:sm:3' h='0'/>" + ask)
	if got := k.wire.take(); got != "" {
		t.Errorf("the replaced stream answers %s", got)
	}
}

// TestAnswersAreAskedFor: what answers an endpoint is acknowledged, too, so that its queue does not grow for days; but not each answer by itself.
func TestAnswersAreAskedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		stop := b.start(t)
		defer stop()
		k, _ := b.resumable(t)
		asked := 0
		for i := range 3 * requestEvery {
			k.feed("<iq type='get' id='1'><ping xmlns='urn:xmpp:ping'/></iq>")
			if n := strings.Count(k.wire.take(), ask); n > 0 {
				asked += n
				k.feed(fmt.Sprintf("<a xmlns='urn:xmpp:sm:3' h='%d'/>", i+1))
			}
		}
		if want := 3; asked != want {
			t.Errorf("asked %d times for %d answers, want %d times", asked, 3*requestEvery, want)
		}
		time.Sleep(2*requestAfter + time.Second)
		synctest.Wait()
		if got := k.wire.take(); got != ask {
			t.Errorf("sent %q in the seconds after the last answers, want a request", got)
		}
	})
}

// TestRequestGoesWithTheNextStanza: one that did not fit did not ask.
func TestRequestGoesWithTheNextStanza(t *testing.T) {
	b := newBench(t)
	k, _ := b.resumable(t)
	k.wire.full = true
	if err := b.deliver(t, "<message/>"); !errors.Is(err, endpoint.ErrFull) {
		t.Fatal(err)
	}
	k.wire.full = false
	if err := b.deliver(t, "<message/>"); err != nil {
		t.Fatal(err)
	}
	if got := k.wire.take(); got != "<message/>"+ask {
		t.Errorf("sent %s, want a request with it", got)
	}
}

// TestBusySenderIsNotCutOff: stanzas that arrive in time are in time, also if reads always end in the middle of the next.
func TestBusySenderIsNotCutOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(c *Config) { c.StanzaTimeout = 10 * time.Second })
		stop := b.start(t)
		defer stop()
		k := b.connect(t)
		k.feed(login1)
		b.wheel.Set(&k.timer, time.Second)
		k.feed("<presence/><pres")
		for i := range 60 {
			time.Sleep(time.Second)
			k.feed("ence/><pres")
			if k.wire.ended() {
				t.Fatalf("after %d s: %s", i, k.wire.take())
			}
		}
	})
}

// TestOneErrorForOneStanza: however much is wrong in it, and its id is bounded, since the answer repeats it.
func TestOneErrorForOneStanza(t *testing.T) {
	b := newBench(t)
	k := b.connect(t)
	k.feed(login1)
	k.wire.take()
	k.feed("<message to='" + testDomain + "' id='1'>" + strings.Repeat("<result xmlns='urn:signalbox:push:1' id='psh_0000000000000'/>", 500) + "</message>")
	if got := strings.Count(k.wire.take(), "<bad-request"); got != 1 {
		t.Errorf("%d errors, want 1", got)
	}
	k.feed("<iq type='get' id='" + strings.Repeat("i", maxIDBytes+1) + "'><ping xmlns='urn:xmpp:ping'/></iq>")
	if got := k.wire.take(); !strings.Contains(got, "<policy-violation ") || len(got) > 500 {
		t.Errorf("a long id: %s", got)
	}
}

// TestLoginsBegunAreCounted: an <auth/> while one is under way is a failed login.
func TestLoginsBegunAreCounted(t *testing.T) {
	b := newBench(t)
	b.cfg.FailureDelay = 0
	k := b.connect(t)
	k.feed(header)
	for range 10 {
		k.feed("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='SCRAM-SHA-256'>biwsbj1wYy0xLHI9YWFhYWFhYWFhYWFhYWFhYWFhYWFhYQ==</auth>")
	}
	if got := k.wire.take(); strings.Count(got, "<challenge") > b.cfg.LoginTries || !strings.Contains(got, "<policy-violation ") {
		t.Errorf("ten starts: %s", got)
	}
}

// TestFailuresTakeTheirTimeFromTheLastMessage: an idle step in between must not use it up (attack row 17).
func TestFailuresTakeTheirTimeFromTheLastMessage(t *testing.T) {
	const empty = "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'/>"
	for name, before := range map[string]string{"in the second step": header + empty, "answering nothing": header} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t)
				k := b.connect(t)
				k.feed(before)
				time.Sleep(2 * b.cfg.FailureDelay)
				start := time.Now()
				k.feed("<response xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>AHBjLTkAd3JvbmctMQ==</response>")
				if got := time.Since(start); got < b.cfg.FailureDelay {
					t.Errorf("failed after %v, want %v", got, b.cfg.FailureDelay)
				}
				k.lose()
			})
		})
	}
}

// hanging is a store that does not answer.
type hanging struct{}

func (hanging) EndpointSecret(ctx context.Context, _ endpoint.Key) (endpoint.Secret, bool, error) {
	<-ctx.Done()
	return endpoint.Secret{}, false, ctx.Err()
}

// TestLoginTimeoutEndsWhatItWaitsFor: a store that hangs does not keep connections, at whatever step.
func TestLoginTimeoutEndsWhatItWaitsFor(t *testing.T) {
	for name, says := range map[string]string{"secret": header + authPC1, "bind": login1, "inline bind": header + request2(authenticatePC1, bind2)} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t)
				b.deps.Logins = hanging{}
				if name == "secret" {
					var err error
					if b.deps.SASL, err = sasl.New(hanging{}, make([]byte, sasl.MinFakeKeyBytes), 1); err != nil {
						t.Fatal(err)
					}
				}
				stop := b.start(t)
				defer stop()
				k := b.connect(t)
				b.wheel.Set(&k.timer, b.cfg.LoginTimeout)
				start := time.Now()
				k.feed(says)
				if waited := time.Since(start); k.next != transport.Stop || waited > b.cfg.LoginTimeout+2*time.Second {
					t.Errorf("next %v after %v, want Stop after %v", k.next, waited, b.cfg.LoginTimeout)
				}
				synctest.Wait() // for the last words, which the timer writes
				if got := k.wire.take(); strings.Contains(got, "<ping ") || !strings.Contains(got, "</stream:stream>") {
					t.Errorf("told %s", got)
				}
			})
		})
	}
}

// TestUnavailableTakesNothing: and says so once, as being available again does.
func TestUnavailableTakesNothing(t *testing.T) {
	b := newBench(t)
	k, _ := b.resumable(t)
	k.feed("<presence type='unavailable'/><presence type='unavailable'/>")
	if err := b.deliver(t, "<message/>"); !errors.Is(err, endpoint.ErrOffline) {
		t.Errorf("delivery: %v, want ErrOffline", err)
	}
	k.feed("<presence/><presence/>")
	if err := b.deliver(t, "<message/>"); err != nil {
		t.Error(err)
	}
	if got := b.changes.String(); got != "bound available unavailable available" {
		t.Errorf("changes: %s", got)
	}
}

// TestEverythingAtOnce looks for races and leaks: logins, resumptions, deliveries and disconnects of one endpoint.
func TestEverythingAtOnce(t *testing.T) {
	b := newBench(t)
	var mu sync.Mutex
	last := ""
	var all sync.WaitGroup
	for range 2 {
		all.Go(func() {
			for range 200 {
				k := b.connect(t)
				k.feed(login1 + enable + "<presence/>")
				if _, id, ok := strings.Cut(k.wire.take(), "<enabled xmlns='urn:xmpp:sm:3' id='"); ok {
					mu.Lock()
					last, _, _ = strings.Cut(id, "'")
					mu.Unlock()
				}
				k.feed(receipt(1) + ask + "<presence type='unavailable'/><presence/>")
				k.lose()
			}
		})
		all.Go(func() {
			for range 200 {
				mu.Lock()
				id := last
				mu.Unlock()
				k := b.connect(t)
				k.feed(header + authPC1 + header + resumeOf(id, 0) + ask)
				k.lose()
			}
		})
		all.Go(func() {
			for range 2000 {
				_ = b.deps.Registry.Route(keyPC1, endpoint.Stanza{Raw: []byte("<message/>"), Written: func(time.Time) {}})
				b.deps.Registry.Live(keyPC1)
			}
		})
	}
	all.Go(func() {
		for range 300 {
			b.deps.Registry.Disconnect(keyPC1, endpoint.ReasonDisconnected)
		}
	})
	all.Wait()
	for _, left := range b.deps.Resumptions.All() {
		left.End(endpoint.ReasonShutdown)
	}
	b.deps.Registry.Disconnect(keyPC1, endpoint.ReasonShutdown)
	if _, ok := b.deps.Registry.Live(keyPC1); ok || len(b.deps.Resumptions.All()) != 0 || len(b.streams) != 0 {
		t.Errorf("left: live %v, %d to resume, %d streams", ok, len(b.deps.Resumptions.All()), len(b.streams))
	}
}

// TestAcknowledgedWasWritten: a stanza that the endpoint counts was written, also where its write failed halfway and nobody said so.
func TestAcknowledgedWasWritten(t *testing.T) {
	b := newBench(t)
	k, id := b.resumable(t)
	k.wire.mute = true
	written := 0
	e := endpoint.Stanza{Raw: []byte("<message/>"), Written: func(time.Time) { written++ }}
	for range 2 {
		if err := b.deps.Registry.Route(keyPC1, e); err != nil {
			t.Fatal(err)
		}
	}
	k.feed("<a xmlns='urn:xmpp:sm:3' h='1'/>")
	if written != 1 {
		t.Errorf("after the acknowledgement of one: written %d times", written)
	}
	k.lose()
	again := b.connect(t)
	again.feed(header + authPC1 + header + resumeOf(id, 2))
	if written != 2 {
		t.Errorf("after the resumption: written %d times, want 2", written)
	}
}

// TestSecretChangedDuringLogin: whoever logged in with the old secret is not bound.
func TestSecretChangedDuringLogin(t *testing.T) {
	b := newBench(t)
	k := b.connect(t)
	k.feed(header + authPC1 + header)
	changed, err := endpoint.NewSecret("another-secret")
	if err != nil {
		t.Fatal(err)
	}
	b.deps.Logins = accounts{changed}
	k.wire.take()
	k.feed(bindAgent)
	if got := k.wire.take(); !strings.Contains(got, "<reset ") || strings.Contains(got, "<jid>") {
		t.Errorf("bind: %s, want reset", got)
	}
	if got := b.changes.String(); got != "bound ended:secret_changed" {
		t.Errorf("changes: %s", got)
	}
}

func TestExpiryOnTheWire(t *testing.T) {
	created := time.Date(2026, 1, 1, 0, 0, 0, 990e6, time.UTC)
	for ttl, want := range map[time.Duration]string{
		time.Second:         "2026-01-01T00:00:02Z", // never too early
		0:                   "2026-01-01T00:01:00Z", // what arrives is meant to be handled
		86400 * time.Second: "2026-01-02T00:00:01Z",
	} {
		got := string(encodePush(push.Push{ID: 1, To: keyPC1, Type: "a", TTL: ttl, Created: created}, false))
		if !strings.Contains(got, "expires='"+want+"'") {
			t.Errorf("TTL %v: %s, want %s", ttl, got, want)
		}
	}
}

// TestStrangersMaySendLittle: what suits an endpoint's work is too much for a login.
func TestStrangersMaySendLittle(t *testing.T) {
	b := newBench(t)
	k := b.connect(t)
	k.feed(header + strings.Repeat(" ", 8*b.cfg.MaxLoginBytes))
	if k.wire.ended() {
		t.Fatal("ended too early")
	}
	k.feed(strings.Repeat(" ", 8*b.cfg.MaxLoginBytes))
	if got := k.wire.take(); !strings.Contains(got, "<policy-violation ") {
		t.Errorf("white space without end before login: %.300s", got)
	}
	k = b.connect(t)
	k.feed(login1 + strings.Repeat(" ", 100*b.cfg.MaxLoginBytes) + ask)
	if k.wire.ended() {
		t.Error("a bound endpoint was held to the limits of a stranger")
	}
}
