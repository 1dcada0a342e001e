package viewer

import (
	"context"
	"slices"
	"time"

	"signalbox/internal/channel"
	"signalbox/internal/channel/wsconn"
	"signalbox/internal/peer"
	"signalbox/internal/signalling"
)

// opening is a channel that somebody waits for.
type opening struct {
	// Set at construction.
	name   string
	number int
	left   <-chan struct{} // closed when nobody waits for it any more
	result chan opened     // gets one, unless left comes first; unbuffered: what is sent has been taken

	// Owned by Run.
	conn  channel.Conn // of a connection that is not there yet; nil: it is none
	asked time.Time    // when the relay was asked for; zero: it was not
}

type opened struct {
	conn channel.Conn
	err  error
}

// open takes a wish.
func (v *Viewer) open(o *opening) {
	v.waiting = append(v.waiting, o)
	v.advance()
}

// givenUp reports whether nobody waits for it any more.
func (o *opening) givenUp() bool {
	select {
	case <-o.left:
		return true
	default:
		return false
	}
}

// deliver ends a wish. A channel for which nobody waits is closed.
func (v *Viewer) deliver(o *opening, c channel.Conn, err error) {
	if i := slices.Index(v.waiting, o); i >= 0 {
		v.waiting = slices.Delete(v.waiting, i, i+1)
		if err != nil && o.conn != nil {
			_ = o.conn.Close() // the error counts
		}
		select {
		case o.result <- opened{c, err}:
			return
		case <-o.left:
		}
	}
	if c != nil {
		v.work.Go(func() { _ = c.Close() }) // the other side may take its time
	}
}

// advance does what can be done for those who wait.
func (v *Viewer) advance() {
	for _, o := range slices.Clone(v.waiting) {
		switch {
		case o.givenUp():
			v.deliver(o, nil, errOver)
		case !v.accepted || o.conn != nil || !o.asked.IsZero():
		case o.name == channel.Files || v.way.relayed || v.state.Transport == signalling.TransportRelayOnly:
			v.ask(o)
		default:
			v.overPeer(o)
		}
	}
}

// ask asks for a channel through the relay.
func (v *Viewer) ask(o *opening) {
	if v.say(signalling.Relay{About: v.about(), Channel: o.name, Number: o.number}) == nil {
		o.asked = time.Now()
	}
}

// joined takes where this end of a channel through the relay is.
func (v *Viewer) joined(m signalling.Relay) {
	i := slices.IndexFunc(v.waiting, func(o *opening) bool { return o.number == m.Number && o.name == m.Channel && !o.asked.IsZero() })
	if i < 0 {
		return
	}
	o := v.waiting[i]
	v.work.Go(func() {
		ctx, cancel := context.WithTimeout(v.life, signalling.RelayTicketLife)
		defer cancel()
		raw, err := wsconn.Dial(ctx, m.URL, v.cfg.HTTP)
		if err != nil {
			_ = v.do(v.life, func() { v.deliver(o, nil, err) }) // or it is over
			return
		}
		c := v.meter.watch(raw, true)
		taken := v.do(v.life, func() {
			v.keepLower(o.name, c)
			v.deliver(o, c, nil)
		})
		if taken != nil {
			_ = c.Close() // nobody wants it
		}
	})
}

// overPeer opens a channel of the connection, which is made if there is none.
func (v *Viewer) overPeer(o *opening) {
	if v.way.peer == nil && (v.line == nil || !v.newPeer()) {
		return // advance comes here again when the line is back
	}
	c, err := v.way.peer.Open(peer.Label{Name: o.name, Number: o.number})
	if err != nil {
		v.deliver(o, nil, err)
		return
	}
	o.conn = v.meter.watch(c, false)
	if !v.way.offered {
		v.offer(false)
	}
	if v.way.peer.State() == peer.Connected {
		v.deliver(o, o.conn, nil)
	}
}

// late gives up what the relay was asked for and did not come.
func (v *Viewer) late(now time.Time) {
	for _, o := range slices.Clone(v.waiting) {
		if !o.asked.IsZero() && now.Sub(o.asked) > signalling.RelayTicketLife {
			v.deliver(o, nil, ErrRelay)
		}
	}
}
