package turnbench

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"

	"signalbox/tests/beside"
	"signalbox/tests/turnbench/wire"
)

// Options say what to run.
type Options struct {
	Dir       string // for everything that is written; temporary
	Signalbox string // program
	Load      string // program of tests/turnbench/load
	Servers   []string
	Parts     []string // keys of what is measured; empty: everything
	Scale     Scale
	Log       func(format string, args ...any)
}

// Run measures one thing after the other on all servers, each time on fresh ones, and again in every round, in which they take turns the other way round.
func Run(ctx context.Context, o Options) (*beside.Results, error) {
	if err := beside.RaiseLimit(); err != nil {
		return nil, err
	}
	w, err := newWorld(o.Dir, o.Signalbox, o.Load)
	if err != nil {
		return nil, err
	}
	results := &beside.Results{}
	servers := slices.Clone(o.Servers)
	for range o.Scale.Rounds {
		for _, p := range parts() {
			if len(o.Parts) > 0 && !slices.Contains(o.Parts, p.key) {
				continue
			}
			for _, name := range servers {
				b := &bench{Options: o, world: w, name: name, results: results}
				if err := b.with(ctx, p); err != nil {
					return results, fmt.Errorf("%s: %s: %w", name, p.key, err)
				}
			}
		}
		slices.Reverse(servers)
	}
	return results, nil
}

// part is what is measured on a server of its own.
type part struct {
	key string
	run func(*bench, context.Context) error
}

func parts() (all []part) {
	for _, m := range measures() {
		all = append(all, part{m.key, func(b *bench, ctx context.Context) error { return b.flow(ctx, m) }})
	}
	return append(all, part{"allocate", (*bench).allocations}, part{"latency", (*bench).latencies})
}

// bench measures one thing on one server.
type bench struct {
	Options
	world   *world
	name    string
	results *beside.Results

	server *running
	load   *beside.Worker
}

// with runs one part on a fresh server with a fresh load process.
func (b *bench) with(ctx context.Context, p part) (err error) {
	dir, err := os.MkdirTemp(b.Dir, b.name)
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if b.server, err = b.world.start(ctx, b.name, dir); err != nil {
		return err
	}
	defer b.server.Stop()
	place := filepath.Join(dir, "load")
	if err := os.Mkdir(place, 0o700); err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, b.Load, "-relay", b.world.relay.String(), "-ca", b.world.caFile, "-name", domain)
	if b.load, err = beside.StartWorker(cmd, place); err != nil {
		return err
	}
	defer b.load.Stop()
	return p.run(b, ctx)
}

func (b *bench) add(key string, v float64) {
	b.results.Add(b.name, key, v)
	b.Log("%-10s %-20s %.4g", b.name, key, v)
}

// ask gives the load process an order.
func (b *bench) ask(o wire.Order) (r wire.Report, err error) {
	if err = b.load.Ask(o, &r); err == nil && r.Error != "" {
		err = fmt.Errorf("%s", r.Error)
	}
	if err != nil {
		err = fmt.Errorf("%s: %w; the server: %s", o.Do, err, b.server.Said())
	}
	return r, err
}

// spent is the CPU time of everything at one moment.
type spent struct {
	server, load, other time.Duration
	at                  time.Time
}

func (b *bench) look() (s spent, err error) {
	if s.server, err = beside.TreeCPU(b.server.Cmd.Process.Pid); err != nil {
		return s, fmt.Errorf("%w: %s", err, b.server.Said())
	}
	if s.load, err = beside.CPU(b.load.Cmd.Process.Pid); err != nil {
		return s, fmt.Errorf("%w: %s", err, b.load.Said())
	}
	busy, err := beside.MachineBusy()
	s.other, s.at = busy-s.server-s.load, time.Now()
	return s, err
}

// rest is how long work that an order leaves behind may take to be counted.
const rest = 50 * time.Millisecond

// spend carries out an order and returns what it took.
func (b *bench) spend(ctx context.Context, o wire.Order) (r wire.Report, cost spent, err error) {
	if err := beside.Pause(ctx, rest); err != nil {
		return r, cost, err
	}
	before, err := b.look()
	if err != nil {
		return r, cost, err
	}
	if r, err = b.ask(o); err != nil {
		return r, cost, err
	}
	if err := beside.Pause(ctx, rest); err != nil {
		return r, cost, err
	}
	after, err := b.look()
	b.add("other", (after.other-before.other).Seconds()/after.at.Sub(before.at).Seconds())
	return r, spent{server: after.server - before.server, load: after.load - before.load}, err
}
