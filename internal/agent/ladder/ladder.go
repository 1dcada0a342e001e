// Package ladder names the steps from an endpoint to its server, and every way in which one of them fails: a code for programs, a sentence for people, what to do.
package ladder

import (
	"cmp"
	"errors"
	"slices"
	"strings"
)

// Step is one rung of the ladder that a connection climbs. The server judges one more, whether the management server learns of it.
type Step string

// The steps in their order. With a proxy, dns and tcp are its own: the names of the server are looked up by the proxy.
const (
	DNS      Step = "dns"      // the server's name has an address
	TCP      Step = "tcp"      // a connection is made to it
	Proxy    Step = "proxy"    // an HTTP proxy opens a tunnel; left out without one
	TLS      Step = "tls"      // the certificate is the server's
	Stream   Step = "stream"   // it speaks XMPP and serves the domain
	Auth     Step = "auth"     // it takes the id and the secret
	Bind     Step = "bind"     // it gives the session its resource and stream management
	Presence Step = "presence" // the agent is online
)

// steps is the order in which they are climbed.
var steps = []Step{DNS, TCP, Proxy, TLS, Stream, Auth, Bind, Presence}

// Steps returns all steps in their order.
func Steps() []Step { return slices.Clone(steps) }

// Height says how far up a step is, from 1; 0 for what is no step.
func (s Step) Height() int { return slices.Index(steps, s) + 1 }

// Reason is one way in which a step fails. Codes never change their meaning.
type Reason struct {
	Code   string `json:"code"`
	Step   Step   `json:"step"`
	Text   string `json:"text"`   // what happened, one sentence
	Action string `json:"action"` // what to do, one sentence
}

// Failure is why an attempt did not get higher than a step.
type Failure struct {
	Reason
	Detail string // what was seen, in one line, such as the issuer of a certificate; may be empty
	Err    error  // its cause; nil: Detail says all
}

// New makes a failure.
func New(r Reason, detail string, err error) *Failure {
	return &Failure{Reason: r, Detail: detail, Err: err}
}

// Error returns the code, what was seen and the cause.
func (f *Failure) Error() string {
	if f.Seen() == "" {
		return f.Code
	}
	return f.Code + ": " + f.Seen()
}

// Unwrap returns the cause.
func (f *Failure) Unwrap() error { return f.Err }

// Seen returns what was seen and the cause, in one bounded line; it may be empty.
func (f *Failure) Seen() string {
	switch {
	case f.Err == nil || strings.Contains(f.Detail, f.Err.Error()):
		return Clean(f.Detail)
	case f.Detail == "":
		return Clean(f.Err.Error())
	}
	return Clean(f.Detail + ": " + f.Err.Error())
}

// Sentence returns the reason's text with what was seen.
func (f *Failure) Sentence() string {
	if f.Seen() == "" {
		return f.Text
	}
	return strings.TrimSuffix(f.Text, ".") + ": " + f.Seen() + "."
}

// Of returns the failure in err that came highest, or nil. Of several of the same height the first counts: it is that of the address which is preferred.
func Of(err error) *Failure {
	var best *Failure
	for _, f := range all(err) {
		if best == nil || cmp.Compare(f.Step.Height(), best.Step.Height()) > 0 {
			best = f
		}
	}
	return best
}

// all returns the failures in err, joined ones in their order.
func all(err error) []*Failure {
	var f *Failure
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var out []*Failure
		for _, e := range joined.Unwrap() {
			out = append(out, all(e)...)
		}
		return out
	}
	if errors.As(err, &f) {
		return []*Failure{f}
	}
	return nil
}

// maxDetail bounds what is shown of a peer's words, in bytes.
const maxDetail = 400

// Clean makes text that a peer may have written fit for a line of a terminal: one line, printable ASCII, bounded.
func Clean(text string) string {
	text = strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t' || r == '\r':
			return ' '
		case r < ' ' || r > '~':
			return '?'
		}
		return r
	}, text)
	if len(text) > maxDetail {
		text = text[:maxDetail] + "..."
	}
	return strings.TrimSuffix(strings.TrimSpace(text), ".")
}
