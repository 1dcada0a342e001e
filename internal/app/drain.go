package app

import (
	"context"
	"encoding/json"
	"path/filepath"
	"sync"
	"time"

	"go.uber.org/zap"

	"signalbox/internal/api"
	"signalbox/internal/datadir"
	"signalbox/internal/events"
	"signalbox/internal/telemetry"
	"signalbox/xmpp"
	"signalbox/xmpp/component"
	"signalbox/xmpp/kept"
)

// notices writes what happens to the server.
type notices interface {
	AddEvent(ctx context.Context, n events.Notice) (added bool, err error)
}

// drainer sends endpoints away: when it is asked to, and before the server stops. It implements api.Drainer.
type drainer struct {
	// Set at construction.
	period     time.Duration // where none is given
	xmpp       *xmpp.Server
	components *component.Server
	notices    notices
	log        *zap.Logger

	running sync.WaitGroup

	turn   sync.Mutex         // one command after the other; locked before mu
	cancel context.CancelFunc // of the drain under way; guarded by turn
	ended  chan struct{}      // closed when it has ended; guarded by turn

	mu    sync.Mutex
	drain api.Drain // Left is not kept; guarded by mu
	told  bool      // every stream was told; guarded by mu
}

// buildDrain builds what sends endpoints away. The servers of the streams must be there.
func (a *App) buildDrain() {
	a.drainer = &drainer{
		period: a.cfg.Drain.Period, xmpp: a.xmpp, components: a.components, notices: a.store, log: a.log.Named("drain"),
		cancel: func() {}, ended: make(chan struct{}), drain: api.Drain{State: api.Serving},
	}
	close(a.drainer.ended)
}

// shelf is where sessions are kept while the server does not run.
func (a *App) shelf() kept.File {
	return kept.File{Path: filepath.Join(a.cfg.DataDir, datadir.KeptFile), Max: a.cfg.Drain.KeepBytes}
}

// run waits for the stop of the server and then sends everybody away, while all else goes on.
func (d *drainer) run(ctx context.Context) error {
	<-ctx.Done()
	d.xmpp.Drain(context.WithoutCancel(ctx), d.stop())
	d.running.Wait()
	return nil
}

// stop ends the drain under way and notes that the server stops; from then on every command is refused. It returns when the last endpoint is told.
func (d *drainer) stop() time.Time {
	d.turn.Lock()
	defer d.turn.Unlock()
	d.halt()
	until := time.Now().Add(d.period)
	d.mu.Lock()
	if now := d.drain; now.State == api.Draining && now.Until.Before(until) {
		until = now.Until
	}
	d.mu.Unlock()
	d.begin(api.Stopping, until, "")
	return until
}

// halt ends the drain under way, if there is one, and waits for that; turn is locked.
func (d *drainer) halt() {
	d.cancel()
	<-d.ended
}

// begin notes a drain and tells of it.
func (d *drainer) begin(state api.DrainState, until time.Time, reason string) {
	d.mu.Lock()
	first := d.drain.State == api.Serving
	if first {
		d.drain = api.Drain{Since: time.Now().UTC(), Sessions: d.xmpp.Streams()}
	}
	d.told = false
	d.drain.State, d.drain.Until = state, until.UTC()
	if reason != "" {
		d.drain.Reason = reason
	}
	now := d.drain
	d.mu.Unlock()
	d.log.Info("draining", telemetry.Count(now.Sessions), telemetry.Took(time.Until(until)), telemetry.Detail(now.Reason))
	if first {
		d.running.Go(func() { d.tell(now) }) // waited for in run
	}
}

// tellWithin bounds the wait for the store.
const tellWithin = 5 * time.Second

func (d *drainer) tell(now api.Drain) {
	ctx, cancel := context.WithTimeout(context.Background(), tellWithin)
	defer cancel()
	data, err := json.Marshal(map[string]any{"reason": now.Reason, "until": now.Until, "sessions": now.Sessions, "stopping": now.State == api.Stopping})
	if err == nil {
		_, err = d.notices.AddEvent(ctx, events.Notice{Type: events.ServerDraining, Data: data})
	}
	if err != nil {
		d.log.Warn("the event of the drain could not be written", telemetry.Cause(err))
	}
}

// Drain implements api.Drainer.
func (d *drainer) Drain(period time.Duration, reason string) (api.Drain, error) {
	d.turn.Lock()
	defer d.turn.Unlock()
	if d.Draining().State == api.Stopping {
		return d.Draining(), api.ErrStopping
	}
	d.halt()
	if period == 0 {
		period = d.period
	}
	until := time.Now().Add(period)
	d.begin(api.Draining, until, reason)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	d.cancel, d.ended = cancel, ended
	d.running.Go(func() { // ended by halt, or when all are told; waited for there and in run
		defer close(ended)
		d.send(ctx, until)
	})
	return d.Draining(), nil
}

// send tells everybody, endpoints first: components serve them.
func (d *drainer) send(ctx context.Context, until time.Time) {
	d.xmpp.Drain(ctx, until)
	if ctx.Err() != nil {
		return
	}
	d.components.Drain(d.xmpp.Hint)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.told = true
}

// Draining implements api.Drainer.
func (d *drainer) Draining() api.Drain {
	left := d.xmpp.Streams()
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.drain
	now.Left = left
	switch {
	case now.State == api.Serving:
		now.Sessions = left
	case now.State == api.Draining && d.told && left == 0:
		now.State = api.Drained
	}
	return now
}

// Undo implements api.Drainer.
func (d *drainer) Undo() (api.Drain, error) {
	d.turn.Lock()
	defer d.turn.Unlock()
	if d.Draining().State == api.Stopping {
		return d.Draining(), api.ErrStopping
	}
	d.halt()
	d.xmpp.Welcome()
	d.components.Welcome()
	d.mu.Lock()
	d.drain, d.told = api.Drain{State: api.Serving}, false
	d.mu.Unlock()
	return d.Draining(), nil
}

// check is what readiness says of it.
func (d *drainer) check() api.Check {
	now := d.Draining()
	if now.State == api.Serving {
		return api.Check{Name: "drain", OK: true}
	}
	why := "endpoints are sent away"
	if now.State == api.Stopping {
		why = "the server is stopping"
	}
	if now.Reason != "" {
		why += ": " + now.Reason
	}
	return api.Check{Name: "drain", Reason: why}
}
