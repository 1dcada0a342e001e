package listen

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Config is the section listen. The zero value opens nothing and fails Validate, because its limits are zero.
type Config struct {
	TLS  []string `key:"tls" doc:"Addresses of the shared TLS port: XMPP direct TLS, WebSocket, TURN over TLS, console. Empty: off; port 0 takes a free one."`
	XMPP []string `key:"xmpp" doc:"Addresses for XMPP with STARTTLS and with direct TLS. Empty: off; port 0 takes a free one."`
	TURN []string `key:"turn" doc:"Addresses of STUN and TURN, UDP and TCP. Empty: off; port 0 takes a free one."`
	API  []string `key:"api" doc:"Addresses of the management server's HTTP API, metrics and health. Empty: off; port 0 takes a free one."`
	HTTP []string `key:"http" doc:"Addresses of plain HTTP that only redirects to https. Empty: off; port 0 takes a free one."`

	Component []string `key:"component" doc:"Addresses for the programs of xmpp.components (XEP-0114): of loopback and in plain text, or any address with TLS on both sides if xmpp.component_ca is set. Empty: off; port 0 takes a free one."`

	TrustedProxies []string          `key:"trusted_proxies" doc:"Addresses or CIDR ranges of load balancers. Their connections must begin with a PROXY protocol header, version 1 or 2; nobody else's may."`
	SNIPassthrough map[string]string `key:"sni_passthrough" doc:"Host names whose connections are handed to another server as they are, each with its host:port. *.name stands for one label."`

	MaxConnections   int           `key:"max_connections" doc:"Open connections of all these listeners together, 1 to 10000000; more are closed at once. The limit of open files may allow fewer."`
	MaxPerSource     int           `key:"max_per_source" doc:"Open connections of one IPv4 address or one IPv6 /64 network, 1 to 10000000; many endpoints may share one address behind a router."`
	MaxHandshakes    int           `key:"max_handshakes" doc:"TLS handshakes at the same time, 1 to 100000. Each takes about 35 KiB of memory."`
	HandshakeQueue   int           `key:"handshake_queue" doc:"Connections that may wait for their TLS handshake, 1 to 1000000. Sources take turns, and one may fill half of it."`
	QueueTimeout     time.Duration `key:"handshake_queue_timeout" doc:"Time that a connection may wait for its turn to make the TLS handshake, 1s to 5m; after it clients have given up."`
	HandshakeTimeout time.Duration `key:"handshake_timeout" doc:"Time for the client's hello, and again for the rest of the TLS handshake once it is the connection's turn, 1s to 5m."`
	FirstByteTimeout time.Duration `key:"first_byte_timeout" doc:"Time in which a connection must say something, also after its TLS handshake, 1s to 5m."`
	PassthroughIdle  time.Duration `key:"passthrough_idle_timeout" doc:"Time without a byte in either direction after which a handed on connection is closed, 10s to 24h."`
	PassthroughDial  time.Duration `key:"passthrough_dial_timeout" doc:"Time in which the other server of sni_passthrough must accept, 100ms to 1m."`
}

// Default returns the configuration that stands when nothing is set.
func Default() Config {
	return Config{
		TLS:  []string{":443"},
		XMPP: []string{":5222"},
		TURN: []string{":3478"},
		API:  []string{"127.0.0.1:8080"},

		MaxConnections:   200_000,
		MaxPerSource:     50_000,
		MaxHandshakes:    512,
		HandshakeQueue:   32_768,
		QueueTimeout:     20 * time.Second,
		HandshakeTimeout: 10 * time.Second,
		FirstByteTimeout: 10 * time.Second,
		PassthroughIdle:  15 * time.Minute,
		PassthroughDial:  10 * time.Second,
	}
}

// Validate names every mistake, each behind its key.
func (c Config) Validate() error {
	errs := c.validateAddresses()
	for i, s := range c.TrustedProxies {
		if _, err := parseRange(s); err != nil {
			errs = append(errs, fmt.Errorf("trusted_proxies[%d]: %w", i, err))
		}
	}
	seen := map[string]bool{}
	for _, name := range slices.Sorted(maps.Keys(c.SNIPassthrough)) {
		if seen[fold(name)] {
			errs = append(errs, fmt.Errorf("sni_passthrough.%s: is there twice", name))
		}
		seen[fold(name)] = true
		if err := validateRoute(name, c.SNIPassthrough[name]); err != nil {
			errs = append(errs, fmt.Errorf("sni_passthrough.%s: %w", name, err))
		}
	}
	errs = append(errs,
		between("max_connections", c.MaxConnections, 1, 10_000_000),
		between("max_per_source", c.MaxPerSource, 1, 10_000_000),
		between("max_handshakes", c.MaxHandshakes, 1, 100_000),
		between("handshake_queue", c.HandshakeQueue, 1, 1_000_000),
		between("handshake_queue_timeout", c.QueueTimeout, time.Second, 5*time.Minute),
		between("handshake_timeout", c.HandshakeTimeout, time.Second, 5*time.Minute),
		between("first_byte_timeout", c.FirstByteTimeout, time.Second, 5*time.Minute),
		between("passthrough_idle_timeout", c.PassthroughIdle, 10*time.Second, 24*time.Hour),
		between("passthrough_dial_timeout", c.PassthroughDial, 100*time.Millisecond, time.Minute),
	)
	return errors.Join(errs...)
}

func (c Config) validateAddresses() (errs []error) {
	lists := []struct {
		key   string
		addrs []string
	}{{"tls", c.TLS}, {"xmpp", c.XMPP}, {"turn", c.TURN}, {"api", c.API}, {"http", c.HTTP}, {"component", c.Component}}
	for _, l := range lists {
		for i, a := range l.addrs {
			if err := validateAddress(a); err != nil {
				errs = append(errs, fmt.Errorf("%s[%d]: %w", l.key, i, err))
			}
		}
	}
	return errs
}

// validateAddress accepts host:port with a numeric port. Whether the host can be bound is seen when it is opened.
func validateAddress(a string) error {
	_, port, err := net.SplitHostPort(a)
	if err != nil {
		return fmt.Errorf("%q is not an address such as \":443\" or \"192.0.2.1:443\"", a)
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return fmt.Errorf("%q has no port from 0 to 65535", a)
	}
	return nil
}

// parseRange reads a CIDR range or a single address. An IPv4 range written as IPv6 becomes IPv4, the form in which sources
// are compared.
func parseRange(s string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(s); err == nil && a.Zone() == "" {
		a = a.Unmap()
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	p, err := netip.ParsePrefix(s)
	if err != nil {
		return netip.Prefix{}, fmt.Errorf("%q is neither an address nor a range such as 10.0.0.0/8", s)
	}
	if p.Addr().Is4In6() {
		if p.Bits() < 96 {
			return netip.Prefix{}, fmt.Errorf("%q cuts through the IPv4 part of IPv6", s)
		}
		p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
	}
	if p != p.Masked() {
		return netip.Prefix{}, fmt.Errorf("%q has bits behind its length; %q is meant?", s, p.Masked())
	}
	return p, nil
}

func validateRoute(name, target string) error {
	plain := strings.TrimPrefix(name, "*.")
	if plain == "" || strings.ContainsAny(plain, "*:/ ") {
		return fmt.Errorf("%q is not a host name", name)
	}
	host, port, err := net.SplitHostPort(target)
	if err != nil || host == "" {
		return fmt.Errorf("%q is not host:port", target)
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return fmt.Errorf("%q has no port from 1 to 65535", target)
	}
	return nil
}

func between[T int | time.Duration](key string, v, low, high T) error {
	if v < low || v > high {
		return fmt.Errorf("%s: must be from %v to %v, not %v", key, low, high, v)
	}
	return nil
}
