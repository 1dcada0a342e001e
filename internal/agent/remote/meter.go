package remote

import (
	"context"
	"sync/atomic"
	"time"

	"signalbox/internal/channel"
)

// meter counts what a session moves. Its methods may be called concurrently.
type meter struct {
	up, down atomic.Int64 // bytes from and to the technician
	relayed  atomic.Int64 // of those, through the relay
	last     atomic.Int64 // when the technician last did something, Unix nanoseconds
}

func (m *meter) touch(now time.Time) { m.last.Store(now.UnixNano()) }

// idle returns how long the technician has done nothing.
func (m *meter) idle(now time.Time) time.Duration {
	return max(now.Sub(time.Unix(0, m.last.Load())), 0)
}

// metered is a channel of a session whose messages count.
type metered struct {
	channel.Conn
	session   *session
	overRelay bool
	idle      bool // what comes is no act of a person
}

// Receive implements channel.Conn.
func (c *metered) Receive(ctx context.Context) (channel.Message, error) {
	m, err := c.Conn.Receive(ctx)
	if err == nil {
		if !c.idle {
			c.session.meter.touch(time.Now())
		}
		c.session.meter.up.Add(int64(len(m.Data)))
		c.count(len(m.Data))
	}
	return m, err
}

// Send implements channel.Conn.
func (c *metered) Send(ctx context.Context, m channel.Message) error {
	err := c.Conn.Send(ctx, m)
	if err == nil {
		c.session.meter.down.Add(int64(len(m.Data)))
		c.count(len(m.Data))
	}
	return err
}

// count holds the session to the bytes that it may move through the relay; the relay does that, too.
func (c *metered) count(n int) {
	if !c.overRelay {
		return
	}
	if sum, most := c.session.meter.relayed.Add(int64(n)), c.session.limits.Load().MaxBytes; most > 0 && sum > most {
		c.session.finish(ending{reason: byteLimit, detail: "as many bytes as allowed went through the relay"})
	}
}
