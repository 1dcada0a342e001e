// Package doctor checks an installation step by step, and says of each thing that it looked at that it is well, or what is wrong and what to do.
package doctor

import (
	"context"
	"errors"
	"net"
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
)

// Steps returns those that can be asked for.
func Steps() []Step { return []Step{DNS, TLS, Store, XMPP, TURN, Management} }

// Later returns the names of steps whose parts this version does not have.
func Later() []string { return []string{"gateway"} }

// patience bounds everything that is waited for: one lookup, one conversation with one port; the database's driver waits as long for a lock.
const patience = 5 * time.Second

// Check is what one look came to.
type Check struct {
	Step    Step   `json:"step"`
	Check   string `json:"check"`   // what was looked at, such as a file or an address
	OK      bool   `json:"ok"`      // false: something is wrong
	Warning bool   `json:"warning"` // with OK: it works, and somebody should look at it
	Detail  string `json:"detail"`  // what was found
	Action  string `json:"action"`  // what to do; empty: nothing. A check that is OK may have a hint here
}

// Installation is what is examined.
type Installation struct {
	File     string        // of the configuration
	Config   config.Config // as config.Load returned it, with its warnings and its error
	Warnings []string
	Err      error

	// Running holds the addresses on which a running server says that it listens, by listener, such as "tls"; nil: none says so.
	Running map[string][]string
}

// Unreadable reports whether nothing is known of the configuration.
func (in Installation) Unreadable() bool { return errors.Is(in.Err, config.ErrUnreadable) }

// resolver looks names up; *net.Resolver is one.
type resolver interface {
	LookupHost(ctx context.Context, host string) ([]string, error)
	LookupSRV(ctx context.Context, service, proto, name string) (string, []*net.SRV, error)
}

// Examine takes the steps that are asked for, none means all, and returns what it found in their order. It connects to the listeners of the configuration, to DNS,
// to other TURN servers and to the management server, which gets a test, changes nothing, and waits five seconds at most for each answer. Where the configuration cannot be read, that is all it says. Once ctx
// ends the rest is left out.
func Examine(ctx context.Context, in Installation, steps ...Step) []Check {
	x := &examination{Installation: in, dns: net.DefaultResolver, now: time.Now(), patience: patience, step: Configuration}
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
	}{{DNS, x.names}, {TLS, x.certificates}, {Store, x.database}, {XMPP, x.streams}, {TURN, x.turn}, {Management, x.management}} {
		if ctx.Err() == nil && (len(asked) == 0 || slices.Contains(asked, s.step)) {
			x.step = s.step
			s.take(ctx)
		}
	}
}

// examination is one run. One goroutine uses it.
type examination struct {
	Installation
	dns      resolver
	now      time.Time
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

func (x *examination) warn(check, detail, action string) {
	x.checks = append(x.checks, Check{Step: x.step, Check: check, OK: true, Warning: true, Detail: detail, Action: action})
}

func (x *examination) wrong(check, detail, action string) {
	x.checks = append(x.checks, Check{Step: x.step, Check: check, Detail: detail, Action: action})
}

// hasDomain reports whether there is a domain to ask for, and says so if not. That it must be set stands among the mistakes of the configuration.
func (x *examination) hasDomain() bool {
	if x.Config.Domain == "" {
		x.warn("domain", "not checked: the configuration names no domain", "set domain, and ask again")
	}
	return x.Config.Domain != ""
}
