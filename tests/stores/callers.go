package stores

import (
	"context"
	"os"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"signalbox/tests/beside"
)

// load is what callers do: count operations, or as many as they can in some time.
type load struct {
	callers int
	count   int           // 0: by time
	lasts   time.Duration // of a load by time
	do      func(ctx context.Context, i int) error
}

// outcome is what came of a load.
type outcome struct {
	took        time.Duration
	each        []time.Duration // how long every operation took, ascending
	own, server time.Duration   // CPU of this process and of the others of the side
}

// run lets the callers work. The first error ends it.
func (l load) run(ctx context.Context, s side) (outcome, error) {
	own, server, err := cpu(s)
	if err != nil {
		return outcome{}, err
	}
	each := make([][]time.Duration, l.callers)
	var next atomic.Int64
	g, ctx := errgroup.WithContext(ctx)
	start := time.Now()
	for c := range l.callers {
		g.Go(func() error {
			for now := time.Now(); ; {
				i := int(next.Add(1)) - 1
				if l.count > 0 && i >= l.count || l.count == 0 && now.Sub(start) >= l.lasts {
					return nil
				}
				if err := l.do(ctx, i); err != nil {
					return err
				}
				end := time.Now()
				each[c] = append(each[c], end.Sub(now))
				now = end
			}
		})
	}
	if err := g.Wait(); err != nil {
		return outcome{}, err
	}
	o := outcome{took: time.Since(start), each: slices.Concat(each...)}
	slices.Sort(o.each)
	ownAfter, serverAfter, err := cpu(s)
	o.own, o.server = ownAfter-own, serverAfter-server
	return o, err
}

// cpu returns the CPU time of this process and of the others of the side.
func cpu(s side) (own, server time.Duration, err error) {
	if own, err = beside.CPU(os.Getpid()); err != nil {
		return 0, 0, err
	}
	server, err = s.server()
	return own, server, err
}

func (o outcome) rate() float64 { return float64(len(o.each)) / o.took.Seconds() }

// quantile returns the time within which this part of the operations was done, in milliseconds.
func (o outcome) quantile(part float64) float64 {
	if len(o.each) == 0 {
		return 0
	}
	return float64(o.each[int(part*float64(len(o.each)-1))]) / float64(time.Millisecond)
}

// perOne returns CPU time per operation in microseconds.
func (o outcome) perOne(d time.Duration) float64 {
	return float64(d) / float64(time.Microsecond) / float64(max(1, len(o.each)))
}
