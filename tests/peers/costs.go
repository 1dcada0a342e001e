package peers

import (
	"context"
	"fmt"
	"time"

	"signalbox/tests/beside"
	"signalbox/tests/peers/wire"
)

// memory opens more and more idle sessions on a fresh server.
func (b *bench) memory(ctx context.Context) error {
	base, err := b.look()
	if err != nil {
		return err
	}
	b.add("base/rss", mebibytes(base.RSS))
	from := 0
	for i, n := range b.Scale.Idle {
		c, err := b.login(ctx, wire.Order{From: from, To: n, Management: true, Presence: true})
		if err != nil {
			return err
		}
		if err := beside.Pause(ctx, b.Scale.Settle); err != nil {
			return err
		}
		g, err := b.look()
		if err != nil {
			return err
		}
		b.add(fmt.Sprintf("idle/%d/rss", i), kibibytes(g.RSS-base.RSS, n))
		b.add(fmt.Sprintf("idle/%d/pss", i), kibibytes(g.PSS-base.PSS, n))
		if from = n; i == len(b.Scale.Idle)-1 {
			b.add("idle/login/cpu", c.perOne(c.server, time.Millisecond))
			b.add("idle/login/rate", c.rate())
			return b.idle(ctx, i, n, g)
		}
	}
	return nil
}

// idle watches the sessions do nothing.
func (b *bench) idle(ctx context.Context, i, n int, before glance) error {
	if err := beside.Pause(ctx, 2*b.Scale.Settle); err != nil {
		return err
	}
	g, err := b.look()
	if err != nil {
		return err
	}
	b.add(fmt.Sprintf("idle/%d/cpu", i), g.since(before).Seconds()*1000/g.at.Sub(before.at).Seconds())
	var rss int64
	for _, p := range b.crew {
		u, err := beside.Measure(p.Cmd.Process.Pid)
		if err != nil {
			return err
		}
		rss += u.RSS
	}
	b.add("client/session", kibibytes(rss, n))
	return b.alive(n)
}

func mebibytes(n int64) float64 { return float64(n) / (1 << 20) }

func kibibytes(n int64, sessions int) float64 { return float64(n) / (1 << 10) / float64(sessions) }

// costs measures CPU per operation on a fresh server.
func (b *bench) costs(ctx context.Context) error {
	for _, part := range []func(context.Context) error{b.logins, b.plainTraffic, b.managedTraffic, b.keepalives} {
		if err := part(ctx); err != nil {
			return err
		}
		if err := b.drop(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) logins(ctx context.Context) error {
	if err := b.warmUp(ctx); err != nil {
		return err
	}
	for range b.Scale.LoginRounds {
		for _, classic := range []bool{false, true} {
			c, err := b.login(ctx, wire.Order{To: b.Scale.Logins, Classic: classic})
			if err != nil {
				return err
			}
			if classic {
				b.add("login/classic/cpu", c.perOne(c.server, time.Millisecond))
			} else {
				b.add("login/cpu", c.perOne(c.server, time.Millisecond))
				b.add("client/login", c.perOne(c.client, time.Millisecond))
			}
			if err := b.drop(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}

// warmUp lets the server load and compile what a login needs, so that the first measurement is like the others.
func (b *bench) warmUp(ctx context.Context) error {
	if _, err := b.login(ctx, wire.Order{To: 2 * b.Scale.Pairs, Management: true, Presence: true}); err != nil {
		return err
	}
	return b.drop(ctx)
}

func (b *bench) plainTraffic(ctx context.Context) error {
	if _, err := b.login(ctx, wire.Order{To: 2 * b.Scale.Pairs, Presence: true}); err != nil {
		return err
	}
	if err := beside.Pause(ctx, b.Scale.Settle); err != nil {
		return err
	}
	pings := wire.Order{Do: wire.Pings, Count: b.Scale.Messages, Window: 1}
	if _, err := b.traffic(ctx, "ping", pings); err != nil {
		return err
	}
	m := wire.Order{Do: wire.Messages, Count: b.Scale.Messages, Window: 1, Size: 200}
	c, err := b.traffic(ctx, "message/200", m)
	if err != nil {
		return err
	}
	b.add("message/200/rate", c.rate())
	b.add("client/message", c.perOne(c.client, time.Microsecond))
	m.Window = 8
	if c, err = b.traffic(ctx, "message/200w8", m); err != nil {
		return err
	}
	b.add("message/200w8/rate", c.rate())
	m.Window, m.Size, m.Count = 1, 4096, b.Scale.LargeOnes
	_, err = b.traffic(ctx, "message/4096", m)
	return err
}

func (b *bench) managedTraffic(ctx context.Context) error {
	if _, err := b.login(ctx, wire.Order{To: 2 * b.Scale.Pairs, Presence: true, Management: true}); err != nil {
		return err
	}
	if err := beside.Pause(ctx, b.Scale.Settle); err != nil {
		return err
	}
	m := wire.Order{Do: wire.Messages, Count: b.Scale.Messages, Window: 1, Size: 200}
	if _, err := b.traffic(ctx, "message/200sm", m); err != nil {
		return err
	}
	m.Size, m.Count = 4096, b.Scale.LargeOnes
	_, err := b.traffic(ctx, "message/4096sm", m)
	return err
}

func (b *bench) keepalives(ctx context.Context) error {
	if _, err := b.login(ctx, wire.Order{To: b.Scale.SpaceFrom, Presence: true}); err != nil {
		return err
	}
	if err := beside.Pause(ctx, b.Scale.Settle); err != nil {
		return err
	}
	_, err := b.traffic(ctx, "space", wire.Order{Do: wire.Spaces, Count: b.Scale.Spaces, Rate: b.Scale.SpacesPerSec})
	return err
}

// traffic measures the server's CPU per operation.
func (b *bench) traffic(ctx context.Context, key string, o wire.Order) (cost, error) {
	c, err := b.spend(ctx, func() (wire.Report, error) { return b.crew.all(o, shares) })
	if err == nil {
		b.add(key+"/cpu", c.perOne(c.server, time.Microsecond))
	}
	return c, err
}
