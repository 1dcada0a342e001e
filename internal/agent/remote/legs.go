package remote

import (
	"context"
	"net/url"
	"strings"
	"time"

	"signalbox/internal/peer"
	"signalbox/internal/signalling"
	"signalbox/internal/telemetry"
)

// maxLegs bounds how many connections to the relay are being made.
const maxLegs = peer.MaxChannels

// relayed takes the URL of this end of a channel through the relay, and serves the channel.
func (s *session) relayed(m signalling.Relay) {
	switch {
	case !s.accepted.Load():
		s.log.Debug("relay ignored: the session is not accepted")
		return
	case s.grant.Transport == signalling.TransportTURNOnly && m.Channel != "files":
		s.log.Info("relay refused: the session is for TURN alone", telemetry.Detail(m.Channel))
		return
	case !allowedURL(m.URL, s.grant.RelayHosts):
		s.log.Warn("relay refused: the grant does not name its address", telemetry.Detail(m.Channel))
		return
	}
	l, err := peer.ParseLabel(m.Channel)
	if err != nil || l.Number != 0 {
		s.log.Info("relay refused", telemetry.Detail("no name of a channel"))
		return
	}
	if s.legs.Add(1) > maxLegs {
		s.legs.Add(-1)
		s.log.Info("relay refused: too many connections to it are being made")
		return
	}
	s.work.Go(func() { s.leg(l.Name, m.URL) })
}

// leg connects to the relay. Where that fails the technician sees the other leg end, and asks again.
func (s *session) leg(name, to string) {
	ctx, cancel := context.WithTimeout(s.life, signalling.RelayTicketLife)
	defer cancel()
	began := time.Now()
	c, err := s.manager.o.Relay(ctx, to)
	s.legs.Add(-1)
	if err != nil {
		s.log.Warn("cannot connect to the relay", telemetry.Cause(err), telemetry.Took(time.Since(began)))
		return
	}
	s.channel(name, c, true)
}

// allowedURL reports whether a URL is one of those that a grant allows by their beginnings: spelled plainly, so that it is the URL that is dialled.
func allowedURL(text string, beginnings []string) bool {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "wss" || u.Host == "" || u.User != nil || u.Fragment != "" || u.String() != text || strings.Contains(text, "..") || strings.Contains(text, "%") {
		return false
	}
	for _, b := range beginnings {
		if strings.HasPrefix(b, "wss://") && strings.HasSuffix(b, "/") && strings.HasPrefix(text, b) {
			return true
		}
	}
	return false
}
