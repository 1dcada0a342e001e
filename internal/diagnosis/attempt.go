package diagnosis

import (
	"net/netip"
	"strings"
	"time"
	"unicode"

	"signalbox/internal/endpoint"
)

// Attempt is a connection that did not become a session, and how far it came. Equal ones are counted and not kept apart.
type Attempt struct {
	At    time.Time // of the newest
	First time.Time // of the oldest; set by Memory
	Count int       // set by Memory, at least 1

	Code   string // of the catalogue, which names the step
	Remote netip.AddrPort
	Key    endpoint.Key // who it says it is; zero: it did not say
	Known  bool         // Key is registered here
	Detail Detail
}

// Detail is what an attempt showed of itself. Empty fields were not seen. Memory cuts them to maxText bytes.
type Detail struct {
	Listener   string // configuration key of the listener that took it
	ServerName string // SNI
	ALPN       string // protocols that it offers, with commas
	Version    string // newest TLS version that it speaks, such as "TLS 1.1"
	Mechanism  string // of SASL
	To         string // domain that its stream is for
	Cause      string // for operators
}

// maxText bounds each text that strangers can have remembered, in bytes.
const maxText = 120

// same reports whether two attempts are told as one.
func (a *Attempt) same(b *Attempt) bool {
	return a.Code == b.Code && a.Key == b.Key && a.Remote.Addr() == b.Remote.Addr()
}

// attemptBytes is about what an attempt takes without its texts.
const attemptBytes = 320

// size is about what a takes in memory, in bytes.
func (a *Attempt) size() int {
	d := &a.Detail
	return attemptBytes + len(a.Key.ID) + len(d.ServerName) + len(d.ALPN) + len(d.Version) + len(d.Mechanism) + len(d.To) + len(d.Cause)
}

// cleaned returns d with texts that are short, printable and own their bytes.
func (d Detail) cleaned() Detail {
	for _, text := range []*string{&d.Listener, &d.ServerName, &d.ALPN, &d.Version, &d.Mechanism, &d.To, &d.Cause} {
		*text = clean(*text)
	}
	return d
}

func clean(text string) string {
	if len(text) > maxText {
		text = text[:maxText]
	}
	return strings.Clone(strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, text))
}

// place is what an address counts as: an IPv6 /64 is one place, because machines change their address within it.
func place(a netip.Addr) netip.Addr {
	a = a.Unmap().WithZone("")
	if a.Is6() {
		if p, err := a.Prefix(64); err == nil {
			return p.Addr()
		}
	}
	return a
}
