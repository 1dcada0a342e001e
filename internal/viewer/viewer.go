// Package viewer is the technician's side of a remote session for programs: it takes the side by signalling, over a WebSocket or an XMPP stream, reaches the endpoint by the best
// way that the session allows, and gives out channels. A loss of the server does not touch channels that go without it; for a minute the viewer comes back by itself.
package viewer

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"signalbox/internal/channel"
	"signalbox/internal/peer"
	"signalbox/internal/signalling"
)

// DefaultPatience is how long a way without the relay is looked for.
const DefaultPatience = 8 * time.Second

const (
	maxNews   = 256              // what connections tell and waits to be handled
	tickEach  = time.Second      // how often the way is looked at
	sayWithin = 10 * time.Second // a message to the server
)

// Why a channel is not opened, or a viewer ends.
var (
	ErrLost  = errors.New("the server was not reached again in time")
	ErrNoWay = errors.New("the endpoint is not reached on any way that the session allows")
	ErrRelay = errors.New("the endpoint did not come to the relay")
	errOver  = errors.New("the viewer has ended")
)

// Config is what a Viewer needs. Session, Token and Call must be set.
type Config struct {
	Session  string // "ses_..."
	Token    string // for one use
	Call     Call
	HTTP     *http.Client  // for the relay, without a timeout of its own; nil: the default one
	Dial     peer.Dial     // for TURN over TCP and TLS; nil: directly, with the system's authorities
	Loopback bool          // an endpoint on this very machine is reached directly, too
	Patience time.Duration // until the relay is used where nothing else leads to the endpoint; 0: DefaultPatience

	// OnState and OnPath are told of changes, OnRestarted that the TURN server over which the endpoint was reached was restarted, and that a way is looked for anew. They must not
	// block. Nil: nobody wants to know.
	OnState     func(signalling.State)
	OnPath      func(signalling.Path)
	OnRestarted func()
}

// Viewer is the technician's side of one session. Its methods may be called concurrently, Run once.
type Viewer struct {
	// Set at construction.
	cfg    Config
	box    chan func()     // unbuffered: what Run takes it does
	news   chan func()     // what connections tell; the end loses it
	life   context.Context // until Run takes nothing any more
	cancel context.CancelFunc
	work   sync.WaitGroup // calls, readers, legs, connections that end
	meter  meter
	number atomic.Int32 // of the last channel

	attached chan struct{} // closed with the first State

	mu    sync.Mutex
	shown signalling.State
	path  signalling.Path

	// Owned by Run.
	err      error // why it ends
	ending   bool  // because the technician wants it
	line     Line  // nil: there is none
	secret   string
	lost     time.Time     // since when the server is
	pause    time.Duration // before the next call
	accepted bool
	state    signalling.State
	servers  []signalling.ICEServer
	waiting  []*opening
	lower    []*metered // terminals over the relay
	vouched  time.Time  // when the server was last asked for a sign of life because of them
	way      way
	told     report
}

// New makes a viewer that has started nothing.
func New(cfg Config) *Viewer {
	if cfg.Patience == 0 {
		cfg.Patience = DefaultPatience
	}
	life, cancel := context.WithCancel(context.Background())
	return &Viewer{cfg: cfg, box: make(chan func()), news: make(chan func(), maxNews), life: life, cancel: cancel, attached: make(chan struct{})}
}

// Run takes the technician's side, and returns when everything that it started has ended: nil where ctx or End wanted it, else an *EndedError, a *RefusedError, ErrLost, or why the
// first call failed. After ctx the session itself goes on, and waits for another viewer.
func (v *Viewer) Run(ctx context.Context) error {
	defer v.close()
	tick := time.NewTicker(tickEach)
	defer tick.Stop()
	v.meter.touch(time.Now())
	v.call(signalling.Attach{About: v.about(), Token: v.cfg.Token}, 0)
	for v.err == nil {
		select {
		case f := <-v.box:
			f()
		case f := <-v.news:
			f()
		case now := <-tick.C:
			v.tick(now)
		case <-ctx.Done():
			return nil
		}
	}
	var ended *EndedError
	if v.ending && errors.As(v.err, &ended) {
		return nil
	}
	return v.err
}

// close ends what is left. Channels that go over the relay belong to those who opened them.
func (v *Viewer) close() {
	v.cancel()
	if v.line != nil {
		_ = v.line.Close() // nobody is told any more
	}
	v.dropPeer()
	v.work.Wait()
}

// finish has Run return; the first reason counts.
func (v *Viewer) finish(err error) {
	if v.err == nil {
		v.err = err
	}
}

func (v *Viewer) about() signalling.About { return signalling.About{ID: v.cfg.Session} }

// do has Run do f. After an error f is never done, and what it was to hand over is still the caller's.
func (v *Viewer) do(ctx context.Context, f func()) error {
	select {
	case v.box <- f:
		return nil
	case <-v.life.Done():
		return errOver
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// put is do for those who must not block and hand nothing over. What finds no room is seen at the next tick.
func (v *Viewer) put(f func()) {
	select {
	case v.news <- f:
	default:
	}
}

// Open opens a channel, such as channel.Terminal, as soon as the session is accepted and a way to the endpoint is there: files, and everything where nothing else leads to it,
// over the relay. Errors: ErrNoWay, ErrRelay; that of ctx. A channel ends with the viewer, or with its way: after a loss it is opened again.
func (v *Viewer) Open(ctx context.Context, name string) (channel.Conn, error) {
	ctx, leave := context.WithCancel(ctx)
	defer leave()
	o := &opening{name: name, number: int(v.number.Add(1)), left: ctx.Done(), result: make(chan opened)}
	if err := v.do(ctx, func() { v.open(o) }); err != nil {
		return nil, err
	}
	select {
	case r := <-o.result:
		return r.conn, r.err
	case <-v.life.Done():
		return nil, errOver
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// End ends the session for both parties. It returns once the server was told; Run returns when it has answered.
func (v *Viewer) End(ctx context.Context) error {
	told := make(chan error, 1)
	err := v.do(ctx, func() {
		v.ending = true
		told <- v.say(signalling.End{About: v.about(), Reason: "technician_ended"})
	})
	if err != nil {
		return err
	}
	select {
	case err := <-told:
		return err
	case <-v.life.Done():
		return nil
	}
}

// Attached waits for the first State.
func (v *Viewer) Attached(ctx context.Context) (signalling.State, error) {
	select {
	case <-v.attached:
		return v.State(), nil
	case <-v.life.Done():
		return signalling.State{}, errOver
	case <-ctx.Done():
		return signalling.State{}, context.Cause(ctx)
	}
}

// State returns what the server said of the session last; its zero value before that.
func (v *Viewer) State() signalling.State {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.shown
}

// Path returns by which way the endpoint is reached, as of the last report.
func (v *Viewer) Path() signalling.Path {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.path
}
