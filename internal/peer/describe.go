package peer

import (
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/pion/webrtc/v3"
)

// Bounds of what the other side says.
const (
	maxSDP        = 32 << 10
	maxSDPLines   = 400
	maxCandidate  = 512
	maxCandidates = 64 // since the last description, those in it included
	maxMid        = 32
)

var errManyCandidates = fmt.Errorf("more than %d candidates", maxCandidates)

// Offer returns a description for the other side. The first needs a channel, see Open; restart has the ways looked for anew, for a connection that was lost.
func (p *Peer) Offer(restart bool) (string, error) {
	p.described(description{mid: "0"}, restart)
	offer, err := p.pc.CreateOffer(&webrtc.OfferOptions{ICERestart: restart})
	if err != nil {
		return "", fmt.Errorf("offer: %w", err)
	}
	if err := p.pc.SetLocalDescription(offer); err != nil {
		return "", fmt.Errorf("offer: %w", err)
	}
	return offer.SDP, nil
}

// Answer takes the other side's first offer or that of an ICE restart, and returns the answer.
func (p *Peer) Answer(offer string) (string, error) {
	d, err := parseDescription(offer)
	if err != nil {
		return "", err
	}
	p.described(d, false)
	if err := p.pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeOffer, SDP: offer}); err != nil {
		return "", fmt.Errorf("take the offer: %w", err)
	}
	answer, err := p.pc.CreateAnswer(nil)
	if err != nil {
		return "", fmt.Errorf("answer: %w", err)
	}
	if err := p.pc.SetLocalDescription(answer); err != nil {
		return "", fmt.Errorf("answer: %w", err)
	}
	return answer.SDP, nil
}

// Accept takes the other side's answer.
func (p *Peer) Accept(answer string) error {
	d, err := parseDescription(answer)
	if err != nil {
		return err
	}
	p.noteRelays(d.candidates, d.relays)
	if err := p.pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: answer}); err != nil {
		return fmt.Errorf("take the answer: %w", err)
	}
	return nil
}

// described takes what an offer says. The first one and one with another name, as a restart has it, begin the search for ways.
func (p *Peer) described(d description, restart bool) {
	p.mu.Lock()
	begins := restart || !p.begun || d.ufrag != p.ufrag
	p.begun, p.mid, p.ufrag, p.candidates = true, d.mid, d.ufrag, 0
	p.mu.Unlock()
	p.noteRelays(d.candidates, d.relays)
	if begins {
		p.net.tries.begin(p.net.targets)
	}
}

// Candidate takes a candidate of the other side, whose description came before.
func (p *Peer) Candidate(c Candidate) error {
	if c.Text == "" {
		return nil
	}
	if len(c.Text) > maxCandidate || strings.ContainsAny(c.Text, "\r\n") {
		return errors.New("that is no candidate")
	}
	var relays []string
	if relay := relayIn(c.Text); relay != "" {
		relays = append(relays, relay)
	}
	if p.noteRelays(1, relays) > maxCandidates {
		return errManyCandidates
	}
	line := uint16(0)
	return p.pc.AddICECandidate(webrtc.ICECandidateInit{Candidate: c.Text, SDPMid: &c.Mid, SDPMLineIndex: &line})
}

// noteRelays counts candidates of the other side, returns how many there were since its last description, and remembers which are relayed.
func (p *Peer) noteRelays(candidates int, relays []string) (sum int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, r := range relays {
		if len(p.relays) < 2*maxCandidates {
			p.relays[r] = true
		}
	}
	p.candidates += candidates
	return p.candidates
}

// gathered passes a local candidate on.
func (p *Peer) gathered(c *webrtc.ICECandidate) {
	if p.cfg.OnCandidate == nil || p.life.Err() != nil {
		return
	}
	p.mu.Lock()
	mid := p.mid
	p.mu.Unlock()
	if c == nil {
		p.cfg.OnCandidate(Candidate{Mid: mid})
		return
	}
	p.cfg.OnCandidate(Candidate{Text: c.ToJSON().Candidate, Mid: mid})
}

// description is what is looked at in an SDP before the library reads it.
type description struct {
	mid, ufrag string
	candidates int
	relays     []string // host:port of relay candidates
}

// parseDescription takes a description of data channels and of nothing else (RFC 8841), so that no stranger makes the library build more than that.
func parseDescription(text string) (description, error) {
	var d description
	if len(text) > maxSDP || !strings.HasPrefix(text, "v=0") || strings.Count(text, "\n") > maxSDPLines {
		return d, errors.New("that is no session description")
	}
	media := 0
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\r\n")
		switch {
		case strings.HasPrefix(line, "m="):
			media++
			if f := strings.Fields(line); len(f) != 4 || f[0] != "m=application" || f[2] != "UDP/DTLS/SCTP" || f[3] != "webrtc-datachannel" {
				return d, errors.New("the session description is not about data channels alone")
			}
		case strings.HasPrefix(line, "a=mid:"):
			d.mid = strings.TrimPrefix(line, "a=mid:")
		case strings.HasPrefix(line, "a=ice-ufrag:"):
			d.ufrag = strings.TrimPrefix(line, "a=ice-ufrag:")
		case strings.HasPrefix(line, "a=candidate:"):
			d.candidates++
			if relay := relayIn(line[len("a="):]); relay != "" {
				d.relays = append(d.relays, relay)
			}
		}
	}
	switch {
	case media != 1:
		return d, fmt.Errorf("the session description has %d media, not one", media)
	case d.mid == "" || len(d.mid) > maxMid:
		return d, errors.New("the session description does not name its media")
	case d.candidates > maxCandidates:
		return d, errManyCandidates
	}
	return d, nil
}

// relayIn returns host:port of a relay candidate (RFC 8839 section 5.1), or nothing for another.
func relayIn(candidate string) string {
	f := strings.Fields(candidate)
	if len(f) < 8 || f[6] != "typ" || f[7] != "relay" {
		return ""
	}
	return net.JoinHostPort(f[4], f[5])
}
