package remote

import (
	"net/netip"
	"slices"
	"sync"
	"time"

	"signalbox/internal/audit"
	"signalbox/internal/channel"
	"signalbox/internal/endpoint"
	"signalbox/internal/signalling"
)

// noSession is the subject of an entry about a message of which nobody can say what session it is about.
const noSession = "signalling"

// RefusedStranger notes that somebody who has taken no side of a session said what breaks the rules of the protocol, for which code stands. It does not block.
func (s *Service) RefusedStranger(from netip.Addr, code signalling.Code) {
	why := whyOf(code)
	s.refuse(entryOf("", audit.Stranger(from), audit.SessionRefused, noSession, refusedDetail{Why: why}), why)
}

// RefusedEndpoint is RefusedStranger of an endpoint that is logged in. session is what the message says that it is about. Each kind has one entry in a session.
func (s *Service) RefusedEndpoint(k endpoint.Key, session string, code signalling.Code) {
	subject, why := noSession, whyOf(code)
	if id, err := ParseID(session); err == nil {
		if l := s.find(id); l != nil && l.key == k {
			subject = session
		}
	}
	s.refuseOnce(entryOf(k.Domain, "endpoint:"+k.ID, audit.SessionRefused, subject, refusedDetail{Why: why}), why)
}

// Refused is RefusedStranger of a technician who has taken a side. Each kind has one entry in a session.
func (t *Technician) Refused(code signalling.Code) {
	l, why := t.live, whyOf(code)
	l.service.refuseOnce(l.entry(technicianOf(l.now()), audit.SessionRefused, refusedDetail{Why: why}), why)
}

// RefusedLeg notes that a party of a session, the technician or the endpoint, sent a message over the relay that is too large. Each has one entry in a session. It does not block.
func (s *Service) RefusedLeg(session string, technician bool) {
	id, err := ParseID(session)
	if err != nil {
		return
	}
	l := s.find(id)
	if l == nil {
		return // it has ended since
	}
	actor := l.endpointActor()
	if technician {
		actor = technicianOf(l.now())
	}
	s.refuseOnce(l.entry(actor, audit.SessionRefused, refusedDetail{Why: refusedTooLarge, Kind: kindRelay}), refusedTooLarge)
}

// knownBlock reports whether this server knows what an endpoint says that it refused, so that what it can have written down is bounded.
func knownBlock(m signalling.Blocked) bool {
	_, kind := kinds[m.Channel]
	return (kind || m.Channel == channel.System) && slices.Contains([]string{refusedPath, refusedMalformed, refusedPermission}, m.Why)
}

// blocked notes what the endpoint has refused to the technician.
func (l *live) blocked(m signalling.Blocked) {
	if l.record.Accepted.IsZero() {
		l.service.drop(droppedTooEarly)
		return
	}
	l.service.refuseOnce(l.entry(l.endpointActor(), audit.SessionRefused, refusedDetail{Why: m.Why, Kind: m.Channel}), m.Why)
}

// whyOf is what the audit has for a code of the protocol.
func whyOf(code signalling.Code) string {
	switch code {
	case signalling.TooLarge:
		return refusedTooLarge
	case signalling.NotAllowed, signalling.NotParty, signalling.Unexpected:
		return refusedMessage
	}
	return refusedMalformed
}

// refuseOnce is refuse for what somebody who was let in can do as often as they like: what they have an entry for is only counted.
func (s *Service) refuseOnce(e audit.Entry, why string) {
	if s.recent.first(e.Domain+" "+e.Actor+" "+e.Subject+" "+string(e.Detail), time.Now()) {
		s.refuse(e, why)
		return
	}
	s.metrics.refused.WithLabelValues(why).Inc()
}

// Bounds of recent.
const (
	recently  = time.Hour // how long something is remembered at least
	maxRecent = 4096      // things, after which those of before may be forgotten
)

// recent remembers for what there are entries. The zero value is ready.
type recent struct {
	mu          sync.Mutex // a leaf
	since       time.Time  // when now began
	now, before map[string]bool
}

// first reports whether something is not remembered, and remembers it from now on.
func (r *recent) first(what string, at time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if age := at.Sub(r.since); age >= recently || len(r.now) >= maxRecent {
		r.before, r.now, r.since = r.now, map[string]bool{}, at
		if age >= 2*recently {
			r.before = nil
		}
	}
	known := r.now[what] || r.before[what]
	r.now[what] = true
	return !known
}
