package remote

import (
	"slices"
	"testing"
	"testing/synctest"

	"signalbox/internal/channel"
	"signalbox/internal/endpoint"
	"signalbox/internal/signalling"
)

// TestTURNRestarted: both parties of each accepted session with a place on the TURN server are told once each time that another process serves it; nobody else is.
func TestTURNRestarted(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		over, gone, _ := b.running(func(s *Spec) { s.Technician.ID = "cat" })
		gone.says(t, signalling.End{About: about(over.ID), Reason: "technician_ended"})
		relayOnly := b.opened(func(s *Spec) { s.Technician.ID, s.Transport = "bob", signalling.TransportRelayOnly })
		relayed, _ := b.attached(relayOnly)
		b.hear(signalling.Accept{About: about(relayOnly.ID), Capabilities: []string{channel.Terminal}})
		asked, _ := b.attached(b.opened(func(s *Spec) { s.Technician.ID = "dan" }))
		o, s, secret := b.running()
		want := signalling.Restarted{About: about(o.ID)}
		told := func(what string, technician, endpoint bool) {
			t.Helper()
			for _, other := range []*seat{gone, relayed, asked} {
				other.take()
			}
			b.TURNRestarted()
			synctest.Wait()
			for name, side := range map[string]struct {
				got  []signalling.Message
				want bool
			}{"technician": {s.take(), technician}, "endpoint": {b.endpoints.take(), endpoint}} {
				if side.want && !slices.Equal(names(side.got), []string{"restarted"}) || !side.want && len(side.got) > 0 {
					t.Errorf("%s: the %s is told %v", what, name, names(side.got))
				}
				if side.want && len(side.got) == 1 && side.got[0] != signalling.Message(want) {
					t.Errorf("%s: the %s is told of %v", what, name, side.got)
				}
			}
			for _, other := range []*seat{gone, relayed, asked} {
				if got := other.take(); len(got) > 0 {
					t.Errorf("%s: a technician with nothing to lose is told %v", what, names(got))
				}
			}
		}
		told("both are there", true, true)
		told("again", true, true)
		b.presence(endpoint.Suspended)
		s.take()
		told("the endpoint is away", true, false)
		b.presence(endpoint.Resumed)
		b.endpoints.take()
		s.take()
		s.Detach()
		synctest.Wait()
		told("the technician is away", false, true)
		s, _ = b.returned(o.ID, secret)
		told("the technician is back", true, true)
	})
}
