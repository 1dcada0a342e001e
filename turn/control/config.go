package control

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Bounds of the configuration.
const (
	lowestPort = 1024
	maxTTL     = 12 * time.Hour // the previous secret verifies that long, see Rotation
	maxRealm   = 127            // RFC 8489 section 14.9: fewer than 128 characters
	maxCount   = 1_000_000
	maxRate    = 1 << 40
)

// Config is the part of the section turn that is about the TURN server of our own.
type Config struct {
	PublicIP []string `key:"public_ip" doc:"Addresses that clients are told for relayed transport addresses instead of relay_ip, one per family, where a router translates addresses one to one; ITSM_XMPP_IP in the environment."`
	RelayIP  []string `key:"relay_ip" doc:"Addresses of this machine to which relay ports are bound, one per family. Empty: that of listen.turn, else that of the default route."`
	MinPort  int      `key:"min_port" doc:"First relay port, 1024 to 65535."`
	MaxPort  int      `key:"max_port" doc:"Last relay port, min_port to 65535."`
	Realm    string   `key:"realm" doc:"Realm of the credentials, 1 to 127 printable ASCII characters without quotes and backslashes. A short one keeps answers to strangers short."`

	SecretFile     string `key:"secret_file" doc:"File with the secret of the credentials, one line of 16 bytes or more; a second line still verifies and no longer signs. Needed where several servers share one TURN server. Empty: random, new every 12 hours and at each start."`
	RESTSecretFile string `key:"rest_secret_file" doc:"File with a secret that other systems make credentials with (coturn: use-auth-secret, static-auth-secret), 16 bytes or more. Those of one name reach each other, and all of them allow_peers. Empty: only sessions of this server are served."`

	AllowPeers []string `key:"allow_peers" doc:"Addresses and CIDR ranges that every client may send to, beside the other side of its session. Loopback, link-local and metadata addresses, listeners of this server and the database stay closed; 100.64.0.0/10, which networks of providers share, opens by a range inside it alone."`
	DenyPeers  []string `key:"deny_peers" doc:"Addresses and CIDR ranges that no client may send to, but for the relayed addresses of its own session; before allow_peers and what sessions open."`

	MaxAllocations        int `key:"max_allocations" doc:"Allocations in all, 1 to 1000000."`
	SessionAllocations    int `key:"session_allocations" doc:"Allocations of one session, 1 to 1000000."`
	TechnicianAllocations int `key:"technician_allocations" doc:"Allocations of all sessions of one technician, 1 to 1000000. Endpoints and tenants have no quota of their own."`

	SessionRate int `key:"session_rate" doc:"Bytes per second that one session may relay, both directions and the headers of IP and UDP together. 0: no limit."`
	TotalRate   int `key:"total_rate" doc:"Bytes per second that all sessions together may relay, counted in the same way. 0: no limit. Between one session and all there is no rate: none of a technician, endpoint or tenant."`

	CredentialTTL time.Duration `key:"credential_ttl" doc:"How long new allocations can be made with a credential, 1m to 12h; never after the end of its session. What is allocated then goes on until the session ends."`
	UDP443        bool          `key:"udp_443" doc:"Whether STUN and TURN are served over UDP on the addresses of listen.tls, too."`

	Control Remote `key:"control" doc:"The connection to a TURN server on another host. Both ends show certificates by the same authority."`
}

// Remote says how server and TURN process find each other if they are not on one host.
type Remote struct {
	Listen   string `key:"listen" doc:"Address on which signalbox turn, run by itself, is controlled, such as 10.0.5.3:3479."`
	URL      string `key:"url" doc:"Where the TURN server is controlled that this server uses, such as tls://10.0.5.3:3479. If it is set, listen.turn is not opened here. Empty: its own, started by it."`
	CertFile string `key:"cert_file" doc:"Certificate with chain in PEM, for client and server authentication; the TURN server's covers the host of url."`
	KeyFile  string `key:"key_file" doc:"Private key of cert_file in PEM."`
	CAFile   string `key:"ca_file" doc:"Authority of the other end's certificate in PEM. Use one that signs nothing else: whoever has a certificate by it controls the TURN server."`
}

// Default returns the configuration that stands when nothing is set.
func Default() Config {
	return Config{
		MinPort: 49152, MaxPort: 65535, // RFC 8656 section 7.2
		Realm:                 "signalbox",
		MaxAllocations:        20_000,
		SessionAllocations:    16,
		TechnicianAllocations: 128,
		CredentialTTL:         5 * time.Minute,
	}
}

// Validate names every mistake, each behind its key.
func (c Config) Validate() error {
	errs := []error{
		checkPerFamily("public_ip", c.PublicIP),
		checkPerFamily("relay_ip", c.RelayIP),
		between("min_port", c.MinPort, lowestPort, 65535),
		c.checkMaxPort(),
		checkRealm(c.Realm),
		between("max_allocations", c.MaxAllocations, 1, maxCount),
		between("session_allocations", c.SessionAllocations, 1, maxCount),
		between("technician_allocations", c.TechnicianAllocations, 1, maxCount),
		between("session_rate", c.SessionRate, 0, maxRate),
		between("total_rate", c.TotalRate, 0, maxRate),
		between("credential_ttl", c.CredentialTTL, time.Minute, maxTTL),
	}
	_, err := parseRanges("allow_peers", c.AllowPeers)
	errs = append(errs, err)
	_, err = parseRanges("deny_peers", c.DenyPeers)
	errs = append(errs, err)
	return errors.Join(append(errs, c.Control.validate()...)...)
}

func (c Config) checkMaxPort() error {
	if err := between("max_port", c.MaxPort, lowestPort, 65535); err != nil {
		return err
	}
	if c.MaxPort < c.MinPort {
		return fmt.Errorf("max_port: is %d, below min_port, %d", c.MaxPort, c.MinPort)
	}
	return nil
}

func checkRealm(realm string) error {
	ok := realm != "" && len(realm) <= maxRealm
	for _, b := range []byte(realm) {
		ok = ok && b >= ' ' && b <= '~' && b != '"' && b != '\\'
	}
	if !ok {
		return fmt.Errorf("realm: is %q, must be 1 to %d printable ASCII characters without quotes and backslashes", realm, maxRealm)
	}
	return nil
}

// checkPerFamily accepts usable addresses, at most one of each family.
func checkPerFamily(key string, texts []string) error {
	_, err := parsePerFamily(key, texts)
	return err
}

func parsePerFamily(key string, texts []string) (addrs []netip.Addr, err error) {
	var errs []error
	seen := map[bool]bool{}
	for i, text := range texts {
		a, err := netip.ParseAddr(text)
		a = a.Unmap()
		switch {
		case err != nil || a.Zone() != "" || a.IsUnspecified() || a.IsMulticast():
			errs = append(errs, fmt.Errorf("%s[%d]: %q is not an address such as 192.0.2.1", key, i, text))
		case seen[a.Is4()]:
			errs = append(errs, fmt.Errorf("%s[%d]: %q is the second address of its family, one is possible", key, i, text))
		default:
			addrs, seen[a.Is4()] = append(addrs, a), true
		}
	}
	return addrs, errors.Join(errs...)
}

// parseRanges reads addresses and CIDR ranges. An IPv4 range written as IPv6 becomes IPv4.
func parseRanges(key string, texts []string) (ranges []netip.Prefix, err error) {
	var errs []error
	for i, text := range texts {
		p, err := parseRange(text)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s[%d]: %w", key, i, err))
			continue
		}
		ranges = append(ranges, p)
	}
	return ranges, errors.Join(errs...)
}

func parseRange(text string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(text); err == nil && a.Zone() == "" {
		a = a.Unmap()
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	p, err := netip.ParsePrefix(text)
	if err != nil {
		return netip.Prefix{}, fmt.Errorf("%q is neither an address nor a range such as 10.0.0.0/8", text)
	}
	if p.Addr().Is4In6() {
		if p.Bits() < 96 {
			return netip.Prefix{}, fmt.Errorf("%q cuts through the IPv4 part of IPv6", text)
		}
		p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
	}
	if p != p.Masked() {
		return netip.Prefix{}, fmt.Errorf("%q has bits behind its length; %q is meant?", text, p.Masked())
	}
	return p, nil
}

func (r Remote) validate() (errs []error) {
	if r.Listen != "" {
		host, port, err := net.SplitHostPort(r.Listen)
		if n, errPort := strconv.ParseUint(port, 10, 16); err != nil || errPort != nil || host == "" && n == 0 {
			errs = append(errs, fmt.Errorf("control.listen: %q is not an address such as 10.0.5.3:3479", r.Listen))
		}
	}
	if r.URL != "" {
		if _, err := r.target(); err != nil {
			errs = append(errs, fmt.Errorf("control.url: %w", err))
		}
	}
	files := []struct{ key, path string }{{"cert_file", r.CertFile}, {"key_file", r.KeyFile}, {"ca_file", r.CAFile}}
	for _, f := range files {
		if f.path == "" && (r.Listen != "" || r.URL != "") {
			errs = append(errs, fmt.Errorf("control.%s: must be set where the TURN server is controlled over the network", f.key))
		}
	}
	return errs
}

// target returns host:port of the URL.
func (r Remote) target() (string, error) {
	u, err := url.Parse(r.URL)
	if err != nil || u.Scheme != "tls" || u.Hostname() == "" || u.Port() == "" || u.User != nil || strings.Trim(u.Path, "/")+u.RawQuery+u.Fragment != "" {
		return "", fmt.Errorf("%q is not an address such as tls://10.0.5.3:3479", r.URL)
	}
	if n, err := strconv.ParseUint(u.Port(), 10, 16); err != nil || n == 0 {
		return "", fmt.Errorf("%q has no port from 1 to 65535", r.URL)
	}
	return u.Host, nil
}

func between[T int | time.Duration](key string, v, low, high T) error {
	if v < low || v > high {
		return fmt.Errorf("%s: must be from %v to %v, not %v", key, low, high, v)
	}
	return nil
}
