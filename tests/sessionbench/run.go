package sessionbench

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"signalbox/tests/beside"
)

// Options say what to run.
type Options struct {
	Dir                    string // for everything that is written but the files that are sent; temporary
	Files                  string // for these: in memory, so that no disk is measured
	Signalbox, Agent, Load string // programs
	Scale                  Scale
	Log                    func(format string, args ...any)
	Clicks                 *testing.T // drives a browser in tests below it; nil: there is no browser
}

// order and report are those of tests/sessionbench/load.
type order struct {
	Do, Transport, Path string
	MiB                 int64
	Channels            int
}

type report struct {
	Took      time.Duration
	Rung, Why string
}

// settle is how long memory is watched while a reader stalls.
const settle = 3 * time.Second

// terminals are the ways on which a terminal is awaited.
var terminals = []struct{ key, transport, rung string }{{"direct", "auto", "direct"}, {"turn", "turn_only", "turn_udp"}, {"relay", "websocket_only", "relay"}}

// bench measures in one world.
type bench struct {
	Options
	*world
	results *beside.Results
}

// Run measures everything, in each round in a fresh world.
func Run(ctx context.Context, o Options) (*beside.Results, error) {
	results := &beside.Results{}
	for range o.Scale.Rounds {
		w, err := start(ctx, o)
		if err != nil {
			return results, err
		}
		b := &bench{o, w, results}
		err = b.round(ctx)
		w.stop()
		if err != nil {
			return results, err
		}
	}
	return results, nil
}

func (b *bench) round(ctx context.Context) error {
	for _, t := range terminals {
		for range b.Scale.Terminals {
			r, err := b.ask(order{Do: "terminal", Transport: t.transport})
			if err == nil && r.Rung != t.rung {
				err = fmt.Errorf("it is on rung %s", r.Rung)
			}
			if err != nil {
				return fmt.Errorf("terminal, %s: %w", t.key, err)
			}
			b.add("terminal/"+t.key, float64(r.Took)/float64(time.Millisecond))
		}
	}
	if err := b.clicks(ctx); err != nil {
		return err
	}
	file := order{Transport: "auto", Path: filepath.Join(b.Files, "sent"), MiB: int64(b.Scale.MiB)}
	for _, do := range []string{"upload", "download"} {
		file.Do = do
		r, err := b.ask(file)
		if err != nil {
			return fmt.Errorf("%s: %w", do, err)
		}
		b.add(do, float64(b.Scale.MiB)*(1<<20)/1e6/r.Took.Seconds())
	}
	return b.stalled(ctx, file)
}

// stalled measures how much the server grows while readers stall.
func (b *bench) stalled(ctx context.Context, file order) error {
	before, err := beside.Measure(b.server.Cmd.Process.Pid)
	if err != nil {
		return err
	}
	file.Do, file.Channels = "stall", b.Scale.Stalled
	if _, err := b.ask(file); err != nil {
		return fmt.Errorf("stall: %w", err)
	}
	if err := beside.Pause(ctx, settle); err != nil {
		return err
	}
	after, err := beside.Measure(b.server.Cmd.Process.Pid)
	b.add("stalled/rss", float64(after.RSS-before.RSS)/(1<<10)/float64(b.Scale.Stalled))
	b.add("rss", float64(after.RSS)/(1<<20))
	return err
}

// ask gives the technician an order.
func (b *bench) ask(o order) (r report, err error) {
	if err := b.load.Ask(o, &r); err != nil {
		return r, err
	}
	if r.Why != "" {
		return r, fmt.Errorf("%s", r.Why)
	}
	return r, nil
}

func (b *bench) add(key string, v float64) {
	b.results.Add(Ours, key, v)
	b.Log("%-20s %.4g", key, v)
}
