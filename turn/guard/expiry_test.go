package guard

import (
	"net/netip"
	"testing"
	"time"

	"signalbox/turn/turntest"
)

// TestExpiry: a permission lasts for five minutes and a channel for ten, over the wire, and no longer; then both can be had anew. The guard's clock, by which they are granted,
// runs behind that of the data path, by which they are over: so the end of a lifetime comes at once.
func TestExpiry(t *testing.T) {
	const number = 0x4000
	for _, tt := range []struct {
		name, dropped string
		life          time.Duration
		open          func(c *turntest.Client, peer netip.AddrPort) error
		send          func(c *turntest.Client, peer netip.AddrPort, text string) error
	}{
		{"permission", "no_permission", 5 * time.Minute,
			func(c *turntest.Client, peer netip.AddrPort) error { return c.Permit(peer) },
			func(c *turntest.Client, peer netip.AddrPort, text string) error { return c.Send(peer, []byte(text)) }},
		{"channel", "no_channel", 10 * time.Minute,
			func(c *turntest.Client, peer netip.AddrPort) error { return c.Bind(number, peer) },
			func(c *turntest.Client, _ netip.AddrPort, text string) error {
				return c.SendChannel(number, []byte(text))
			}},
	} {
		for _, network := range []string{"udp", "tcp"} {
			t.Run(tt.name+" over "+network, func(t *testing.T) {
				w := newWorld(t)
				w.open("ses_1")
				a, relayedA := w.allocated(network, "ses_1", 'a')
				b, relayedB := w.allocated(network, "ses_1", 'b')
				must(t, b.Permit(relayedA))

				w.behind(tt.life - time.Minute)
				must(t, tt.open(a, relayedB))
				must(t, tt.send(a, relayedB, "a minute before its end"))
				if d := received(t, b); string(d.Payload) != "a minute before its end" {
					t.Errorf("b received %q", d.Payload)
				}

				w.behind(tt.life - 10*time.Millisecond)
				must(t, tt.open(a, relayedB))
				before := w.metric("signalbox_turn_dropped_packets_total", tt.dropped)
				waitFor(t, "the end of a "+tt.name, func() bool {
					must(t, tt.send(a, relayedB, "before its end"))
					return w.metric("signalbox_turn_dropped_packets_total", tt.dropped) > before
				})
				must(t, tt.send(a, relayedB, "behind its end"))

				w.behind(0)
				must(t, tt.open(a, relayedB))
				must(t, tt.send(a, relayedB, "anew"))
				d := received(t, b)
				for string(d.Payload) == "before its end" {
					d = received(t, b)
				}
				if string(d.Payload) != "anew" {
					t.Errorf("b received %q, want what was sent when it was open anew", d.Payload)
				}
			})
		}
	}
}

// behind has the guard's clock run behind.
func (w *world) behind(by time.Duration) { w.later.Store(-int64(by)) }

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
