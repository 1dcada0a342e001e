package xmpp

import (
	"encoding/json"
	"testing"
	"time"

	"signalbox/internal/endpoint"
	"signalbox/internal/push"
	"signalbox/xmpp/transport"
)

// stored takes receipts that are durable at once.
type stored struct{}

func (stored) Named(endpoint.Key, string) (push.ID, bool)          { return 0, false }
func (stored) Receipt(_ endpoint.Key, _ push.ID, done func(error)) { done(nil) }
func (stored) Result(_ endpoint.Key, _ push.ID, _ bool, _ json.RawMessage, done func(error)) {
	done(nil)
}

// hotPaths are what a server does all day, each with the allocations that it may cost.
func hotPaths(t testing.TB) []struct {
	name   string
	allocs float64
	run    func()
} {
	b := newBench(t, func(c *Config) { c.StanzasPerSec, c.BytesPerSec, c.Routing = 1e6, 1<<30, RoutingOpen })
	b.deps.Pushes = stored{}
	k, _ := b.resumable(t)
	to := b.connect(t)
	to.feed(header + "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>AHBjLTIAczNjcmV0LTE=</auth>" + header + bindAgent + "<presence/>")
	ping := []byte("<iq type='get' id='ping-1' to='xmpp.signalbox.test' from='pc-1@xmpp.signalbox.test/agent'><ping xmlns='urn:xmpp:ping'/></iq>")
	message := []byte("<message type='chat' id='m-1' to='pc-2@xmpp.signalbox.test'><body>a message of two hundred bytes or so, as people and machines send them all day: it says something short, and is routed to one other session</body></message>")
	receipt := []byte("<message to='xmpp.signalbox.test'><received xmlns='urn:xmpp:receipts' id='psh_0123456789abc'/></message>")
	request := []byte("<r xmlns='urn:xmpp:sm:3'/>")
	space := []byte(" ")
	p := push.Push{ID: 1, To: endpoint.Key{Domain: testDomain, ID: "pc-2"}, Type: "demo.ping", Payload: []byte(`{"n":1}`), TTL: time.Hour, Created: time.Now()}
	sender := NewSender(b.deps.Registry)
	epoch := b.changes.newest()
	feed := func(p []byte) func() {
		return func() {
			if _, next := k.Data(p); next != transport.Read {
				t.Fatalf("the stream ended: %s", k.wire.take())
			}
			k.wire.out, to.wire.out = k.wire.out[:0], to.wire.out[:0]
			s := k.session.Load()
			s.mu.Lock()
			s.sm.acknowledgeLocked(s.sm.acked + uint32(len(s.sm.unacked)))
			s.mu.Unlock()
		}
	}
	return []struct {
		name   string
		allocs float64
		run    func()
	}{
		{"ping", 4, feed(ping)},
		{"route200B", 4, feed(message)},
		{"receipt", 2, feed(receipt)},
		{"request", 1, feed(request)},
		{"keepalive", 0, feed(space)},
		{"push", 2, func() {
			to.wire.out = to.wire.out[:0]
			if err := sender.Send(p.To, epoch, p, false, nil); err != nil {
				t.Fatal(err)
			}
		}},
	}
}

func BenchmarkHotPaths(b *testing.B) {
	for _, p := range hotPaths(b) {
		b.Run(p.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				p.run()
			}
		})
	}
}

func TestHotPathAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector makes sync.Pool allocate")
	}
	for _, p := range hotPaths(t) {
		if got := testing.AllocsPerRun(200, p.run); got > p.allocs {
			t.Errorf("%s: %v allocations, at most %v", p.name, got, p.allocs)
		}
	}
}
