// Package path finds the ways from an endpoint to its server and goes them up to TLS: names and SRV records, addresses, HTTP proxies, certificates.
package path

import (
	"context"
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

// rememberFor is how long the way that worked goes before those that should be tried first.
const rememberFor = 24 * time.Hour

// Route is one way to the server.
type Route struct {
	Address string // host:port
	Direct  bool   // TLS from the first byte; else STARTTLS
	Proxy   Proxy  // the zero value: none
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

// String returns the address and the proxy, without its password.
func (r Route) String() string {
	if r.Proxy.IsZero() {
		return r.Address
	}
	return r.Address + " through " + r.Proxy.String()
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

	mu   sync.Mutex
	last way // that worked
	at   time.Time
}

// Routes returns the ways to the server in the order in which they are to be tried: what worked within a day, then those through a proxy, then those without, if the
// proxies may be passed by. The error says why there are none, or, beside some, why the others are missing.
func (f *Finder) Routes(ctx context.Context) ([]Route, error) {
	plain, err := f.addresses(ctx)
	var proxied, direct []Route
	var errs []error
	for _, r := range plain {
		p, proxyErr := f.Proxies.For(r.Address)
		switch {
		case proxyErr != nil:
			errs = append(errs, ladder.New(ladder.ProxyUnusable, proxyErr.Error(), nil))
		case !p.IsZero():
			proxied = append(proxied, Route{r.Address, r.Direct, p})
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
		return []Route{{r.Address, r.Direct, p}, r}
	}
	return []Route{{r.Address, r.Direct, p}}
}

// way is what is remembered of a route.
type way struct {
	address string
	direct  bool
	via     string
}

// Remember has the way that led to a session tried first, for a day.
func (f *Finder) Remember(address string, direct bool, via string, at time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.last, f.at = way{address, direct, via}, at
}

// remembered moves the way that worked to the front. One that is no longer among the ways is not taken.
func (f *Finder) remembered(all []Route) []Route {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.at.IsZero() || time.Since(f.at) > rememberFor {
		return all
	}
	for i, r := range all {
		if (way{r.Address, r.Direct, r.Via()}) == f.last {
			copy(all[1:i+1], all[:i])
			all[0] = r
			break
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
