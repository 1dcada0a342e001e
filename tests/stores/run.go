package stores

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"

	"signalbox/internal/push"
	"signalbox/tests/beside"
)

// Options say what to run.
type Options struct {
	Sides []string // Ours, Theirs
	Scale Scale
	Log   func(format string, args ...any)
}

// Run measures the sides in turns on the disk of the temporary directory, each with a fresh database at every turn, while the other one does not run. What the
// databases grow to is measured once, behind the rounds.
func Run(ctx context.Context, o Options) (results *beside.Results, err error) {
	dir, err := os.MkdirTemp("", "stores")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if err := os.Chmod(dir, 0o711); err != nil { // PostgreSQL runs as another user
		return nil, err
	}
	results = &beside.Results{}
	for round := range o.Scale.Rounds {
		for _, name := range o.Sides {
			b := &bench{Options: o, name: name, results: results}
			if err := b.with(ctx, filepath.Join(dir, fmt.Sprint("r", round, name)), b.turn); err != nil {
				return results, fmt.Errorf("%s: %w", name, err)
			}
		}
	}
	for _, name := range o.Sides {
		b := &bench{Options: o, name: name, results: results}
		if err := b.with(ctx, filepath.Join(dir, "g"+name), b.growth); err != nil {
			return results, fmt.Errorf("%s: %w", name, err)
		}
	}
	return results, nil
}

// bench measures one side once.
type bench struct {
	Options
	name    string
	results *beside.Results
	side    side

	pushes, events int // that must be in the database
}

// with runs one part of the measurements on a fresh database.
func (b *bench) with(ctx context.Context, dir string, part func(context.Context) error) (err error) {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	start := map[string]func(context.Context, string, int) (side, error){Ours: startSignalbox, Theirs: startPostgres}[b.name]
	if b.side, err = start(ctx, dir, b.Scale.Endpoints); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.side.stop()) }()
	took, err := beside.SyncTime(dir)
	if err != nil {
		return err
	}
	b.add("disk/sync", float64(took)/float64(time.Millisecond))
	if err := part(ctx); err != nil {
		return err
	}
	return b.verify(ctx)
}

func (b *bench) add(key string, v float64) {
	b.results.Add(b.name, key, v)
	b.Log("%-10s %-20s %.4g", b.name, key, v)
}

// turn measures reads, pushes and acknowledgements.
func (b *bench) turn(ctx context.Context) error {
	begin := time.Now()
	other, err := b.others()
	if err != nil {
		return err
	}
	for _, part := range []func(context.Context) error{b.reads, b.accepting, b.acknowledging} {
		if err := part(ctx); err != nil {
			return err
		}
	}
	after, err := b.others()
	b.add("other", (after-other).Seconds()/time.Since(begin).Seconds())
	return err
}

// others is the CPU time that everything but the side and this process has spent.
func (b *bench) others() (time.Duration, error) {
	busy, err := beside.MachineBusy()
	if err != nil {
		return 0, err
	}
	own, server, err := cpu(b.side)
	return busy - own - server, err
}

// reads asks for what waits for one endpoint, as a session does when its endpoint is back.
func (b *bench) reads(ctx context.Context) error {
	var to []int
	for i := range b.Scale.Waiting * b.Scale.Each {
		to = append(to, i%b.Scale.Waiting) // the pushes of one endpoint do not lie side by side
	}
	if _, err := b.fill(ctx, to); err != nil {
		return err
	}
	for _, n := range b.Scale.Readers {
		o, err := b.timed(ctx, n, func(ctx context.Context, _ int) error {
			found, err := b.side.waiting(ctx, rand.IntN(b.Scale.Waiting))
			if err == nil && found != b.Scale.Each {
				err = fmt.Errorf("%d pushes wait for an endpoint, want %d", found, b.Scale.Each)
			}
			return err
		})
		if err != nil {
			return err
		}
		b.report(fmt.Sprintf("read/%d", n), o)
	}
	return nil
}

// accepting makes pushes durable.
func (b *bench) accepting(ctx context.Context) error {
	for _, n := range b.Scale.Callers {
		o, err := b.timed(ctx, n, func(ctx context.Context, _ int) error {
			_, err := b.side.push(ctx, rand.IntN(b.Scale.Endpoints))
			return err
		}, func(done int) { b.pushes, b.events = b.pushes+done, b.events+done })
		if err != nil {
			return err
		}
		b.report(fmt.Sprintf("push/%d", n), o)
	}
	return nil
}

// ackCallers is how many receipts are under way at the same time.
const ackCallers = 256

// acknowledging takes pushes that were sent to delivered.
func (b *bench) acknowledging(ctx context.Context) error {
	if err := b.side.settle(ctx); err != nil { // before, not between: receipts follow soon, so what they change was changed since the last checkpoint
		return err
	}
	ds, err := b.fill(ctx, b.anywhere(b.Scale.Acks))
	if err != nil {
		return err
	}
	if err := b.advance(ctx, ds, push.Sent); err != nil {
		return err
	}
	o, err := load{callers: ackCallers, count: len(ds), do: func(ctx context.Context, i int) error { return b.side.acknowledge(ctx, ds[i]) }}.run(ctx, b.side)
	b.events += len(o.each)
	b.report("ack", o)
	return err
}

// timed lets callers work for the time of one measurement, after a tenth of it that is not counted. Those who count what was done are told of both.
func (b *bench) timed(ctx context.Context, callers int, do func(context.Context, int) error, count ...func(done int)) (o outcome, err error) {
	if err := b.side.settle(ctx); err != nil {
		return o, err
	}
	for _, lasts := range []time.Duration{b.Scale.Lasts / 10, b.Scale.Lasts} {
		if o, err = (load{callers: callers, lasts: lasts, do: do}).run(ctx, b.side); err != nil {
			return o, err
		}
		for _, f := range count {
			f(len(o.each))
		}
	}
	return o, nil
}

func (b *bench) report(key string, o outcome) {
	b.add(key+"/rate", o.rate())
	b.add(key+"/p50", o.quantile(0.5))
	b.add(key+"/p99", o.quantile(0.99))
	b.add(key+"/cpu", o.perOne(o.own+o.server))
	b.add(key+"/own", o.perOne(o.own))
}

// anywhere returns n endpoints.
func (b *bench) anywhere(n int) []int {
	to := make([]int, n)
	for i := range to {
		to[i] = rand.IntN(b.Scale.Endpoints)
	}
	return to
}

func (b *bench) fill(ctx context.Context, to []int) ([]delivery, error) {
	b.pushes, b.events = b.pushes+len(to), b.events+len(to)
	return b.side.fill(ctx, to)
}

func (b *bench) advance(ctx context.Context, ds []delivery, state push.State) error {
	b.events += len(ds)
	return b.side.advance(ctx, ds, state)
}

// verify fails unless the database has every push and every event that was answered.
func (b *bench) verify(ctx context.Context) error {
	pushes, events, err := b.side.count(ctx)
	if err == nil && (pushes != b.pushes || events != b.events) {
		err = fmt.Errorf("the database has %d pushes and %d events, want %d and %d", pushes, events, b.pushes, b.events)
	}
	return err
}
