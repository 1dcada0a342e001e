package xmpp

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"signalbox/internal/endpoint"
)

// probed probes beside the test's goroutine and returns what was found.
func probed(t *testing.T, b *bench) func() endpoint.Probed {
	t.Helper()
	found := make(chan endpoint.Probed, 1)
	go func() { // ends within two seconds
		p, err := b.deps.Registry.Probe(t.Context(), keyPC1)
		if err != nil {
			t.Error(err)
		}
		found <- p
	}()
	synctest.Wait()
	return func() endpoint.Probed { return <-found }
}

// TestProbe: the question is what the client understands best, the answer any bytes from it, and the end of the connection is an answer, too.
func TestProbe(t *testing.T) {
	const ping = "<ping xmlns='urn:xmpp:ping'/>"
	for _, tc := range []struct {
		name, login, question string
		do                    func(*talk)
		want                  endpoint.ProbeState
		took                  time.Duration
	}{
		{"acknowledges", login1 + enable, ask, func(k *talk) { k.feed("<a xmlns='urn:xmpp:sm:3' h='0'/>") }, endpoint.ProbeOnline, time.Second},
		{"says a byte", login1 + enable, ask, func(k *talk) { k.feed(" ") }, endpoint.ProbeOnline, time.Second},
		{"knows no stream management", login1, ping, func(k *talk) { k.feed("<presence/>") }, endpoint.ProbeOnline, time.Second},
		{"says nothing", login1 + enable, ask, func(*talk) {}, endpoint.ProbeUnresponsive, 1800 * time.Millisecond},
		{"loses its connection", login1 + enable, ask, (*talk).lose, endpoint.ProbeOffline, time.Second},
		{"closes its stream", login1, ping, func(k *talk) { k.stream.end(endpoint.ReasonClosedByPeer) }, endpoint.ProbeOffline, time.Second},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t)
				k := b.connect(t)
				k.feed(tc.login)
				k.wire.take()
				begun := time.Now()
				answer := probed(t, b)
				if got := k.wire.take(); !strings.Contains(got, tc.question) {
					t.Errorf("asked by %s, want %s", got, tc.question)
				}
				time.Sleep(time.Second)
				tc.do(k)
				if got := answer(); got.State != tc.want || time.Since(begun) != tc.took {
					t.Errorf("found %+v after %v, want %s after %v", got, time.Since(begun), tc.want, tc.took)
				}
				if p, ok := b.deps.Registry.Live(keyPC1); tc.want == endpoint.ProbeUnresponsive && (!ok || p.State != endpoint.StateOnline) {
					t.Errorf("unresponsive before its liveness time is over, and %+v", p)
				}
			})
		})
	}
}

// TestClonedStream: the machine that comes back while the other one answers gets a conflict with a text, and no session.
func TestClonedStream(t *testing.T) {
	for _, tc := range []struct{ name, login string }{
		{"bind", login1},
		{"inline", header + request2(authenticatePC1, client+bind2)},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t)
				first := b.connect(t)
				first.feed(tc.login)
				holder := b.connect(t)
				holder.feed(strings.Replace(login1, "agent", "other", 1) + enable)
				if got := first.wire.take(); !strings.Contains(got, "<conflict ") {
					t.Fatalf("the first machine: %s", got)
				}
				holder.wire.take()
				again := b.connect(t)
				fed := make(chan struct{})
				go func() {
					defer close(fed)
					again.feed(tc.login)
				}()
				synctest.Wait()
				if got := holder.wire.take(); got != ask {
					t.Errorf("the one that is there was asked by %q", got)
				}
				holder.feed("<a xmlns='urn:xmpp:sm:3' h='0'/>")
				<-fed
				got := again.wire.take()
				if !strings.Contains(got, "<conflict ") || !strings.Contains(got, "another machine is logged in with this identity") || strings.Contains(got, "<bound") || !again.wire.ended() {
					t.Errorf("the first machine is back: %s", got)
				}
				if u := b.deps.Registry.Unrest(keyPC1); u.Rival == nil {
					t.Errorf("unrest = %+v, want a rival", u)
				}
				if p, _ := b.deps.Registry.Live(keyPC1); p.Resource != "other" || p.State != endpoint.StateOnline {
					t.Errorf("presence = %+v, want that of the machine that answers", p)
				}
			})
		})
	}
}

// hasty asks a session for a sign of life, and sends it something, as soon as the registry knows it.
type hasty struct{ sent bool }

func (h *hasty) SessionChanged(c endpoint.Change) {
	if c.Kind == endpoint.Bound {
		s := c.Session.(*session)
		h.sent = s.Ping(func(bool) {}) && s.Send([]byte("<iq type='set' id='hasty'/>"))
	}
}

// TestHasty: what is sent to a session whose client does not know yet that it is bound follows the word of that.
func TestHasty(t *testing.T) {
	for _, tc := range []struct{ name, login, bound, question string }{
		{"bind", login1, "<jid>", "<ping "},
		{"inline", header + request2(authenticatePC1, client+bind2), "<bound ", ask},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b, h := newBench(t), &hasty{}
				b.deps.Registry.Watch(h)
				k := b.connect(t)
				k.feed(tc.login)
				got := k.wire.take()
				at := []int{strings.Index(got, tc.bound), strings.Index(got, "id='hasty'"), strings.Index(got, tc.question)}
				if !h.sent || at[0] < 0 || at[1] < at[0] || at[2] < at[0] {
					t.Errorf("sent %v; places %v in %s", h.sent, at, got)
				}
			})
		})
	}
}
