package app

import (
	"context"
	"errors"
	"fmt"
)

// part is something that runs until its context is done.
type part struct {
	name string
	run  func(context.Context) error
}

// runStack starts parts in their order and runs them until ctx is done or one of them ends. Then it stops them in reverse order, each when the one above it
// has ended, so that nothing loses what it stands on. It returns their errors.
func runStack(ctx context.Context, parts ...part) error {
	type running struct {
		stop  context.CancelFunc
		ended chan struct{}
		err   error
	}
	base := context.WithoutCancel(ctx)
	first := make(chan struct{}, len(parts)) // one element for each part that ended
	all := make([]*running, len(parts))
	for i, p := range parts {
		own, stop := context.WithCancel(base)
		r := &running{stop: stop, ended: make(chan struct{})}
		all[i] = r
		go func() { // stopped and waited for below
			defer close(r.ended)
			if err := p.run(own); err != nil && !errors.Is(err, context.Canceled) {
				r.err = fmt.Errorf("%s: %w", p.name, err)
			}
			first <- struct{}{}
		}()
	}
	select {
	case <-ctx.Done():
	case <-first:
	}
	var errs []error
	for i := len(all) - 1; i >= 0; i-- {
		all[i].stop()
		<-all[i].ended
		errs = append(errs, all[i].err)
	}
	return errors.Join(errs...)
}
