package agent

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
)

const (
	alpnClient   = "xmpp-client" // XEP-0368
	startTLSPort = "5222"
	directPort   = "443"
)

// target is an address to try.
type target struct {
	address string
	direct  bool // TLS from the first byte; else STARTTLS
}

func targetOf(address string) target {
	_, port, _ := net.SplitHostPort(address)
	return target{address, port != startTLSPort}
}

// resolver finds a domain's servers; *net.Resolver is one.
type resolver interface {
	LookupSRV(ctx context.Context, service, proto, name string) (string, []*net.SRV, error)
}

// targets returns the configured addresses, or those that DNS has for the domain: _xmpps-client before _xmpp-client (XEP-0368), or the domain
// itself if there are no records.
func targets(ctx context.Context, dns resolver, domain string, configured []string) []target {
	var out []target
	for _, a := range configured {
		out = append(out, targetOf(a))
	}
	if out != nil {
		return out
	}
	for _, s := range []struct {
		service string
		direct  bool
	}{{"xmpps-client", true}, {"xmpp-client", false}} {
		_, records, err := dns.LookupSRV(ctx, s.service, "tcp", domain)
		if err != nil {
			continue // no records, or no DNS: the domain itself is tried then
		}
		for _, r := range records {
			if host := strings.TrimSuffix(r.Target, "."); host != "" { // "." says that the service is not offered
				out = append(out, target{net.JoinHostPort(host, strconv.Itoa(int(r.Port))), s.direct})
			}
		}
	}
	if out == nil {
		out = []target{{net.JoinHostPort(domain, directPort), true}, {net.JoinHostPort(domain, startTLSPort), false}}
	}
	return out
}

// tlsConfig verifies the server by the domain of the JID, whatever host the address names (RFC 7590, XEP-0368).
func tlsConfig(domain, caFile string) (*tls.Config, error) {
	cfg := &tls.Config{ServerName: domain, MinVersion: tls.VersionTLS12, NextProtos: []string{alpnClient}}
	if caFile == "" {
		return cfg, nil
	}
	pem, err := os.ReadFile(caFile)
	if err != nil {
		return nil, fmt.Errorf("ca_file: %w", err)
	}
	cfg.RootCAs = x509.NewCertPool()
	if !cfg.RootCAs.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("ca_file: %s holds no PEM certificate", caFile)
	}
	return cfg, nil
}

// open connects to t, with TLS if it is direct.
func (t target) open(ctx context.Context, dial dialer, cfg *tls.Config) (net.Conn, error) {
	conn, err := dial(ctx, "tcp", t.address)
	if err != nil {
		return nil, err
	}
	if !t.direct {
		return conn, nil
	}
	secured := tls.Client(conn, cfg)
	if err := secured.HandshakeContext(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("TLS with %s: %w", t.address, err), conn.Close())
	}
	return secured, nil
}

// dialer connects to an address; net.Dialer.DialContext is one.
type dialer func(ctx context.Context, network, address string) (net.Conn, error)
