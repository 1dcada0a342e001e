// Package doctor checks an endpoint's installation: its files, then every way to the server step by step, and says of each that it is well, or what is wrong and what to do.
package doctor

import (
	"context"
	"crypto/tls"
	"net"
	"strings"
	"time"

	"signalbox/internal/agent"
	"signalbox/internal/agent/ladder"
	"signalbox/internal/agent/login"
	"signalbox/internal/agent/path"
)

// Parts of an examination beside the steps of the ladder.
const (
	partConfig = "config"
	partFiles  = "files"
	partClock  = "clock"
	partAgent  = "agent"
)

// Check is what one look came to.
type Check struct {
	Step    string `json:"step"`           // config, files, a step of the ladder, clock or agent
	Check   string `json:"check"`          // what was looked at, such as a file or a way to the server
	OK      bool   `json:"ok"`             // false: something is wrong
	Warning bool   `json:"warning"`        // with OK: it works, and somebody should look at it
	Code    string `json:"code,omitempty"` // of the reason, see package ladder; empty: it is none of the ladder's
	Detail  string `json:"detail"`         // what was found
	Action  string `json:"action"`         // what to do; empty: nothing
}

// Installation is what is examined.
type Installation struct {
	File   string       // of the configuration; empty: none
	Config agent.Config // as agent.Load returned it, with its error
	Err    error
	Idle   time.Duration // how long a session is held in silence, up to MostIdle, where no agent runs; 0: none is
}

// Examine looks at everything and returns what it found in the order of looking. It connects to the server and its proxies alone, logs in without binding a session, so that
// an agent that runs keeps its own, writes nothing but a file in the state directory that it removes, and waits a minute at most for each way. Once ctx ends the rest is
// left out.
func Examine(ctx context.Context, in Installation) []Check {
	x := &examination{Installation: in, now: time.Now}
	x.take(ctx)
	return x.checks
}

// wayTimeout bounds everything on one way.
const wayTimeout = time.Minute

// examination is one run. One goroutine uses it.
type examination struct {
	Installation
	now    func() time.Time
	adapt  func(*path.Finder) // for tests: another network
	checks []Check
}

func (x *examination) take(ctx context.Context) {
	if !x.configuration() {
		return
	}
	l, ways, err := x.Config.Reach()
	x.files(err)
	if err == nil {
		if x.adapt != nil {
			x.adapt(ways)
		}
		x.climb(ctx, l, ways)
	}
	if ctx.Err() == nil {
		x.agent()
	}
}

func (x *examination) well(step, check, detail string) {
	x.checks = append(x.checks, Check{Step: step, Check: check, OK: true, Detail: detail})
}

func (x *examination) warn(step, check, detail, action string) {
	x.checks = append(x.checks, Check{Step: step, Check: check, OK: true, Warning: true, Detail: detail, Action: action})
}

func (x *examination) wrong(step, check, detail, action string) {
	x.checks = append(x.checks, Check{Step: step, Check: check, Detail: detail, Action: action})
}

// failed notes a failure of the ladder.
func (x *examination) failed(check string, f *ladder.Failure, harmless bool) {
	x.checks = append(x.checks, Check{Step: string(f.Step), Check: check, OK: harmless, Warning: harmless, Code: f.Code, Detail: f.Sentence(), Action: f.Action})
}

// trial is what climbing one way came to.
type trial struct {
	route   path.Route
	climbed []Check
	failure *ladder.Failure // nil: it came as far as the login
}

// climb goes every way to the server as far as the login. Where one leads there, those that do not are no more than a warning.
func (x *examination) climb(ctx context.Context, l login.Login, ways *path.Finder) {
	routes, err := ways.Routes(ctx)
	var trials []trial
	reached := false
	tried := path.Tried{}
	for _, r := range routes {
		if ctx.Err() != nil {
			return
		}
		if tried.Pointless(r) {
			continue
		}
		t := x.try(ctx, l, ways, r)
		tried[r] = t.failure
		reached = reached || t.failure == nil
		trials = append(trials, t)
	}
	const all = "ways to the server"
	if f := ladder.Of(err); f != nil {
		x.failed(all, f, reached)
	}
	if len(routes) > 0 {
		x.well(string(ladder.DNS), all, x.origin()+" "+list(routes))
	}
	for _, t := range trials {
		x.checks = append(x.checks, t.climbed...)
		if t.failure != nil {
			x.failed(t.route.String(), t.failure, reached)
		}
	}
	x.clock(ctx, ways, trials)
	if x.Idle > 0 && ctx.Err() == nil {
		x.idle(ctx, l, ways, trials)
	}
}

// origin says where the ways come from.
func (x *examination) origin() string {
	if len(x.Config.Addresses) > 0 {
		return "addresses:"
	}
	return "DNS of " + x.Config.Domain + ":"
}

// list names the ways in their order, without those that are tried only where others are disturbed.
func list(routes []path.Route) string {
	var names []string
	for _, r := range routes {
		if !r.WebSocket {
			names = append(names, r.String())
		}
	}
	return strings.Join(names, ", ")
}

// try goes one way as far as the login; once more where something on it opens TLS and policy allows that.
func (x *examination) try(ctx context.Context, l login.Login, ways *path.Finder, r path.Route) trial {
	t := try(ctx, l, ways, r)
	if t.failure == nil || t.failure.Code != ladder.Unproven.Code || x.Config.Interception != agent.InterceptionAllow {
		return t
	}
	l.Intercepted = true
	again := try(ctx, l, ways, r)
	if again.failure == nil {
		f := t.failure
		again.climbed = append(again.climbed, Check{Step: string(f.Step), Check: r.String(), OK: true, Warning: true, Code: f.Code, Detail: f.Sentence(), Action: f.Action})
	}
	return again
}

func try(ctx context.Context, l login.Login, ways *path.Finder, r path.Route) trial {
	ctx, cancel := context.WithTimeout(ctx, wayTimeout)
	defer cancel()
	t := trial{route: r}
	climb := func(s ladder.Step, seen string) {
		t.climbed = append(t.climbed, Check{Step: string(s), Check: r.String(), OK: true, Detail: ladder.Clean(seen)})
	}
	conn, err := ways.Open(ctx, r, climb)
	if err == nil {
		t.judge(conn, l)
		err = l.Authenticate(ctx, conn, r.Direct, climb)
		conn.Close()
	}
	t.failure = ladder.Of(err)
	return t
}

// judge notes what is wrong with a certificate that does not matter, because the server is known by its key.
func (t *trial) judge(conn net.Conn, l login.Login) {
	c, ok := conn.(interface{ ConnectionState() tls.ConnectionState })
	if !ok || l.Server.IsZero() {
		return
	}
	if f := ladder.Of(path.Verify(c.ConnectionState(), l.TLS)); f != nil {
		t.climbed = append(t.climbed, Check{
			Step: string(f.Step), Check: t.route.String(), OK: true, Warning: true, Code: f.Code, Action: f.Action,
			Detail: f.Sentence() + " The agent connects all the same, as it knows the server by its key.",
		})
	}
}
