package viewer

import (
	"context"
	"slices"
	"time"

	"signalbox/internal/channel"
	"signalbox/internal/peer"
	"signalbox/internal/signalling"
)

const (
	restartEach = 10 * time.Second // while a connection that was there is not, ICE begins anew
	checkWithin = 4 * time.Second  // a sign of life of the server
	vouchEach   = 10 * time.Second // between two of them, where nothing else would show that this side's network is lost
)

// remedy is what is done about a connection.
type remedy string

const (
	wait    remedy = "wait"
	use     remedy = "use"     // those who wait get their channels
	restart remedy = "restart" // ICE begins anew
	another remedy = "another" // another connection takes its place
	none    remedy = "none"    // no way was found
)

// remedyFor says what is done about a connection in a state. connected: it was, once; stale: see peer.Stale; heard: there is a line; idle: since a way was last looked for.
//
// A lost connection gets one new search under its channels. After that, and where it comes back by itself, another one speaks sooner than its channels would.
func remedyFor(st peer.State, connected, stale, heard bool, idle time.Duration) remedy {
	switch {
	case st == peer.Failed || st == peer.Closed:
		if connected {
			return another
		}
		return none
	case stale && heard:
		return another
	case st == peer.Connected:
		return use
	case connected && heard && idle >= restartEach:
		return restart
	}
	return wait
}

// look does what the state of the connection demands.
func (v *Viewer) look(now time.Time) {
	p := v.way.peer
	if p == nil {
		v.climb(now)
		return
	}
	switch remedyFor(p.State(), v.way.connected, p.Stale(), v.line != nil, now.Sub(v.way.began)) {
	case use:
		v.use()
	case restart:
		v.doubt()
		v.offer(true)
	case another:
		v.doubt()
		v.replace()
	case none:
		v.noWay("")
	}
}

// restarted looks for a way at once where the TURN server that was restarted was part of it: otherwise nothing is lost. A connection that has been lost for long, or has not come up
// while that server was away, is replaced; channels of any other go on over it.
func (v *Viewer) restarted() {
	if v.way.peer == nil || v.way.relayed || !overTURN(v.way.rung) {
		return
	}
	if v.cfg.OnRestarted != nil {
		v.cfg.OnRestarted()
	}
	if v.way.connected && !v.way.peer.Stale() {
		v.offer(true)
		return
	}
	v.replace()
}

func overTURN(rung string) bool {
	return rung == signalling.RungTURNUDP || rung == signalling.RungTURNTCP || rung == signalling.RungTURNTLS
}

// doubt finds out whether the server is there: it may be the network of this side that is lost. A line that waits for TCP comes back as late again as the loss lasted, and not for a quarter of an hour where
// this side has another address since.
func (v *Viewer) doubt() {
	l := v.line
	if l == nil {
		return
	}
	v.work.Go(func() {
		ctx, cancel := context.WithTimeout(v.life, checkWithin)
		defer cancel()
		l.Check(ctx)
	})
}

// vouch asks the server for a sign of life now and then while terminals go over the relay.
func (v *Viewer) vouch(now time.Time) {
	if len(v.lower) > 0 && v.line != nil && now.Sub(v.vouched) >= vouchEach {
		v.vouched = now
		v.doubt()
	}
}

// use gives out the channels of a connection that is there.
func (v *Viewer) use() {
	v.way.connected, v.way.relayed = true, false
	v.climbed()
	for _, o := range slices.Clone(v.waiting) {
		if o.conn != nil {
			v.deliver(o, o.conn, nil)
		}
	}
}

// Pauses between two searches for a better way than the relay.
const (
	firstClimb = 30 * time.Second
	lastClimb  = 10 * time.Minute
)

// climbs says when a better way than the relay is looked for. The zero value begins with the first pause.
type climbs struct {
	at    time.Time
	pause time.Duration
	probe channel.Conn // of the search that is under way: without a channel there is nothing to offer; nil: there is none
}

// later has the next search wait, longer than the one before.
func (c *climbs) later(now time.Time) {
	c.pause = min(max(2*c.pause, firstClimb), lastClimb)
	c.at, c.probe = now.Add(c.pause), nil
}

// climb looks for a better way than the relay when that is due, if anything goes over it for want of one. What does goes on meanwhile.
func (v *Viewer) climb(now time.Time) {
	v.lower = slices.DeleteFunc(v.lower, func(c *metered) bool { return c.closed.Load() })
	wanted := v.state.Transport == signalling.TransportAuto && (v.way.relayed || len(v.lower) > 0)
	if !wanted || v.line == nil || now.Before(v.way.climbs.at) || !v.newPeer() {
		return
	}
	probe, err := v.way.peer.Open(peer.Label{Name: channel.System, Number: int(v.number.Add(1))})
	if err != nil {
		v.noWay(err.Error())
		return
	}
	v.way.climbs.probe = probe
	v.offer(false)
}

// climbed has everything go the better way that was found: terminals by being attached to again, which loses nothing, other channels when they are opened the next time.
func (v *Viewer) climbed() {
	if probe := v.way.climbs.probe; probe != nil {
		_ = probe.Close() // it has done what it is for
		v.way.climbs.probe = nil
	}
	v.dropLower()
}

// dropLower ends the terminals over the relay: whoever has one attaches to it again.
func (v *Viewer) dropLower() {
	if len(v.lower) == 0 {
		return
	}
	lower := v.lower
	v.lower = nil
	v.work.Go(func() {
		for _, c := range lower {
			_ = c.Close() // the other side may be gone
		}
	})
}

// keepLower remembers a terminal that goes over the relay, until it is closed.
func (v *Viewer) keepLower(name string, c *metered) {
	if name == channel.Terminal {
		v.lower = append(v.lower, c)
	}
}

// backAgain looks for ways again once the server is back: the network may be another.
func (v *Viewer) backAgain() {
	v.way.relayed, v.way.climbs = false, climbs{}
	for _, o := range v.waiting {
		o.asked = time.Time{} // the answer may be lost
	}
	switch p := v.way.peer; {
	case p == nil:
	case !v.way.connected: // the offer may be lost
		v.dropPeer()
	case p.State() != peer.Connected && !p.Stale(): // else another one takes its place
		v.offer(true)
	}
}
