package api

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
)

// Config is the part of the configuration under the key "api".
type Config struct {
	AllowFrom    []string `key:"allow_from" doc:"Source addresses that may use the API, as addresses or CIDR prefixes; empty means any. It is the connection's own address that counts, /livez is open to all, and the command line on this machine needs 127.0.0.1 here."`
	TLS          TLS      `key:"tls" doc:"Certificate with which listen.api speaks HTTPS."`
	InsecureHTTP bool     `key:"insecure_http" doc:"Allows plain HTTP on addresses other than loopback: tokens then cross the network in clear."`
	TigaseCompat bool     `key:"tigase_compat" doc:"Serves the paths of the Tigase HTTP API under /rest, see docs/TIGASE.md. Their API key is one of our tokens and may stand in the URL: keep URLs out of the logs of what lies between."`
}

// TLS names the files of a certificate. Both empty: plain HTTP.
type TLS struct {
	CertFile string `key:"cert_file" doc:"PEM file with the certificate and its chain; read again on reload."`
	KeyFile  string `key:"key_file" doc:"PEM file with the private key."`
}

// Default returns the configuration of a server that listens on loopback alone.
func Default() Config { return Config{} }

// enabled reports whether HTTPS is spoken.
func (t TLS) enabled() bool { return t.CertFile != "" && t.KeyFile != "" }

// Validate names every mistake with its key.
func (c Config) Validate() error {
	_, err := parsePrefixes(c.AllowFrom)
	errs := []error{err}
	if (c.TLS.CertFile == "") != (c.TLS.KeyFile == "") {
		errs = append(errs, errors.New("tls: cert_file and key_file belong together; give both or none"))
	}
	return errors.Join(errs...)
}

// CheckPlain refuses addresses, "host:port" each, on which tokens would cross a network in clear: all but loopback, unless TLS is set or InsecureHTTP says so.
func (c Config) CheckPlain(addrs []string) error {
	if c.TLS.enabled() || c.InsecureHTTP {
		return nil
	}
	var errs []error
	for _, addr := range addrs {
		if !loopback(addr) {
			errs = append(errs, fmt.Errorf("insecure_http: %s is not a loopback address: set tls.cert_file and tls.key_file, or insecure_http: true", addr))
		}
	}
	return errors.Join(errs...)
}

func loopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return false
	}
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}

func parsePrefixes(list []string) ([]netip.Prefix, error) {
	var prefixes []netip.Prefix
	var errs []error
	for i, text := range list {
		p, err := parsePrefix(text)
		if err != nil {
			errs = append(errs, fmt.Errorf("allow_from[%d]: %q is neither an address nor a CIDR prefix", i, text))
			continue
		}
		prefixes = append(prefixes, p)
	}
	return prefixes, errors.Join(errs...)
}

// parsePrefix reads an address or a prefix; an IPv4-mapped one is the IPv4 one, as callers are compared.
func parsePrefix(text string) (netip.Prefix, error) {
	if ip, err := netip.ParseAddr(text); err == nil {
		ip = ip.Unmap().WithZone("")
		return netip.PrefixFrom(ip, ip.BitLen()), nil
	}
	p, err := netip.ParsePrefix(text)
	if err != nil {
		return p, err
	}
	if bits := p.Bits() - 96; p.Addr().Is4In6() && bits >= 0 {
		p = netip.PrefixFrom(p.Addr().Unmap(), bits)
	}
	return p.Masked(), nil
}
