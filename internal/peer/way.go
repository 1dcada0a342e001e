package peer

import (
	"net"
	"strconv"
	"time"

	"github.com/pion/webrtc/v3"

	"signalbox/internal/signalling"
)

// Way is by what the sides reach each other.
type Way struct {
	Rung   string              // of signalling; empty: they do not at present
	RTT    time.Duration       // of the last check; 0: not known yet
	Failed []signalling.Failed // better rungs, or all of them, and why they are not in use
}

// Way returns the way that is in use now.
func (p *Peer) Way() Way {
	var w Way
	if p.State() == Connected {
		if pair := p.pair(); pair != nil {
			w.Rung = p.rung(pair)
			if s, ok := p.ice().GetSelectedCandidatePairStats(); ok {
				w.RTT = time.Duration(s.CurrentRoundTripTime * float64(time.Second))
			}
		}
	}
	for _, r := range append([]string{signalling.RungDirect}, turnRungs...) {
		if r == w.Rung {
			break
		}
		w.Failed = append(w.Failed, signalling.Failed{Rung: r, Why: p.whyNot(r)})
	}
	return w
}

func (p *Peer) ice() *webrtc.ICETransport { return p.pc.SCTP().Transport().ICETransport() }

func (p *Peer) pair() *webrtc.ICECandidatePair {
	pair, err := p.ice().GetSelectedCandidatePair()
	if err != nil || pair == nil || pair.Local == nil || pair.Remote == nil {
		return nil
	}
	return pair
}

// rung returns which rung a pair stands on: that of our allocation, or turn_udp where the other side alone has one, whose way to its server is not seen from here.
func (p *Peer) rung(pair *webrtc.ICECandidatePair) string {
	if pair.Local.Typ == webrtc.ICECandidateTypeRelay {
		if r := p.net.tries.rungOf(addressOf(pair.Local)); r != "" {
			return r
		}
		return signalling.RungTURNUDP
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if pair.Remote.Typ == webrtc.ICECandidateTypeRelay || p.relays[addressOf(pair.Remote)] {
		return signalling.RungTURNUDP
	}
	return signalling.RungDirect
}

func addressOf(c *webrtc.ICECandidate) string {
	return net.JoinHostPort(c.Address, strconv.Itoa(int(c.Port)))
}

func (p *Peer) whyNot(rung string) string {
	switch {
	case rung != signalling.RungDirect:
		return p.net.tries.whyNot(rung)
	case p.cfg.RelayOnly:
		return "not allowed in this session"
	}
	return "no address of the other side answers"
}
