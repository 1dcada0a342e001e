// Package doctor checks an installation step by step, and says of each thing that it looked at that it is well, or what is wrong and what to do.
package doctor

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"time"

	"signalbox/certs"
	"signalbox/internal/config"
)

// Step is a part of an examination.
type Step string

// The steps in their order. Configuration is part of every examination.
const (
	Configuration Step = "config"
	DNS           Step = "dns"
	TLS           Step = "tls"
	Store         Step = "store"
	XMPP          Step = "xmpp"
	TURN          Step = "turn"
	Management    Step = "management"
	Limits        Step = "limits"
	Clock         Step = "clock"
)

// Steps returns those that can be asked for.
func Steps() []Step { return []Step{DNS, TLS, Store, XMPP, TURN, Management, Limits, Clock} }

// Later returns the names of steps whose parts this version does not have.
func Later() []string { return []string{"gateway"} }

// patience bounds everything that is waited for: one lookup, one conversation with one port; the database's driver waits as long for a lock.
const patience = 5 * time.Second

// Check is what one look came to.
type Check struct {
	Step    Step   `json:"step"`
	Check   string `json:"check"`          // what was looked at, such as a file or an address
	OK      bool   `json:"ok"`             // false: something is wrong
	Warning bool   `json:"warning"`        // with OK: it works, and somebody should look at it
	Code    Code   `json:"code,omitempty"` // of what is wrong or warned of, see Codes
	Detail  string `json:"detail"`         // what was found
	Action  string `json:"action"`         // what to do; empty: nothing. A check that is OK may have a hint here
}

// Installation is what is examined.
type Installation struct {
	File     string        // of the configuration
	Config   config.Config // as config.Load returned it, with its warnings and its error
	Warnings []string
	Err      error

	// Running holds the addresses on which a running server says that it listens, by listener, such as "tls"; nil: none says so.
	Running map[string][]string

	Outside  *Outside      // nil: it runs on this machine
	Resolver *net.Resolver // that looks names up; nil: the system's
	Role     Role          // whose names are looked up; empty: the server's

	// Session opens a TURN session, through which the step turn relays; nil: it asks for addresses alone.
	Session func(context.Context) (TURNSession, error)
}

// Unreadable reports whether nothing is known of the configuration.
func (in Installation) Unreadable() bool { return errors.Is(in.Err, config.ErrUnreadable) }

// resolver looks names up; *net.Resolver is one.
type resolver interface {
	LookupHost(ctx context.Context, host string) ([]string, error)
	LookupSRV(ctx context.Context, service, proto, name string) (string, []*net.SRV, error)
}

// Examine takes the steps that are asked for, none means all, and returns what it found in their order. It connects to the listeners of the configuration, to DNS,
// to other TURN servers and to the management server, which gets a test, writes nothing but a file beside the database that it removes, and waits five seconds at most for each
// answer. Where the configuration cannot be read, that is all it says. Once ctx ends the rest is left out.
func Examine(ctx context.Context, in Installation, steps ...Step) []Check {
	x := &examination{
		Installation: in, dns: net.DefaultResolver, now: time.Now(), began: time.Now(), patience: patience, step: Configuration, local: ownAddresses(), root: "/", unsynced: Unsynced(),
	}
	if in.Resolver != nil {
		x.dns = in.Resolver
	}
	x.take(ctx, steps)
	return x.checks
}

// take takes the steps that are asked for.
func (x *examination) take(ctx context.Context, asked []Step) {
	if !x.configuration() {
		return
	}
	for _, s := range []struct {
		step Step
		take func(context.Context)
	}{
		{DNS, x.names}, {TLS, x.certificates}, {Store, x.database}, {XMPP, x.streams}, {TURN, x.turn}, {Management, x.management},
		{Limits, func(context.Context) { x.limits() }}, {Clock, x.clock},
	} {
		if ctx.Err() == nil && x.possible(s.step) && (len(asked) == 0 || slices.Contains(asked, s.step)) {
			x.step = s.step
			s.take(ctx)
		}
	}
}

// examination is one run. One goroutine uses it.
type examination struct {
	Installation
	dns      resolver
	now      time.Time    // of the beginning, by the clock that is examined
	began    time.Time    // the same by the clock that nobody sets
	local    []netip.Addr // of this machine
	root     string       // below which the system tells of itself
	unsynced bool         // the system says that its clock follows no time server
	patience time.Duration
	step     Step
	checks   []Check
	bundles  []*certs.Bundle // that the files give, once surveyed
	report   certs.Report
}

// well notes that something is as it should be; hint may say how it could be better.
func (x *examination) well(check, detail, hint string) {
	x.checks = append(x.checks, Check{Step: x.step, Check: check, OK: true, Detail: detail, Action: hint})
}

func (x *examination) warn(code Code, check, detail, action string) {
	x.checks = append(x.checks, Check{Step: x.step, Check: check, OK: true, Warning: true, Code: code, Detail: detail, Action: action})
}

func (x *examination) wrong(code Code, check, detail, action string) {
	x.checks = append(x.checks, Check{Step: x.step, Check: check, Code: code, Detail: detail, Action: action})
}

// hasDomain reports whether there is a domain to ask for, and says so if not. That it must be set stands among the mistakes of the configuration.
func (x *examination) hasDomain() bool {
	if x.Config.Domain == "" {
		x.warn(NotChecked, "domain", "not checked: the configuration names no domain", "set domain, and ask again")
	}
	return x.Config.Domain != ""
}
