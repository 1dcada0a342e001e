package remote

import (
	"slices"
	"time"

	"signalbox/internal/channel"
	"signalbox/internal/signalling"
)

// Reasons of an end that come from an endpoint (docs/PROTOCOL.md).
const (
	userEnded      = "user_ended"
	endpointEnded  = "endpoint_ended"
	endpointLost   = "endpoint_lost"
	technicianLost = "technician_lost"
	consentDenied  = "consent_denied"
	consentTimeout = "consent_timeout"
	grantRefused   = "grant_refused"
	busy           = "busy"
	notSupported   = "not_supported"
	durationLimit  = "duration_limit"
	idleLimit      = "idle_limit"
	byteLimit      = "byte_limit"
)

// offered takes an offer: a new session, or one that runs, of which the server has forgotten how it is reached. An offer that is refused is answered by a Deny.
func (m *Manager) offered(o signalling.Offer) error {
	g, err := m.o.Open(o.Grant, time.Now())
	if err != nil || g.ID != o.ID {
		detail := "the grant is for another session"
		if err != nil {
			detail = err.Error()
		}
		m.deny(o.ID, grantRefused, detail)
		return nil
	}
	kinds := m.granted(g)
	m.mu.Lock()
	s, runs := m.sessions[g.ID]
	reason, detail := m.refusalLocked(g, kinds)
	stopped := m.stopped
	if !stopped && !runs && reason == "" {
		s = newSession(m, g, kinds, o.Servers)
		m.sessions[g.ID] = s
		m.runs.Go(s.run)
	}
	m.mu.Unlock()
	switch {
	case stopped:
		return ErrStopped
	case runs && !s.put(func() { s.offered(o, g) }):
		return ErrFlood
	case !runs && reason != "":
		m.deny(g.ID, reason, detail)
	}
	return nil
}

func (m *Manager) deny(id, reason, detail string) {
	m.logRefusal(id, reason, detail)
	m.say(signalling.Deny{About: signalling.About{ID: id}, Reason: reason, Detail: detail})
}

// refusalLocked says why this endpoint takes no new session of a grant that is right, of whose kinds it has and allows these; nothing if it does.
func (m *Manager) refusalLocked(g signalling.Grant, kinds []string) (reason, detail string) {
	_, over := m.ended[g.ID]
	switch {
	case over:
		return grantRefused, "the session has ended before"
	case !m.cfg.Enabled:
		return notSupported, "remote sessions are switched off at this endpoint"
	case len(kinds) == 0:
		return notSupported, "this endpoint has or allows nothing of what was asked for"
	case len(m.sessions) >= m.cfg.MaxSessions:
		return busy, "as many sessions run as this endpoint takes"
	}
	return "", ""
}

// granted returns the kinds that a grant, the endpoint's configuration and the system all have.
func (m *Manager) granted(g signalling.Grant) (kinds []string) {
	for _, c := range m.o.Capabilities {
		if slices.Contains(g.Kinds, c.Name()) && m.cfg.allows(c.Name()) && c.Supported() == nil {
			kinds = append(kinds, c.Name())
		}
	}
	return kinds
}

// channels returns the names of channels that a session may open: its kinds, and System, if this endpoint has that.
func (s *session) channels() []string {
	names := slices.Clone(s.kinds)
	for _, c := range s.manager.o.Capabilities {
		if c.Name() == channel.System && c.Supported() == nil {
			names = append(names, channel.System)
		}
	}
	return names
}
