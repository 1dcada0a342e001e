package remote

import (
	"slices"
	"time"

	"signalbox/internal/peer"
	"signalbox/internal/signalling"
)

// doubtEach is how often the server is asked for a sign of life while something goes over the relay.
const doubtEach = 10 * time.Second

// report is what the server was told of the way, and when.
type report struct {
	rung   string
	failed []signalling.Failed
	at     time.Time // zero: never
}

// tick looks at the limits of the session and at the way.
func (s *session) tick(now time.Time) {
	s.refresh()
	if now.Sub(s.doubted) >= doubtEach && len(s.served.interactive()) > 0 { // nothing else would show that this side's network is lost
		s.doubted = now
		s.manager.doubt()
	}
	reached := s.reached(now)
	switch since, offline := s.manager.offline(); {
	case !now.Before(s.limits.Load().Expires): // it was shortened
		s.finish(ending{reason: durationLimit, detail: "the session lasted as long as it may"})
	case s.limits.Load().Idle > 0 && s.accepted.Load() && s.meter.idle(now) >= s.limits.Load().Idle:
		s.finish(ending{reason: idleLimit, detail: "the technician did nothing for as long as that is allowed"})
	case offline && now.Sub(since) >= signalling.ReturnWithin && now.Sub(reached) >= signalling.ReturnWithin:
		s.finish(ending{reason: technicianLost, detail: "neither the server nor the technician came back"})
	case s.accepted.Load():
		s.report(now, false)
	}
}

// reached returns when the technician was last reached.
func (s *session) reached(now time.Time) time.Time {
	if s.served.overRelay() || s.peer != nil && s.peer.State() == peer.Connected {
		s.seen = now
	}
	return s.seen
}

// way returns the way that is in use. What goes over the relay counts where WebRTC leads nowhere.
func (s *session) way() peer.Way {
	var w peer.Way
	if s.peer != nil {
		w = s.peer.Way()
	}
	if w.Rung == "" && s.served.overRelay() {
		w.Rung = signalling.RungRelay
	}
	if s.grant.Transport == signalling.TransportRelayOnly {
		for _, r := range []string{signalling.RungDirect, signalling.RungTURNUDP, signalling.RungTURNTCP, signalling.RungTURNTLS} {
			w.Failed = append(w.Failed, signalling.Failed{Rung: r, Why: "not allowed in this session"})
		}
	}
	return w
}

// report tells the way when it is another, and else every PathInterval; last: in any case.
func (s *session) report(now time.Time, last bool) {
	w := s.way()
	same := w.Rung == s.told.rung && slices.Equal(w.Failed, s.told.failed)
	if same && !last && !s.told.at.IsZero() && now.Sub(s.told.at) < signalling.PathInterval {
		return
	}
	s.told = report{rung: w.Rung, failed: w.Failed, at: now}
	rtt := int(w.RTT.Milliseconds())
	if w.RTT > 0 {
		rtt = max(rtt, 1)
	}
	s.say(signalling.Path{
		About: s.about(), Rung: w.Rung, RTT: rtt, Up: s.meter.up.Load(), Down: s.meter.down.Load(), Idle: int(s.meter.idle(now) / time.Second), Failed: w.Failed,
	})
}
