package remote

import (
	"context"
	"slices"
	"time"

	"signalbox/internal/audit"
	"signalbox/internal/endpoint"
	"signalbox/internal/signalling"
	"signalbox/internal/turnsession"
)

const (
	answerWithin = 30 * time.Second // the endpoint's, to an offer
	answerGrace  = 15 * time.Second // beyond the time that its user has: the endpoint itself decides then
	maxConsents  = 16               // messages about consent to one offer
	maxList      = 16               // capabilities
	noteRung     = 5 * time.Second  // between two entries about rungs
)

// rungs are those that can be reported.
var rungs = []string{signalling.RungDirect, signalling.RungTURNUDP, signalling.RungTURNTCP, signalling.RungTURNTLS, signalling.RungRelay}

// FromEndpoint takes what an endpoint says of one of its sessions. It does not block. Errors: ErrUnknown, also for a session of another endpoint; ErrEnded; ErrMessage; ErrFlood;
// ErrUnavailable, of which it should not take the session for ended.
func (s *Service) FromEndpoint(_ context.Context, k endpoint.Key, m signalling.Message) error {
	l, err := s.spokenOf(m)
	switch {
	case err != nil:
		return err
	case l.key != k:
		s.refuse(entryOf(k.Domain, "endpoint:"+k.ID, audit.SessionRefused, l.id.String(), refusedDetail{Why: refusedForeign}), refusedForeign)
		return ErrUnknown
	case !mayEndpoint(m):
		return ErrMessage
	}
	if record := l.now(); record.State == Ended {
		return &EndedError{record.Reason, record.Detail}
	}
	err = l.postBounded(func() { l.heard(m) })
	if err == ErrFlood {
		s.drop(droppedFlood)
	}
	return err
}

// spokenOf finds the session that a message is about.
func (s *Service) spokenOf(m signalling.Message) (*live, error) {
	id, err := ParseID(m.SessionID())
	if err != nil {
		return nil, ErrUnknown
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch l := s.sessions[id]; {
	case l != nil:
		return l, nil
	case !s.restored:
		return nil, ErrUnavailable
	}
	return nil, ErrUnknown
}

// mayEndpoint reports whether an endpoint may send a message at all.
func mayEndpoint(m signalling.Message) bool {
	switch m := m.(type) {
	case signalling.SDP:
		return m.Kind == "answer"
	case signalling.Path:
		return m.Rung == "" || slices.Contains(rungs, m.Rung)
	case signalling.Blocked:
		return knownBlock(m)
	case signalling.Consent, signalling.Accept, signalling.Deny, signalling.Candidate, signalling.End:
		return true
	}
	return false
}

// heard takes a message of the endpoint.
func (l *live) heard(m signalling.Message) {
	if !l.record.Open() {
		return
	}
	switch m := m.(type) {
	case signalling.Consent:
		l.consent(m)
	case signalling.Accept:
		l.accept(m)
	case signalling.Deny:
		l.endNoted(among(m.Reason, endpointReasons), m.Detail, l.endpointActor())
	case signalling.End:
		l.endNoted(among(m.Reason, endpointReasons), m.Detail, l.endpointActor())
	case signalling.Path:
		l.path(m)
	case signalling.Blocked:
		l.blocked(m)
	case signalling.SDP:
		if l.mayPass(m.Peer) {
			m.SDP = l.filterSDP(m.SDP)
			l.say(m)
		}
	case signalling.Candidate:
		if l.mayPass(m.Peer) && l.allows(m.Candidate) {
			l.say(m)
		}
	}
}

// mayPass reports whether the endpoint may say something about a PeerConnection.
func (l *live) mayPass(peer int) bool {
	switch {
	case l.record.Accepted.IsZero():
		l.service.drop(droppedTooEarly)
	case peer != l.peer:
		l.service.drop(droppedOld)
	default:
		return true
	}
	return false
}

// consent notes how the user is asked. An endpoint whose agent was started anew knows nothing of a consent that was given, and asks again.
func (l *live) consent(m signalling.Consent) {
	r := &l.record
	if l.consents++; l.consents > maxConsents || !r.Accepted.IsZero() && !l.ask {
		return
	}
	r.Accepted, r.Active, l.rung = time.Time{}, time.Time{}, ""
	r.Consent, r.Desktop = m.State, m.Desktop
	l.back()
	l.answerBy = time.Now().Add(answerWithin)
	if m.State == signalling.ConsentAsking {
		most := int(r.Spec.Consent.Timeout.Seconds())
		l.answerBy = time.Now().Add(time.Duration(min(max(m.Seconds, 0), most))*time.Second + answerGrace)
	}
	l.say(m)
	entry := l.entry(l.endpointActor(), audit.SessionConsent, consentDetail{m.State, m.Desktop})
	l.note(&entry, true)
}

// accept notes that the endpoint takes the session, or that it goes on.
func (l *live) accept(m signalling.Accept) {
	r := &l.record
	again := !r.Accepted.IsZero()
	asked := l.ask
	l.peer = max(l.peer, m.Peer) // of before a restart of the server
	l.back()
	if again && (m.Resumed || !asked) {
		l.note(nil, false)
		return
	}
	r.Accepted, r.Active, l.rung = clock(), time.Time{}, ""
	r.Capabilities = slices.Clone(m.Capabilities[:min(len(m.Capabilities), maxList)])
	l.acted = time.Now()
	l.say(m)
	entry := l.entry(l.endpointActor(), audit.SessionAccepted, acceptedDetail{r.Capabilities})
	l.note(&entry, true)
}

// back notes that the endpoint is there and knows the session.
func (l *live) back() { l.away, l.ask = time.Time{}, false }

// path notes by which way the parties reach each other.
func (l *live) path(m signalling.Path) {
	r := &l.record
	if r.Accepted.IsZero() {
		l.service.drop(droppedTooEarly)
		return
	}
	r.BytesUp, r.BytesDown = max(r.BytesUp, m.Up), max(r.BytesDown, m.Down)
	l.actedBefore(m.Idle)
	l.say(m)
	if m.Rung == "" {
		return
	}
	if l.rung != m.Rung {
		l.rung = m.Rung
		l.service.metrics.paths.WithLabelValues(m.Rung).Inc()
	}
	if r.Active.IsZero() {
		r.Active, r.Rung, l.noted = clock(), m.Rung, time.Now()
		entry := l.entry(l.endpointActor(), audit.SessionActive, pathDetail{Rung: m.Rung})
		l.note(&entry, true)
		return
	}
	l.noteRung(time.Now())
}

// noteRung has the rung written where it is another than that of the record, but not so often that a path that flickers fills the audit.
func (l *live) noteRung(now time.Time) {
	r := &l.record
	if l.rung == "" || l.rung == r.Rung || now.Before(l.noted.Add(noteRung)) || len(l.unsaved) > 0 {
		return
	}
	entry := l.entry(l.endpointActor(), audit.SessionPath, pathDetail{Rung: l.rung, Before: r.Rung})
	r.Rung, l.noted = l.rung, now
	l.note(&entry, false)
}

// actedBefore notes that the technician last did something so many seconds ago.
func (l *live) actedBefore(seconds int) {
	if at := time.Now().Add(-time.Duration(max(seconds, 0)) * time.Second); at.After(l.acted) {
		l.acted = at
	}
}

// SessionChanged implements endpoint.Watcher.
func (s *Service) SessionChanged(c endpoint.Change) {
	for _, l := range s.of(c.Key) {
		l.post(func() { l.presence(c) })
	}
}

// presence follows the endpoint's XMPP session. A new one has to be asked whether its agent knows the remote session still; one that is resumed does.
func (l *live) presence(c endpoint.Change) {
	if !l.record.Open() {
		return
	}
	switch c.Kind {
	case endpoint.Suspended, endpoint.Ended:
		if c.Reason == endpoint.ReasonDeleted || c.Reason == endpoint.ReasonDisabled {
			l.endNoted(ReasonEndpointRemoved, "", audit.Server)
			return
		}
		l.lost()
	case endpoint.Bound:
		l.lost()
		l.ask = true
	case endpoint.Available, endpoint.Resumed:
		if l.ask {
			l.offerAgain()
		} else {
			l.away = time.Time{}
		}
	}
	l.note(nil, false)
}

// lost notes that the endpoint is away.
func (l *live) lost() {
	if l.away.IsZero() {
		l.away = time.Now()
	}
}

// offerAgain asks an endpoint that has logged in anew.
func (l *live) offerAgain() {
	l.consents = 0
	if l.offer(l.credentials()[turnsession.A]) == nil && l.record.Accepted.IsZero() {
		l.away = time.Time{}
		l.answerBy = time.Now().Add(l.record.Spec.Consent.Timeout + answerGrace) // its user may be asked already
	}
}
