package remote

import (
	"slices"
	"time"

	"signalbox/internal/channel"
	"signalbox/internal/peer"
	"signalbox/internal/signalling"
	"signalbox/internal/telemetry"
)

// Bounds of how many connections a technician may have made: each costs keys and sockets. What is beyond them is passed over, and asked for again by those who mean well.
const (
	maxPeers    = 10
	peersWithin = time.Minute
)

// described takes a session description of the technician: a new connection, or the restart of the present one.
func (s *session) described(m signalling.SDP) {
	switch {
	case !s.accepted.Load() || m.Kind != signalling.SDPOffer || m.Peer < s.number || s.grant.Transport == signalling.TransportRelayOnly:
		s.log.Debug("session description ignored", telemetry.Count(m.Peer))
		return
	case m.Peer > s.number:
		if !s.newPeer(m.Peer) {
			return
		}
	case s.peer == nil:
		return // what was to be restarted has ended: its other side sees that, and makes the next one
	}
	answer, err := s.peer.Answer(m.SDP)
	if err != nil {
		s.log.Info("the technician's session description cannot be used", telemetry.Cause(err))
		s.dropPeer()
		return
	}
	s.say(signalling.SDP{About: s.about(), Kind: signalling.SDPAnswer, SDP: answer, Peer: m.Peer})
}

// newPeer replaces the connection.
func (s *session) newPeer(number int) bool {
	if !s.another(time.Now()) {
		s.log.Warn("the technician makes too many connections")
		return false
	}
	s.dropPeer()
	p, err := peer.New(peer.Config{
		Servers: s.servers, RelayOnly: s.grant.Transport == signalling.TransportTURNOnly, Loopback: s.manager.cfg.Loopback, Dial: s.manager.o.Dial,
		OnCandidate: func(c peer.Candidate) {
			s.put(func() { // behind the answer
				s.say(signalling.Candidate{About: s.about(), Candidate: c.Text, Mid: c.Mid, Line: c.Line, Peer: number})
			})
		},
		OnChannel: func(l peer.Label, c channel.Conn) { s.channel(l.Name, c, false) },
		OnState:   func(st peer.State) { s.changed(number, st) },
		OnRenew:   func() { s.put(func() { s.renew(number) }) },
	})
	if err != nil {
		s.log.Warn("cannot make a WebRTC connection", telemetry.Cause(err))
		return false
	}
	s.peer, s.number = p, number
	return true
}

// another counts a connection, if there may be another one.
func (s *session) another(now time.Time) bool {
	s.peers = slices.DeleteFunc(s.peers, func(made time.Time) bool { return now.Sub(made) >= peersWithin })
	if len(s.peers) == maxPeers {
		return false
	}
	s.peers = append(s.peers, now)
	return true
}

// dropPeer ends the connection, if there is one. Its channels end by that; the technician opens them anew.
func (s *session) dropPeer() {
	if p := s.peer; p != nil {
		s.peer = nil
		s.work.Go(p.Close)
	}
}

// renew drops a connection that has encrypted as much as it may: the technician makes the next one.
func (s *session) renew(number int) {
	if s.number == number && s.peer != nil {
		s.log.Info("the WebRTC connection is as old as it may become")
		s.dropPeer()
	}
}

// refresh drops a connection that has come back after a long loss: the technician makes the next one, whose channels speak at once. Without the server there can be no other.
func (s *session) refresh() {
	if _, offline := s.manager.offline(); !offline && s.peer != nil && s.peer.State() == peer.Connected && s.peer.Stale() {
		s.log.Info("the WebRTC connection was lost for long, and another one takes its place")
		s.dropPeer()
	}
}

// changed looks at the way when the connection comes or goes; what finds no room is seen at the next tick.
func (s *session) changed(number int, st peer.State) {
	s.log.Debug("connection to the technician", telemetry.Detail(string(st)), telemetry.Count(number))
	if st == peer.Disconnected {
		s.manager.doubt()
	}
	s.put(func() { s.tick(time.Now()) })
}

// candidate takes one of the technician's candidates.
func (s *session) candidate(m signalling.Candidate) {
	if s.peer == nil || m.Peer != s.number {
		return // of a connection that is gone
	}
	if err := s.peer.Candidate(peer.Candidate{Text: m.Candidate, Mid: m.Mid, Line: m.Line}); err != nil {
		s.log.Debug("a candidate of the technician cannot be used") // the error quotes it
	}
}
