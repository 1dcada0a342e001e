package remote

import (
	"errors"
	"net/netip"
	"strings"
	"time"

	"signalbox/internal/audit"
	"signalbox/internal/signalling"
	"signalbox/internal/telemetry"
	"signalbox/internal/turnsession"
)

// sides are the servers of both: of the endpoint (turnsession.A) and the technician (turnsession.B).
type sides [2][]signalling.ICEServer

// tryTURN is when a TURN server that failed is asked again.
const tryTURN = 10 * time.Second

// openTURN opens the session's place on the TURN server, where its transport may use that, for as long as a session can last: its end ends it. Without a TURN server parties
// reach each other directly or over the relay, unless they may go through TURN alone.
func (l *live) openTURN() (sides, error) {
	if l.record.Transport == signalling.TransportRelayOnly {
		return sides{}, nil
	}
	ctx, cancel := patiently()
	defer cancel()
	spec := turnsession.Spec{TTL: turnsession.MaxTTL, Endpoints: [2]string{turnsession.A: l.record.Endpoint}, Technician: l.record.Technician.ID}
	opened, both, err := l.service.deps.TURN.Open(ctx, l.key.Domain, spec, turnsession.Caller{TokenID: l.record.By.Token, Name: l.record.By.Name})
	must := l.record.Transport == signalling.TransportTURNOnly
	switch {
	case err == nil:
		l.record.Turn = opened.ID
		if l.tech != nil {
			l.observe(l.tech.from)
		}
		return l.servers(both), nil
	case must && errors.Is(err, turnsession.ErrOff):
		return sides{}, ErrNoTURN
	case must:
		return sides{}, err
	case !errors.Is(err, turnsession.ErrOff):
		l.service.log.Warn("a remote session goes without TURN for now", telemetry.RemoteSession(l.id.String()), telemetry.Cause(err))
		l.renewAt = time.Now().Add(tryTURN)
	}
	return sides{}, nil
}

// credentials returns servers with new credentials; none where there is no TURN session.
func (l *live) credentials() sides {
	if l.record.Turn == 0 {
		return sides{}
	}
	ctx, cancel := patiently()
	defer cancel()
	_, both, err := l.service.deps.TURN.Renew(ctx, l.key.Domain, l.record.Turn)
	switch {
	case err == nil:
		return l.servers(both)
	case errors.Is(err, turnsession.ErrEnded), errors.Is(err, turnsession.ErrUnknown):
		l.leaveTURN() // renewICE opens another
	default:
		l.service.log.Warn("a remote session gets no new credentials for TURN", telemetry.RemoteSession(l.id.String()), telemetry.Cause(err))
	}
	l.renewAt = time.Now().Add(tryTURN)
	return sides{}
}

// servers makes lists of credentials, and notes when they have to be renewed: a good while before they end.
func (l *live) servers(both [2]turnsession.Credentials) (s sides) {
	l.renewAt = time.Time{}
	now := time.Now()
	for side, c := range both {
		if left := c.Expires.Sub(now); !c.Expires.IsZero() {
			l.renewAt = earliest(l.renewAt, now.Add(max(left*3/4, tryTURN)))
		}
		s[side] = iceServers(c, l.record.Transport)
	}
	return s
}

// iceServers returns what RTCPeerConnection takes. What serves TURN over UDP serves STUN, too, which those who may go through TURN alone do not need.
func iceServers(c turnsession.Credentials, transport string) (all []signalling.ICEServer) {
	if len(c.URLs) == 0 {
		return nil
	}
	var stun []string
	for _, url := range c.URLs {
		host, udp := strings.CutSuffix(url, "?transport=udp")
		if host, turn := strings.CutPrefix(host, "turn:"); turn && udp {
			stun = append(stun, "stun:"+host)
		}
	}
	if transport == signalling.TransportAuto && len(stun) > 0 {
		all = append(all, signalling.ICEServer{URLs: stun})
	}
	return append(all, signalling.ICEServer{URLs: c.URLs, Username: c.Username, Credential: c.Password})
}

// renewICE gives both new credentials, on a new TURN session where the old one is gone.
func (l *live) renewICE() {
	l.renewAt = time.Time{}
	both := l.credentials()
	if l.record.Turn == 0 {
		var err error
		if both, err = l.openTURN(); err != nil {
			l.renewAt = time.Now().Add(tryTURN)
		}
		l.note(nil, false)
	}
	if len(both[turnsession.A]) == 0 {
		return
	}
	if l.away.IsZero() {
		_ = l.tell(signalling.ICE{About: l.about(), Servers: both[turnsession.A]}) // else it gets them with the next offer
	}
	l.say(signalling.ICE{About: l.about(), Servers: both[turnsession.B]})
}

// observe has the TURN server let the endpoint reach the technician where they are seen.
func (l *live) observe(from netip.Addr) {
	if l.record.Turn != 0 {
		l.service.deps.TURN.Observe(l.record.Turn, turnsession.B, from)
	}
}

// renew makes a new token in place of the one before.
func (l *live) renew(by Caller) (Opened, error) {
	if err := l.open(); err != nil {
		return Opened{}, err
	}
	old := l.record.Secrets
	token := l.newToken()
	entry := l.entry(by.actor(), audit.SessionRenewed, nil)
	if err := l.save(&entry, false); err != nil {
		l.record.Secrets = old
		return Opened{}, err
	}
	return Opened{Session: l.record, Token: token, TokenExpires: l.record.Secrets.TokenExpires, Servers: l.credentials()[turnsession.B]}, nil
}
