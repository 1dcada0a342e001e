package peers

import (
	"context"
	"sync"
	"time"

	"signalbox/tests/beside"
	"signalbox/tests/peers/wire"
)

// pushers is how many connections post pushes at the same time, one waiting for its answer on each.
const pushers = 256

// crowd measures what concerns all sessions at once, on a fresh server: fan-outs, and the return of all.
func (b *bench) crowd(ctx context.Context) error {
	all := wire.Order{To: b.Scale.Fleet, Management: true, Presence: true}
	if _, err := b.login(ctx, all); err != nil {
		return err
	}
	for range b.Scale.FanRounds {
		if err := b.fan(ctx); err != nil {
			return err
		}
		if b.run.api != "" {
			if err := b.push(ctx, "push", wire.Push); err != nil {
				return err
			}
			if err := b.push(ctx, "spread", wire.Spread); err != nil {
				return err
			}
		}
	}
	open := b.Scale.Fleet
	if b.run.api != "" {
		if err := b.others(ctx); err != nil {
			return err
		}
		open += b.Scale.Others
	}
	if err := b.alive(open); err != nil {
		return err
	}
	return b.storm(ctx, all)
}

// comeBack measures the return of all alone.
func (b *bench) comeBack(ctx context.Context) error {
	all := wire.Order{To: b.Scale.Fleet, Management: true, Presence: true}
	if _, err := b.login(ctx, all); err != nil {
		return err
	}
	return b.storm(ctx, all)
}

// othersAlone measures single pushes beside fan-outs alone.
func (b *bench) othersAlone(ctx context.Context) error {
	if b.run.api == "" {
		return nil
	}
	if _, err := b.login(ctx, wire.Order{To: b.Scale.Fleet, Management: true, Presence: true}); err != nil {
		return err
	}
	return b.others(ctx)
}

// fan lets one session write to all.
func (b *bench) fan(ctx context.Context) error {
	c, sent, err := b.toAll(ctx, wire.Order{Do: wire.Fan, To: b.Scale.Fleet, Size: 200})
	if err == nil {
		b.add("fan/time", c.Ended.Sub(sent.Begun).Seconds())
		b.add("fan/cpu", c.perOne(c.server, time.Microsecond))
	}
	return err
}

// push lets the HTTP API write to all, by many requests or by one.
func (b *bench) push(ctx context.Context, key string, do wire.Do) error {
	took, err := beside.SyncTime(b.Dir)
	if err != nil {
		return err
	}
	b.add("disk/sync", float64(took)/float64(time.Millisecond))
	o := wire.Order{Do: do, To: b.Scale.Fleet, Size: 200, InFlight: pushers, API: b.run.api, Token: b.run.token}
	c, sent, err := b.toAll(ctx, o)
	if err == nil {
		b.add("failed", float64(sent.Failed))
		b.add(key+"/time", c.Ended.Sub(sent.Begun).Seconds())
		b.add(key+"/accepted", sent.Ended.Sub(sent.Begun).Seconds())
		b.add(key+"/cpu", c.perOne(c.server, time.Microsecond))
	}
	return err
}

// toAll gives the first load process an order that reaches every session once, and waits until it has.
func (b *bench) toAll(ctx context.Context, o wire.Order) (c cost, sent wire.Report, err error) {
	if err := beside.Pause(ctx, b.Scale.Settle); err != nil {
		return cost{}, sent, err
	}
	if _, err := b.crew.all(wire.Order{Do: wire.Expect, To: b.Scale.Fleet}, same); err != nil {
		return cost{}, sent, err
	}
	c, err = b.spend(ctx, func() (wire.Report, error) {
		if sent, err = b.crew[0].obey(o); err != nil {
			return sent, err
		}
		return b.crew.all(wire.Order{Do: wire.Await}, same)
	})
	return c, sent, err
}

// storm cuts all connections and lets all clients come back at once.
func (b *bench) storm(ctx context.Context, all wire.Order) error {
	api := func() latencies { return nil }
	if b.run.api != "" {
		if err := b.quietAPI(ctx); err != nil {
			return err
		}
		api = b.watchAPI(ctx, apiPause, b.postQuiet)
	}
	defer func() { api() }()
	before, err := b.look()
	if err != nil {
		return err
	}
	peak := b.watchPeak(ctx)
	dropped, err := b.crew.all(wire.Order{Do: wire.Drop}, same)
	if err != nil {
		return err
	}
	c, err := b.login(ctx, all)
	if err != nil {
		return err
	}
	if b.run.api != "" {
		took := api()
		api = func() latencies { return nil }
		b.add("storm/api", took.milliseconds(0.99))
		b.add("storm/api50", took.milliseconds(0.5))
		b.add("storm/api100", took.milliseconds(1))
	}
	b.add("storm/time", c.Ended.Sub(dropped.Begun).Seconds())
	b.add("storm/cpu", c.perOne(c.server, time.Millisecond))
	b.add("storm/again", float64(c.Again))
	b.add("storm/before", mebibytes(before.RSS))
	b.add("storm/peak", mebibytes(peak()))
	if err := beside.Pause(ctx, b.Scale.After); err != nil {
		return err
	}
	after, err := b.look()
	if err != nil {
		return err
	}
	b.add("storm/after", mebibytes(after.RSS))
	return b.alive(b.Scale.Fleet)
}

// watchPeak samples the server's RSS until the returned function is called, which returns the highest.
func (b *bench) watchPeak(ctx context.Context) (stop func() int64) {
	ctx, cancel := context.WithCancel(ctx)
	var highest int64
	var wg sync.WaitGroup
	wg.Go(func() { // stop ends it and waits for it
		for {
			if n, err := beside.Resident(b.run.Cmd.Process.Pid); err == nil {
				highest = max(highest, n)
			}
			if beside.Pause(ctx, 100*time.Millisecond) != nil {
				return
			}
		}
	})
	return func() int64 {
		cancel()
		wg.Wait()
		return highest
	}
}
