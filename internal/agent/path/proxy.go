package path

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"

	"golang.org/x/net/http/httpproxy"
)

// NoProxy is the setting that has the environment's proxy left alone.
const NoProxy = "direct"

// Proxy is an HTTP proxy. The zero value is none.
type Proxy struct {
	address        string // host:port
	tls            bool   // the way to the proxy is inside TLS
	user, password string
}

// IsZero reports whether there is no proxy.
func (p Proxy) IsZero() bool { return p.address == "" }

// String returns the proxy's URL without user and password.
func (p Proxy) String() string {
	if p.tls {
		return "https://" + p.address
	}
	return "http://" + p.address
}

// Host returns the proxy's name without the port.
func (p Proxy) Host() string {
	host, _, _ := net.SplitHostPort(p.address)
	return host
}

// ParseProxy reads http://[user[:password]@]host[:port], or https:// where the proxy itself speaks TLS; the ports are 80 and 443 unless given. Its errors never show the
// password.
func ParseProxy(text string) (Proxy, error) {
	u, err := url.Parse(text)
	if err != nil {
		return Proxy{}, errors.New("is no URL such as http://host:port")
	}
	p := Proxy{tls: u.Scheme == "https"}
	port := u.Port()
	switch {
	case u.Scheme != "http" && u.Scheme != "https":
		return Proxy{}, fmt.Errorf("%q is no kind of proxy that the agent knows; use http or https", u.Scheme)
	case u.Hostname() == "":
		return Proxy{}, errors.New("names no host")
	case strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "":
		return Proxy{}, errors.New("must be http://host:port with nothing behind it")
	case port == "" && p.tls:
		port = "443"
	case port == "":
		port = "80"
	}
	p.address = net.JoinHostPort(u.Hostname(), port)
	p.user = u.User.Username()
	p.password, _ = u.User.Password()
	if strings.ContainsRune(p.user, ':') { // RFC 7617 section 2
		return Proxy{}, errors.New("has a user with a colon, which Basic cannot tell from the password")
	}
	return p, nil
}

// HasPassword reports whether a proxy's URL holds a password.
func HasPassword(text string) bool {
	p, err := ParseProxy(text)
	return err == nil && p.password != ""
}

// Proxies says which proxy leads to an address. The zero value knows none.
type Proxies struct {
	Fallback bool // whether the server is tried without the proxy when that fails

	fixed       Proxy
	environment func(*url.URL) (*url.URL, error)
	password    string // overrides those of the URLs
}

// NewProxies reads the setting: a URL as ParseProxy takes it, NoProxy, or nothing, when the environment (HTTPS_PROXY, NO_PROXY) tells. A password overrides that
// of the URL.
func NewProxies(setting, password string, fallback bool, environment *httpproxy.Config) (Proxies, error) {
	ps := Proxies{Fallback: fallback, password: password}
	switch setting {
	case NoProxy:
		return ps, nil
	case "":
		ps.environment = environment.ProxyFunc()
		return ps, nil
	}
	var err error
	ps.fixed, err = ParseProxy(setting)
	if password != "" {
		ps.fixed.password = password
	}
	return ps, err
}

// For returns the proxy on the way to host:port, or none.
func (ps Proxies) For(address string) (Proxy, error) {
	if ps.environment == nil {
		return ps.fixed, nil
	}
	u, err := ps.environment(&url.URL{Scheme: "https", Host: address})
	if err != nil {
		return Proxy{}, errors.New("HTTPS_PROXY in the environment is no URL such as http://host:port")
	}
	if u == nil {
		return Proxy{}, nil
	}
	p, err := ParseProxy(u.String())
	if err != nil {
		return Proxy{}, fmt.Errorf("HTTPS_PROXY in the environment %w", err)
	}
	if ps.password != "" {
		p.password = ps.password
	}
	return p, nil
}
