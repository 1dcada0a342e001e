package viewer

import (
	"cmp"
	"context"
	"slices"
	"sync/atomic"
	"time"

	"signalbox/internal/channel"
	"signalbox/internal/signalling"
)

// meter counts what flows, and knows when the technician last did something.
type meter struct {
	up, down atomic.Int64
	relays   atomic.Int32 // channels over the relay
	acted    atomic.Int64 // nanoseconds since 1970
}

func (m *meter) touch(now time.Time) { m.acted.Store(now.UnixNano()) }

// watch counts what a channel moves.
func (m *meter) watch(c channel.Conn, relayed bool) *metered {
	if relayed {
		m.relays.Add(1)
	}
	return &metered{Conn: c, meter: m, relayed: relayed}
}

// metered is a channel whose bytes are counted.
type metered struct {
	channel.Conn
	meter   *meter
	relayed bool
	closed  atomic.Bool
}

// Receive implements channel.Conn.
func (c *metered) Receive(ctx context.Context) (channel.Message, error) {
	m, err := c.Conn.Receive(ctx)
	c.meter.down.Add(int64(len(m.Data)))
	return m, err
}

// Send implements channel.Conn.
func (c *metered) Send(ctx context.Context, m channel.Message) error {
	err := c.Conn.Send(ctx, m)
	if err == nil {
		c.meter.up.Add(int64(len(m.Data)))
		c.meter.touch(time.Now())
	}
	return err
}

// Close implements channel.Conn.
func (c *metered) Close() error {
	if c.closed.CompareAndSwap(false, true) && c.relayed {
		c.meter.relays.Add(-1)
	}
	return c.Conn.Close()
}

// report is what the server was told of the way, and when.
type report struct {
	rung   string
	failed []signalling.Failed
	at     time.Time
}

// tick looks at what needs no event.
func (v *Viewer) tick(now time.Time) {
	v.look(now)
	v.vouch(now)
	v.late(now)
	if v.line != nil {
		v.advance()
	}
	v.reportPath(now)
}

// current returns by which way the endpoint is reached.
func (v *Viewer) current(now time.Time) signalling.Path {
	p := signalling.Path{About: v.about(), Up: v.meter.up.Load(), Down: v.meter.down.Load(), Idle: int(now.Sub(time.Unix(0, v.meter.acted.Load())) / time.Second), Failed: v.way.failed}
	if v.way.peer != nil {
		w := v.way.peer.Way()
		p.Rung, p.Failed = w.Rung, w.Failed
		v.way.rung = cmp.Or(w.Rung, v.way.rung)
		if w.RTT > 0 {
			p.RTT = max(int(w.RTT.Milliseconds()), 1)
		}
	}
	if p.Rung == "" && v.meter.relays.Load() > 0 {
		p.Rung = signalling.RungRelay
	}
	return p
}

// reportPath tells the server the way when it is another, and else every PathInterval.
func (v *Viewer) reportPath(now time.Time) {
	p := v.current(now)
	changed := p.Rung != v.told.rung || !slices.Equal(p.Failed, v.told.failed)
	v.mu.Lock()
	v.path = p
	v.mu.Unlock()
	if !v.accepted || v.line == nil || !changed && now.Sub(v.told.at) < signalling.PathInterval {
		return
	}
	if v.say(p) != nil {
		return
	}
	v.told = report{rung: p.Rung, failed: p.Failed, at: now}
	if changed && v.cfg.OnPath != nil {
		v.cfg.OnPath(p)
	}
}
