package doctor

import (
	"crypto/x509"
	"net"
	"slices"
)

// Outside has an examination look at a server from another machine, as endpoints see it. Nothing of its files is known there.
type Outside struct {
	Address string         // IP address or name of the server; empty: the domain
	Roots   *x509.CertPool // authorities that endpoints trust; nil: those of the system
}

// OutsideSteps returns the steps that can be taken from another machine.
func OutsideSteps() []Step { return []Step{DNS, TLS, XMPP, TURN, Clock} }

// at puts the server's address in place of that of a listener.
func (x *examination) at(listener string) string {
	host := x.Outside.Address
	if host == "" {
		host = x.serverName()
	}
	_, number, err := net.SplitHostPort(listener)
	if err != nil {
		return listener
	}
	return net.JoinHostPort(host, number)
}

// possible reports whether a step can be taken from where the examination stands.
func (x *examination) possible(s Step) bool {
	return x.Outside == nil || slices.Contains(OutsideSteps(), s)
}
