package peers

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"golang.org/x/sync/errgroup"

	"signalbox/tests/beside"
	"signalbox/tests/peers/wire"
)

// player is one load process.
type player struct{ *beside.Worker }

// crew is all load processes of one server; the sessions are spread over them.
type crew []player

// sourcesEach is how many source addresses a load process uses, so that ephemeral ports do not run out.
const sourcesEach = 8

// startCrew starts the load processes.
func startCrew(ctx context.Context, program, dir string, w *world, s *running, size int) (c crew, err error) {
	for i := range size {
		cmd := exec.CommandContext(ctx, program, "-addr", s.addr, "-domain", domain, "-ca", w.caFile, "-password", password,
			"-source", strconv.Itoa(2+i*sourcesEach))
		place := filepath.Join(dir, "load"+strconv.Itoa(i))
		if err := mkdir(place); err != nil {
			return c, err
		}
		w, err := beside.StartWorker(cmd, place)
		if err != nil {
			return c, err
		}
		c = append(c, player{w})
	}
	return c, nil
}

func (c crew) stop() {
	for _, p := range c {
		p.Stop()
	}
}

// obey gives one process an order and waits for its report.
func (p player) obey(o wire.Order) (wire.Report, error) {
	var r wire.Report
	if err := p.Ask(o, &r); err != nil {
		return r, fmt.Errorf("%s: %w", o.Do, err)
	}
	if r.Error != "" {
		return r, fmt.Errorf("%s: %s", o.Do, r.Error)
	}
	return r, nil
}

// all gives every process its part of an order at the same time and puts the reports together.
func (c crew) all(o wire.Order, part func(o wire.Order, i, of int) wire.Order) (wire.Report, error) {
	reports := make([]wire.Report, len(c))
	var g errgroup.Group
	for i, p := range c {
		g.Go(func() (err error) {
			reports[i], err = p.obey(part(o, i, len(c)))
			return err
		})
	}
	err := g.Wait()
	return together(reports), err
}

func together(reports []wire.Report) (sum wire.Report) {
	for _, r := range reports {
		sum.Done += r.Done
		sum.Failed += r.Failed
		sum.Again += r.Again
		sum.Delays = append(sum.Delays, r.Delays...)
		if r.Why != "" {
			sum.Why = r.Why
		}
		if sum.Begun.IsZero() || !r.Begun.IsZero() && r.Begun.Before(sum.Begun) {
			sum.Begun = r.Begun
		}
		if r.Ended.After(sum.Ended) {
			sum.Ended = r.Ended
		}
	}
	return sum
}

// same gives every process the whole order.
func same(o wire.Order, _, _ int) wire.Order { return o }

// ranges gives every process its part of the sessions, and of what is under way at the same time.
func ranges(o wire.Order, i, of int) wire.Order {
	from, n := o.From, o.To-o.From
	o.From, o.To = from+n*i/of, from+n*(i+1)/of
	o.InFlight = max(1, o.InFlight/of)
	return o
}

// shares gives every process its part of the operations.
func shares(o wire.Order, i, of int) wire.Order {
	o.Count /= of
	o.Rate /= of
	return o
}

// cpu is the CPU time of all load processes.
func (c crew) cpu() (sum time.Duration) {
	for _, p := range c {
		if t, err := beside.CPU(p.Cmd.Process.Pid); err == nil { // one that ended shows in the next order
			sum += t
		}
	}
	return sum
}
