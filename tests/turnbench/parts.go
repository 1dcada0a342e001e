package turnbench

import (
	"context"
	"fmt"
	"time"

	"signalbox/tests/beside"
	"signalbox/tests/turnbench/wire"
)

// warmUp is the part of a flow that goes before and is not counted.
const warmUp = 10

// flow measures the CPU time of one flow's packets.
func (b *bench) flow(ctx context.Context, m measure) error {
	users, err := b.users(ctx, m)
	if err != nil {
		return err
	}
	o := wire.Order{
		Transport: m.transport, Server: b.server.addrs[m.transport], Credentials: users, Mode: m.mode, Size: packetSize,
		Way: m.way, Burst: m.burst, Rate: m.rate, Window: window,
	}
	o.Do, o.Count = wire.Open, m.clients
	if _, err := b.ask(o); err != nil {
		return err
	}
	o.Do, o.Count = wire.Flow, m.packets(b.Scale)/warmUp
	if _, err := b.ask(o); err != nil {
		return err
	}
	o.Count = m.packets(b.Scale)
	r, cost, err := b.carry(ctx, o)
	if err != nil {
		return err
	}
	b.add(m.key+"/cpu", perMillion(cost.server, r.Done))
	if m.rate == 0 {
		b.add(m.key+"/rate", float64(r.Done)/r.Ended.Sub(r.Begun).Seconds())
	}
	if m.key == "up" {
		b.add("load/up", perMillion(cost.load, r.Done))
	}
	b.add("lost", 100*float64(r.Lost)/float64(o.Count))
	return nil
}

// carry moves the packets of a flow. Where more than a hundredth is lost, which costs and counts for nothing, it tries again a few times.
func (b *bench) carry(ctx context.Context, o wire.Order) (r wire.Report, cost spent, err error) {
	const tries = 3
	for range tries {
		r, cost, err = b.spend(ctx, o)
		if err == nil && (r.Wrong > 0 || r.Done == 0) {
			err = fmt.Errorf("%d packets arrived, %d with other bytes, of %d", r.Done, r.Wrong, o.Count)
		}
		if err != nil || r.Lost <= o.Count/100 {
			break
		}
	}
	return r, cost, err
}

// users returns credentials for the clients of a flow: of sessions of their own, or of both sides of sessions where clients talk to each other.
func (b *bench) users(ctx context.Context, m measure) (users []wire.Credential, err error) {
	if m.mode == wire.Pair {
		return b.server.credentials(ctx, m.clients/2)
	}
	all, err := b.server.credentials(ctx, m.clients)
	for n := 0; n < len(all); n += 2 {
		users = append(users, all[n])
	}
	return users, err
}

func perMillion(d time.Duration, packets int) float64 {
	return d.Seconds() / float64(packets) * 1e6
}

// allocations measures how quickly allocations are made, and what each takes.
func (b *bench) allocations(ctx context.Context) error {
	users, err := b.server.credentials(ctx, inFlight/2)
	if err != nil {
		return err
	}
	o := wire.Order{Do: wire.Allocate, Transport: wire.UDP, Server: b.server.addrs[wire.UDP], Credentials: users, InFlight: inFlight}
	o.Count = b.Scale.Allocations / warmUp
	if _, err := b.ask(o); err != nil {
		return err
	}
	before, err := beside.Measure(b.server.Cmd.Process.Pid)
	if err != nil {
		return err
	}
	o.Count = b.Scale.Allocations
	r, cost, err := b.spend(ctx, o)
	if err == nil && r.Done == 0 {
		err = fmt.Errorf("no allocation was made: %s", r.Why)
	}
	if err != nil {
		return err
	}
	if r.Lost > 0 {
		b.Log("%d allocations failed, one of them: %s", r.Lost, r.Why)
	}
	after, err := beside.Measure(b.server.Cmd.Process.Pid)
	b.add("allocate/rate", float64(r.Done)/r.Ended.Sub(r.Begun).Seconds())
	b.add("allocate/cpu", perMillion(cost.server, r.Done))
	b.add("allocate/rss", float64(after.RSS-before.RSS)/(1<<10)/float64(r.Done))
	b.add("allocate/failed", float64(r.Lost))
	return err
}

// latencies measures the time that a packet spends in the server, over each transport.
func (b *bench) latencies(ctx context.Context) error {
	base, err := beside.Measure(b.server.Cmd.Process.Pid)
	if err != nil {
		return err
	}
	b.add("base/rss", float64(base.RSS)/(1<<20))
	users, err := b.server.credentials(ctx, 1)
	if err != nil {
		return err
	}
	for _, t := range []wire.Transport{wire.UDP, wire.TLS} {
		r, err := b.ask(wire.Order{Do: wire.Latency, Transport: t, Server: b.server.addrs[t], Credentials: users, Count: b.Scale.Pings, Size: pingSize})
		if err != nil {
			return fmt.Errorf("%s: %w", t, err)
		}
		b.add("latency/"+string(t), float64((r.Relayed-r.Direct)/2)/float64(time.Microsecond))
	}
	return nil
}
