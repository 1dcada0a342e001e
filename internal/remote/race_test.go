package remote

import (
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"signalbox/internal/channel"
	"signalbox/internal/endpoint"
	"signalbox/internal/signalling"
)

// TestAtOnce has everybody do everything at the same time, for the race detector; what is left must end as it should.
func TestAtOnce(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		o := b.opened()
		s, secret := b.attached(o)
		id := about(o.ID)
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				for range 100 {
					switch rand.IntN(12) {
					case 0:
						_ = b.FromEndpoint(t.Context(), pc1, signalling.Consent{About: id, State: signalling.ConsentAsking, Seconds: 30})
					case 1:
						_ = b.FromEndpoint(t.Context(), pc1, signalling.Accept{About: id, Resumed: rand.IntN(2) == 0})
					case 2:
						_ = b.FromEndpoint(t.Context(), pc1, signalling.Path{About: id, Rung: signalling.RungDirect})
					case 3:
						_, _ = b.attach(signalling.Attach{About: id, Reattach: secret}, home)
					case 4:
						_ = s.Take(t.Context(), signalling.Relay{About: id, Channel: channel.Files})
					case 5:
						_, _ = b.Session(t.Context(), domain, o.ID)
					case 6:
						_, _ = b.Renew(t.Context(), domain, o.ID, management)
					case 7:
						more := 2 * time.Hour
						_, _ = b.Change(t.Context(), domain, o.ID, Change{MaxDuration: &more}, management)
					case 8, 9:
						b.SessionChanged(endpoint.Change{Kind: []endpoint.ChangeKind{endpoint.Bound, endpoint.Available, endpoint.Suspended, endpoint.Resumed}[rand.IntN(4)], Key: pc1})
					case 10:
						s.Detach()
					case 11:
						time.Sleep(time.Duration(rand.IntN(int(time.Second))))
					}
				}
			})
		}
		all.Wait()
		synctest.Wait()
		b.end(o.ID, "", management)
		after(time.Second)
		r := b.record(o.ID)
		if r.Open() || b.turn.count() != 0 || len(b.of(pc1)) != 0 || len(b.relay.bounds()) != 0 {
			t.Errorf("it is %s, with %d TURN sessions, %d of the endpoint, and %v at the relay", r.State, b.turn.count(), len(b.of(pc1)), b.relay.bounds())
		}
	})
}
