// Package bench plays endpoints and a management server against a server and reports what it takes: how an operator sizes a machine before buying it.
package bench

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"signalbox/internal/client"
)

// Options say what is played, and against whom. All but Progress must be set.
type Options struct {
	API    *client.Client
	Addr   string      // of listen.tls, host:port
	Domain string      // of the JIDs
	TLS    *tls.Config // how the server's certificate is checked

	Endpoints int           // 1 to MaxEndpoints
	Profiles  Profiles      // how they behave
	Duration  time.Duration // of the phase with pushes, 1s to 24h
	PushRate  float64       // pushes per second in it, 0 to 10000
	Payload   int           // bytes of each push's payload, 0 to 60000
	Callers   int           // that post at once when the highest rate is looked for, 0 (not looked for) to 1000
	Storm     bool          // whether all connections are cut at once in the end, to see how long it takes until all are back
	Prefix    string        // of the endpoints' ids, so that they can be told from real ones

	Progress func(format string, args ...any) // is told what happens; nil: nobody is
}

// Bounds of Options.
const (
	MaxEndpoints = 100000
	MaxRate      = 10000
	MaxPayload   = 60000
	MaxCallers   = 1000
	maxDuration  = 24 * time.Hour
)

const (
	registering  = 16              // endpoints that are registered or deleted at the same time
	loggingIn    = 128             // endpoints that log in at the same time in the quiet
	burstTime    = 3 * time.Second // the highest rate is looked for so long
	settleTime   = 2 * time.Second // after all are there, before their memory is read
	tidyTimeout  = 2 * time.Minute
	arrivalGrace = 15 * time.Second // for pushes that are on their way when the phase ends
)

// Validate returns all mistakes.
func (o Options) Validate() error {
	var errs []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	check(o.Endpoints >= 1 && o.Endpoints <= MaxEndpoints, "endpoints: must be 1 to %d", MaxEndpoints)
	check(o.Duration >= time.Second && o.Duration <= maxDuration, "duration: must be 1s to %s", maxDuration)
	check(o.PushRate >= 0 && o.PushRate <= MaxRate, "push-rate: must be 0 to %d", MaxRate)
	check(o.Payload >= 0 && o.Payload <= MaxPayload, "payload: must be 0 to %d", MaxPayload)
	check(o.Callers >= 0 && o.Callers <= MaxCallers, "callers: must be 0 to %d", MaxCallers)
	check(o.Prefix != "", "prefix: is missing")
	return errors.Join(append(errs, o.Profiles.Validate())...)
}

// Run plays everything, deletes the endpoints that it made, and reports. When ctx ends, it tidies up all the same and returns ctx's error.
func Run(ctx context.Context, o Options) (r Report, err error) {
	if err := o.Validate(); err != nil {
		return Report{}, err
	}
	if err := enoughFiles(o.Endpoints); err != nil {
		return Report{}, err
	}
	if o.Progress == nil {
		o.Progress = func(string, ...any) {}
	}
	b := &bench{Options: o, book: newBook()}
	r = b.describe(ctx)
	if err := b.register(ctx); err != nil {
		return r, errors.Join(err, b.tidy(ctx))
	}
	err = b.play(ctx, &r)
	return r, errors.Join(err, b.tidy(ctx))
}

// enoughFiles fails where this process may not have a connection for each endpoint.
func enoughFiles(endpoints int) error {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return fmt.Errorf("read the limit of open files: %w", err)
	}
	const others = 1200 // of the calls to the API and of the runtime
	if most := int64(limit.Cur) - others; int64(endpoints) > most {
		return fmt.Errorf("this process may open %d files, enough for %d endpoints: raise the limit (ulimit -n), or run several with different --prefix", limit.Cur, max(0, most))
	}
	return nil
}

// bench is one run.
type bench struct {
	Options
	book  *book
	fleet *fleet
	made  []string // ids of endpoints that were registered
}

// play goes through the phases, each of which fills its part of the report.
func (b *bench) play(ctx context.Context, r *Report) error {
	defer b.fleet.stop()
	phases := []func(context.Context, *Report) error{b.logIn, b.idle, b.push, b.burst, b.storm}
	for _, phase := range phases {
		if err := phase(ctx, r); err != nil {
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return nil
}

// logIn opens a session for every endpoint.
func (b *bench) logIn(ctx context.Context, r *Report) error {
	b.Progress("logging in %d endpoints", b.Endpoints)
	before, err := b.usage(ctx)
	if err != nil {
		return err
	}
	begun := time.Now()
	took, failed := b.fleet.connect(ctx, loggingIn)
	seconds := time.Since(begun).Seconds()
	after, err := b.usage(ctx)
	if err != nil {
		return err
	}
	r.Logins = &Logins{
		Count: len(took), Failed: len(failed), Seconds: seconds, PerSecond: float64(len(took)) / seconds, Latency: summarise(took),
		ServerCPUMillisEach: 1000 * (after.cpu - before.cpu) / float64(max(1, len(took))),
	}
	if len(failed) > 0 {
		r.Logins.Why = failed[0].Error()
		if len(took) == 0 {
			return fmt.Errorf("no endpoint could log in: %w", failed[0])
		}
	}
	r.before = before
	return nil
}

// idle waits a little and reads what the sessions take.
func (b *bench) idle(ctx context.Context, r *Report) error {
	if !sleep(ctx, settleTime) {
		return ctx.Err()
	}
	now, err := b.usage(ctx)
	if err != nil {
		return err
	}
	n := b.fleet.online()
	r.Idle = &Idle{Sessions: n, ServerMemoryBytes: int64(now.memory), BytesPerSession: int64(now.memory-r.before.memory) / int64(max(1, n))}
	return nil
}

// storm cuts all connections at once and waits until all endpoints are back.
func (b *bench) storm(ctx context.Context, r *Report) error {
	if !b.Storm {
		return nil
	}
	b.Progress("cutting all connections")
	before, err := b.usage(ctx)
	if err != nil {
		return err
	}
	begun := time.Now()
	b.fleet.cut()
	took, failed := b.fleet.connect(ctx, len(b.fleet.all))
	seconds := time.Since(begun).Seconds()
	after, err := b.usage(ctx)
	if err != nil {
		return err
	}
	r.Storm = &Storm{
		Endpoints: len(b.fleet.all), Back: len(took), Failed: len(failed), Resumed: b.fleet.resumed(), Seconds: seconds, Latency: summarise(took),
		ServerCPUSeconds: after.cpu - before.cpu, ServerMemoryBytes: int64(after.memory),
	}
	return nil
}

// sleep returns false if ctx ended.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
