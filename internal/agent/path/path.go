// Package path finds the ways from an endpoint to its server and goes them up to TLS: names and SRV records, addresses, HTTP proxies, certificates.
package path

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"

	"signalbox/internal/agent/ladder"
)

// Names of XEP-0368, and the ports of RFC 6120 and of HTTPS.
const (
	ALPN         = "xmpp-client"
	startTLSPort = "5222"
	DirectPort   = "443"
)

// Bounds of what is waited for.
const (
	lookupTimeout = 5 * time.Second  // for one SRV record
	dialTimeout   = 10 * time.Second // for a name and its addresses
	proxyTimeout  = 20 * time.Second // for a proxy's answer, which may dial itself
	tlsTimeout    = 15 * time.Second // for a handshake
)

// Route is one way to the server. Routes are equal if they are ==.
type Route struct {
	Address   string // host:port
	Direct    bool   // TLS from the first byte; else STARTTLS
	WebSocket bool   // with Direct: the stream is inside a WebSocket (RFC 7395), for ways that let nothing but HTTP pass
	Proxy     Proxy  // the zero value: none
}

// To returns the route to host:port without a proxy: port 5222 means STARTTLS, every other one TLS from the first byte.
func To(address string) Route {
	_, port, _ := net.SplitHostPort(address)
	return Route{Address: address, Direct: port != startTLSPort}
}

// maxAddress bounds an address: the longest name of DNS and a port.
const maxAddress = 253 + 6

// ValidAddress reports whether text is host:port in which nothing stands that steers a proxy: addresses come from servers, too.
func ValidAddress(text string) bool {
	host, port, err := net.SplitHostPort(text)
	if err != nil || host == "" || len(text) > maxAddress {
		return false
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return false
	}
	return !strings.ContainsFunc(host, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune(".-_:%", r)
	})
}

// String returns the address, whether a WebSocket is used, and the proxy without its password.
func (r Route) String() string {
	text := r.Address
	if r.WebSocket {
		text += " by WebSocket"
	}
	if r.Proxy.IsZero() {
		return text
	}
	return text + " through " + r.Proxy.String()
}

// Via returns "direct", or the proxy without its password.
func (r Route) Via() string {
	if r.Proxy.IsZero() {
		return "direct"
	}
	return r.Proxy.String()
}

// Resolver finds a domain's servers; *net.Resolver is one.
type Resolver interface {
	LookupSRV(ctx context.Context, service, proto, name string) (string, []*net.SRV, error)
}

// Dialer connects to an address; net.Dialer.DialContext is one.
type Dialer func(ctx context.Context, network, address string) (net.Conn, error)

// Finder knows the ways to one server. Its methods may be called concurrently; the fields are set before.
type Finder struct {
	Domain    string
	Addresses []string // configured, in the order to be tried; empty: DNS tells
	Proxies   Proxies
	TLS       *tls.Config    // for the server
	Roots     *x509.CertPool // for proxies that speak TLS; nil: the system's
	DNS       Resolver
	Dial      Dialer
	Network   func() string // names the network that the machine is in; nil: all are one

	mu     sync.Mutex
	known  []Known           // what worked, at most one for each network, the newest last
	proven [sha256.Size]byte // of the certificate that the server proved to be its own; zero: none did
}

// Routes returns the ways to the server in the order in which they are to be tried: what worked within a day in this network, then those through a proxy, then those without, if
// the proxies may be passed by; of each address that speaks TLS from the first byte also the one by WebSocket, behind it. The error says why there are none, or, beside some, why the others are missing.
func (f *Finder) Routes(ctx context.Context) ([]Route, error) {
	plain, err := f.addresses(ctx)
	var proxied, direct []Route
	var errs []error
	for _, r := range withWebSockets(plain) {
		p, proxyErr := f.Proxies.For(r.Address)
		switch {
		case proxyErr != nil:
			errs = append(errs, ladder.New(ladder.ProxyUnusable, proxyErr.Error(), nil))
		case !p.IsZero():
			proxied = append(proxied, through(r, p))
		}
		if proxyErr == nil && p.IsZero() || f.Proxies.Fallback {
			direct = append(direct, r)
		}
	}
	if len(errs) > 0 {
		errs = errs[:1] // it is the same for each address
	}
	return f.remembered(append(proxied, direct...)), errors.Join(append(errs, err)...)
}

// Toward returns the ways to another address of the server, in the order in which they are to be tried: none where its proxy cannot be used and must not be passed by.
func (f *Finder) Toward(address string) []Route {
	r := To(address)
	p, err := f.Proxies.For(address)
	switch {
	case err != nil && !f.Proxies.Fallback:
		return nil // Routes says why
	case err != nil || p.IsZero():
		return []Route{r}
	case f.Proxies.Fallback:
		return []Route{through(r, p), r}
	}
	return []Route{through(r, p)}
}

func through(r Route, p Proxy) Route {
	r.Proxy = p
	return r
}

// withWebSockets puts behind each way of direct TLS the one by WebSocket.
func withWebSockets(plain []Route) (all []Route) {
	for _, r := range plain {
		all = append(all, r)
		if r.Direct {
			r.WebSocket = true
			all = append(all, r)
		}
	}
	return all
}

// addresses returns the configured addresses, or those that DNS has for the domain: _xmpps-client before _xmpp-client (XEP-0368), or the domain itself if there are no
// records, 443 before 5222.
func (f *Finder) addresses(ctx context.Context) ([]Route, error) {
	var out []Route
	for _, a := range f.Addresses {
		out = append(out, To(a))
	}
	if out != nil {
		return out, nil
	}
	closed := 0
	for _, s := range []struct {
		service string
		direct  bool
	}{{"xmpps-client", true}, {"xmpp-client", false}} {
		records := f.lookup(ctx, s.service)
		for _, r := range records {
			if host := strings.TrimSuffix(r.Target, "."); host != "" {
				out = append(out, Route{Address: net.JoinHostPort(host, strconv.Itoa(int(r.Port))), Direct: s.direct})
			}
		}
		if len(records) == 1 && records[0].Target == "." { // the service is not offered (RFC 2782)
			closed++
		}
	}
	switch {
	case out != nil:
		return out, nil
	case closed == 2:
		return nil, ladder.New(ladder.NotOffered, f.Domain, nil)
	}
	out = []Route{{Address: net.JoinHostPort(f.Domain, DirectPort), Direct: true}, {Address: net.JoinHostPort(f.Domain, startTLSPort)}}
	return out, nil
}

// lookup returns the records of a service; without them, or without DNS, the domain itself is tried.
func (f *Finder) lookup(ctx context.Context, service string) []*net.SRV {
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	_, records, err := f.DNS.LookupSRV(ctx, service, "tcp", f.Domain)
	if err != nil {
		return nil
	}
	return records
}
