package viewer

import (
	"fmt"
	"slices"
	"time"

	"signalbox/internal/peer"
	"signalbox/internal/signalling"
)

// way is how the endpoint is reached. It is owned by Run.
type way struct {
	peer      *peer.Peer // nil: none
	number    int        // of the last one
	offered   bool
	pending   string    // the offer that is not answered yet
	connected bool      // it was
	began     time.Time // when a way was last looked for
	rung      string    // by which a connection last reached the endpoint; empty: none has
	relayed   bool      // nothing but the relay leads to the endpoint
	failed    []signalling.Failed
	climbs    climbs // from the relay to a better way
}

// newPeer makes a connection.
func (v *Viewer) newPeer() bool {
	v.way.number++
	number := v.way.number
	p, err := peer.New(peer.Config{
		Servers: v.servers, RelayOnly: v.state.Transport == signalling.TransportTURNOnly, Loopback: v.cfg.Loopback, Dial: v.cfg.Dial,
		OnCandidate: func(c peer.Candidate) {
			v.put(func() { // behind the offer
				if v.way.number == number {
					_ = v.say(signalling.Candidate{About: v.about(), Candidate: c.Text, Mid: c.Mid, Line: c.Line, Peer: number}) // a lost line is noted
				}
			})
		},
		OnState: func(peer.State) { v.put(func() { v.tick(time.Now()) }) },
		OnRenew: func() { v.put(func() { v.renew(number) }) },
	})
	if err != nil {
		v.noWay(err.Error())
		return false
	}
	v.way.peer, v.way.offered, v.way.pending, v.way.connected = p, false, "", false
	return true
}

// offer tells the endpoint of the connection; restart: ICE begins anew on it. An offer without an answer may be lost, and there can be no other before that (RFC 8829 section
// 4.1.8): it is said again.
func (v *Viewer) offer(restart bool) {
	text := v.way.pending
	if text == "" {
		var err error
		if text, err = v.way.peer.Offer(restart); err != nil {
			v.noWay(err.Error())
			return
		}
	}
	v.way.offered, v.way.pending, v.way.began = true, text, time.Now()
	if v.say(signalling.SDP{About: v.about(), Kind: signalling.SDPOffer, SDP: text, Peer: v.way.number}) == nil && !restart {
		v.watchFor(v.way.number)
	}
}

// watchFor looks at a new connection when its time is over.
func (v *Viewer) watchFor(number int) {
	patience := v.cfg.Patience // as it is now, and not when the goroutine begins
	v.work.Go(func() {
		timer := time.NewTimer(patience)
		defer timer.Stop()
		select {
		case <-timer.C:
			_ = v.do(v.life, func() { v.overdue(number) }) // or it is over
		case <-v.life.Done():
		}
	})
}

// overdue gives up a connection that has not come.
func (v *Viewer) overdue(number int) {
	if v.way.number == number && v.way.peer != nil && !v.way.connected {
		v.noWay("")
	}
}

// noWay has those who wait go over the relay, or nowhere. What was said to find a way may have reached nobody.
func (v *Viewer) noWay(why string) {
	v.doubt()
	if v.way.peer != nil {
		v.way.failed = v.way.peer.Way().Failed
	}
	v.dropPeer()
	if v.state.Transport == signalling.TransportAuto {
		v.way.relayed = true
		v.way.climbs.later(time.Now())
		v.advance()
		return
	}
	for _, f := range v.way.failed {
		why += fmt.Sprintf("; %s: %s", f.Rung, f.Why)
	}
	for _, o := range slices.Clone(v.waiting) {
		if o.asked.IsZero() {
			v.deliver(o, nil, fmt.Errorf("%w%s", ErrNoWay, why))
		}
	}
}

// dropPeer ends the connection, if there is one. Channels of it that are waited for begin anew.
func (v *Viewer) dropPeer() {
	p := v.way.peer
	if p == nil {
		return
	}
	v.way.peer = nil
	for _, o := range v.waiting {
		o.conn = nil
	}
	v.work.Go(p.Close)
}

// renew replaces a connection that has encrypted as much as it may.
func (v *Viewer) renew(number int) {
	if v.way.number == number {
		v.replace()
	}
}

// replace has another connection take the place of this one: its channels end, and come again on the next one.
func (v *Viewer) replace() {
	v.dropPeer()
	v.advance()
}

// answered takes the endpoint's description. A second answer is to an offer that was said again.
func (v *Viewer) answered(m signalling.SDP) {
	if v.way.peer == nil || m.Peer != v.way.number || v.way.pending == "" {
		return
	}
	v.way.pending = ""
	if err := v.way.peer.Accept(m.SDP); err != nil {
		v.noWay("; " + err.Error())
	}
}

// candidate takes one of the endpoint's. One that is of no use is no harm: others may be.
func (v *Viewer) candidate(m signalling.Candidate) {
	if v.way.peer != nil && m.Peer == v.way.number {
		_ = v.way.peer.Candidate(peer.Candidate{Text: m.Candidate, Mid: m.Mid, Line: m.Line})
	}
}
