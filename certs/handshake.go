package certs

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
)

// Policy is what a listener wants of a handshake beside the certificate. A policy is known by its address: make the few
// that a listener needs once, do not change them afterwards.
type Policy struct {
	// ALPN lists the application protocols by preference; empty negotiates none.
	ALPN []string
	// ClientAuth and ClientCAs ask for a client certificate; the zero value asks for none.
	ClientAuth tls.ClientAuthType
	ClientCAs  *x509.CertPool
}

// ErrUnknownName means that a client asked for a name that no bundle covers. It was answered with the alert
// unrecognized_name and no certificate.
var ErrUnknownName = errors.New("no certificate for the name that the client asked for")

// Handshake is the TLS handshake of one connection and what is known of it afterwards. It serves one connection, direct
// TLS or STARTTLS, and is used by one goroutine at a time. Keep the [Leaf] and drop the rest.
type Handshake struct {
	store  *Store
	policy func(*tls.ClientHelloInfo) *Policy
	leaf   *Leaf
	err    error
}

// Handshake prepares one connection. Policy is asked once the client's hello is known, with its server name and ALPN, also where
// no bundle covers that name; it must not return nil.
func (s *Store) Handshake(policy func(*tls.ClientHelloInfo) *Policy) *Handshake {
	return &Handshake{store: s, policy: policy}
}

// Config returns the configuration for tls.Server. TLS drops it as soon as the client's hello is answered, in favour of
// one that all connections with the same bundle and policy share.
func (h *Handshake) Config() *tls.Config {
	return &tls.Config{
		MinVersion:             tls.VersionTLS12,
		SessionTicketsDisabled: true, // the shared configuration has the tickets
		GetConfigForClient:     h.configFor,
	}
}

func (h *Handshake) configFor(hello *tls.ClientHelloInfo) (*tls.Config, error) {
	policy, b := h.policy(hello), h.store.pick(hello.ServerName)
	if b == nil {
		h.err = fmt.Errorf("%w: %q", ErrUnknownName, hello.ServerName)
		return h.store.refuse, nil
	}
	h.leaf = b.Leaf
	return h.store.config(b, policy), nil
}

// Server makes the handshake on conn and returns the TLS connection. On failure conn is left open for the caller. The
// error is [ErrUnknownName] where that was the reason.
func (h *Handshake) Server(ctx context.Context, conn net.Conn) (*tls.Conn, error) {
	c := tls.Server(conn, h.Config())
	if err := c.HandshakeContext(ctx); err != nil {
		return nil, h.Err(err)
	}
	return c, nil
}

// Err returns the reason for a handshake that failed with err: [ErrUnknownName], or err itself.
func (h *Handshake) Err(err error) error {
	if h.err != nil {
		return h.err
	}
	return err
}

// Leaf returns the certificate that this connection's client was shown, in this handshake or in the one that it resumes;
// nil before the client's hello and for an unknown name.
func (h *Handshake) Leaf() *Leaf { return h.leaf }

// GetCertificate is for a tls.Config made elsewhere. Prefer [Store.Handshake] or [Store.ServerConfig]: with this one alone
// a resumed session keeps the certificate of before a swap. An unknown name gets nil and no error, which crypto/tls
// answers with the alert unrecognized_name.
func (s *Store) GetCertificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	if b := s.pick(hello.ServerName); b != nil {
		return &b.cert, nil
	}
	return nil, nil
}

// ServerConfig returns a configuration for a server that makes its handshakes by itself, such as net/http. It follows
// every swap.
func (s *Store) ServerConfig(alpn []string) *tls.Config {
	policy := &Policy{ALPN: alpn}
	return &tls.Config{
		MinVersion:             tls.VersionTLS12,
		NextProtos:             alpn,
		SessionTicketsDisabled: true,
		GetConfigForClient: func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
			return s.Handshake(func(*tls.ClientHelloInfo) *Policy { return policy }).configFor(hello)
		},
	}
}

// maxConfigs bounds the configurations kept per bundle, for callers that replace their policies now and then.
const maxConfigs = 16

// config returns the configuration that all connections of this bundle and policy share.
func (s *Store) config(b *Bundle, p *Policy) *tls.Config {
	b.mu.Lock()
	defer b.mu.Unlock()
	if c, ok := b.configs[p]; ok {
		return c
	}
	c := &tls.Config{
		MinVersion:   tls.VersionTLS12,
		Certificates: []tls.Certificate{b.cert},
		NextProtos:   p.ALPN,
		ClientAuth:   p.ClientAuth,
		ClientCAs:    p.ClientCAs,
	}
	s.tickets.bind(c, b.Leaf)
	if len(b.configs) == maxConfigs {
		clear(b.configs) // connections keep theirs; policies in use are soon back
	}
	b.configs[p] = c
	return c
}

// refusal makes crypto/tls send unrecognized_name (RFC 6066 section 3): that is what it does without any certificate.
func refusal() *tls.Config {
	return &tls.Config{
		MinVersion:             tls.VersionTLS12,
		SessionTicketsDisabled: true,
		GetCertificate:         func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return nil, nil },
	}
}
