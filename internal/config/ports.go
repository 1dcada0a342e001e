package config

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// place is an address that a listener takes.
type place struct {
	key  string // such as "listen.tls[0]"
	text string // as it was written
	host string // in one form; empty: every address of the machine
	port int
}

// checkPorts finds addresses that two listeners want, and relay ports that a listener has. What is no address at all is named by the section that it stands in.
func (c Config) checkPorts() error {
	var errs []error
	places := c.places()
	for i, p := range places {
		for _, earlier := range places[:i] {
			if p.meets(earlier) {
				errs = append(errs, fmt.Errorf("%s: %q is the address of %s, %q, too: give each a port of its own", p.key, p.text, earlier.key, earlier.text))
				break
			}
		}
	}
	return errors.Join(append(errs, c.checkRelayPorts())...)
}

// checkRelayPorts: relayed transport addresses are UDP, as one half of listen.turn is, and a session that is relayed on both sides takes two.
func (c Config) checkRelayPorts() error {
	var errs []error
	low, high := c.TURN.MinPort, c.TURN.MaxPort
	if c.TURN.Control.URL != "" || len(c.Listen.TURN) == 0 || high < low || c.TURN.Own.Validate() != nil {
		return nil // no relay ports here, or those of the section are named already
	}
	if high == low {
		errs = append(errs, fmt.Errorf("turn.max_port: is %d as turn.min_port is, which is one port: a session that is relayed on both sides takes two", high))
	}
	for _, p := range parsePlaces("listen.turn", c.Listen.TURN) {
		if p.port >= low && p.port <= high {
			errs = append(errs, fmt.Errorf("turn.min_port: relay ports %d to %d have the port of %s, %q, among them: move one of the two", low, high, p.key, p.text))
		}
	}
	return errors.Join(errs...)
}

// places are the addresses on which TCP is listened on. TURN takes UDP on the same ports, and nobody else takes any but it.
func (c Config) places() (all []place) {
	lists := []struct {
		key   string
		addrs []string
	}{{"listen.tls", c.Listen.TLS}, {"listen.xmpp", c.Listen.XMPP}, {"listen.turn", c.Listen.TURN}, {"listen.api", c.Listen.API}, {"listen.http", c.Listen.HTTP}, {"listen.component", c.Listen.Component}}
	for _, l := range lists {
		if l.key != "listen.turn" || c.TURN.Control.URL == "" {
			all = append(all, parsePlaces(l.key, l.addrs)...)
		}
	}
	return all
}

// parsePlaces leaves out what is no address, and port 0, which is a free one.
func parsePlaces(key string, addrs []string) (all []place) {
	for i, text := range addrs {
		host, port, err := net.SplitHostPort(text)
		n, errPort := strconv.ParseUint(port, 10, 16)
		if err != nil || errPort != nil || n == 0 {
			continue
		}
		all = append(all, place{key: fmt.Sprintf("%s[%d]", key, i), text: text, host: foldHost(host), port: int(n)})
	}
	return all
}

// foldHost writes an address in one form; every address of the machine, in either family, is the empty one, which takes both.
func foldHost(host string) string {
	ip, err := netip.ParseAddr(host)
	switch {
	case err != nil:
		return strings.ToLower(host)
	case ip.IsUnspecified():
		return ""
	}
	return ip.Unmap().String()
}

func (p place) meets(o place) bool {
	return p.port == o.port && (p.host == o.host || p.host == "" || o.host == "")
}
