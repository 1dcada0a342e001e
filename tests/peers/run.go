package peers

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"signalbox/tests/beside"
	"signalbox/tests/peers/wire"
)

// Options say what to run.
type Options struct {
	Dir       string // for everything that is written; temporary
	Signalbox string // program
	Load      string // program of tests/peers/load
	Servers   []Server
	Scale     Scale

	Alone string // Storm or Others: nothing else is measured
	Log   func(format string, args ...any)
}

// What may be measured alone.
const (
	Storm  = "storm"  // the return of all
	Others = "others" // single pushes beside fan-outs, where there is an HTTP API
)

// Run measures all servers, one after the other, and again in every round. Errors of one server end the run.
func Run(ctx context.Context, o Options) (*beside.Results, error) {
	if err := beside.RaiseLimit(); err != nil {
		return nil, err
	}
	w, err := newWorld(o.Dir, o.Signalbox, o.Scale.accounts())
	if err != nil {
		return nil, err
	}
	results := &beside.Results{}
	for round := range o.Scale.Rounds {
		for _, s := range o.Servers {
			b := &bench{Options: o, world: w, server: s, results: results}
			for i, part := range b.parts() {
				dir := filepath.Join(o.Dir, fmt.Sprint(s.Name, round, i))
				if err := b.with(ctx, dir, part); err != nil {
					return results, fmt.Errorf("%s: %w", s.Name, err)
				}
			}
		}
	}
	return results, nil
}

// parts returns what is measured, each on a fresh server.
func (b *bench) parts() []func(context.Context) error {
	switch b.Alone {
	case Storm:
		return []func(context.Context) error{b.comeBack}
	case Others:
		return []func(context.Context) error{b.othersAlone}
	}
	return []func(context.Context) error{b.memory, b.costs, b.crowd}
}

// bench measures one server.
type bench struct {
	Options
	world   *world
	server  Server
	results *beside.Results

	run  *running
	crew crew
}

func mkdir(dir string) error { return os.MkdirAll(dir, 0o755) }

// with runs one part of the measurements on a fresh server with fresh load processes.
func (b *bench) with(ctx context.Context, dir string, part func(context.Context) error) (err error) {
	if err := mkdir(dir); err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if b.run, err = b.server.start(ctx, b.world, dir); err != nil {
		return err
	}
	defer b.run.Stop()
	b.crew, err = startCrew(ctx, b.Load, dir, b.world, b.run, b.Scale.Processes)
	defer func() { b.crew.stop() }()
	if err != nil {
		return err
	}
	if err := beside.Pause(ctx, b.Scale.Settle); err != nil {
		return err
	}
	before, err := b.look()
	if err != nil {
		return err
	}
	if err := part(ctx); err != nil {
		return err
	}
	after, err := b.look()
	if err == nil {
		took := after.at.Sub(before.at)
		b.add("other", (after.busy-before.busy-after.since(before)-(after.client-before.client)).Seconds()/took.Seconds())
	}
	return err
}

// glance is what everything takes at one moment.
type glance struct {
	beside.Usage
	at     time.Time
	client time.Duration // CPU of the load
	busy   time.Duration // CPU of the machine
}

func (b *bench) look() (glance, error) {
	u, err := beside.Measure(b.run.Cmd.Process.Pid)
	if err != nil {
		return glance{}, fmt.Errorf("%w: %s", err, b.run.Said())
	}
	busy, err := beside.MachineBusy()
	return glance{Usage: u, at: time.Now(), client: b.crew.cpu(), busy: busy}, err
}

// since is the server's CPU time between two glances.
func (g glance) since(before glance) time.Duration { return g.CPU - before.CPU }

func (b *bench) add(key string, v float64) {
	b.results.Add(b.server.Name, key, v)
	b.Log("%-10s %-20s %.4g", b.server.Name, key, v)
}

// cost is one measurement: what the server and the load spent on an order, and what came of it.
type cost struct {
	wire.Report
	server, client time.Duration
}

// perOne returns CPU time per operation in a unit.
func (c cost) perOne(d, unit time.Duration) float64 {
	return float64(d) / float64(unit) / float64(max(1, c.Done))
}

func (c cost) rate() float64 { return float64(c.Done) / c.Ended.Sub(c.Begun).Seconds() }

// rest is how long work that an order leaves behind may take to be counted.
const rest = 300 * time.Millisecond

// spend carries out an order and measures what it costs.
func (b *bench) spend(ctx context.Context, work func() (wire.Report, error)) (cost, error) {
	before, err := b.look()
	if err != nil {
		return cost{}, err
	}
	r, err := work()
	if err != nil {
		return cost{}, err
	}
	if err := beside.Pause(ctx, rest); err != nil {
		return cost{}, err
	}
	after, err := b.look()
	b.add("failed", float64(r.Failed))
	return cost{Report: r, server: after.since(before), client: after.client - before.client}, err
}

// login opens sessions on all load processes and fails unless all are open.
func (b *bench) login(ctx context.Context, o wire.Order) (cost, error) {
	o.Do, o.InFlight = wire.Login, b.Scale.InFlight
	c, err := b.spend(ctx, func() (wire.Report, error) { return b.crew.all(o, ranges) })
	if err == nil && c.Failed > 0 {
		err = fmt.Errorf("%d of %d logins failed, such as: %s", c.Failed, o.To-o.From, c.Why)
	}
	return c, err
}

// drop cuts all connections and waits until the server has cleaned up.
func (b *bench) drop(ctx context.Context) error {
	_, err := b.crew.all(wire.Order{Do: wire.Drop}, same)
	return errors.Join(err, beside.Pause(ctx, b.Scale.Settle))
}

// alive fails unless so many sessions are open.
func (b *bench) alive(want int) error {
	r, err := b.crew.all(wire.Order{Do: wire.Count}, same)
	if err == nil {
		b.add("failed", float64(want-r.Done))
	}
	return err
}
