package listen

import (
	"crypto/tls"
	"time"

	"signalbox/certs"
)

// DemandComponentCertificates has the listener component speak TLS alone, with our certificates, and demand a client certificate that one of these authorities
// signed for clients. Without it that listener is for plain text on loopback. It must not be called after Open.
func (s *Server) DemandComponentCertificates(authorities *certs.ClientCA) {
	s.componentCA = authorities
}

// componentPolicies demand a certificate of every client.
func (s *Server) componentPolicies() *policies {
	return &policies{plain: &certs.Policy{ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: s.componentCA.Pool()}}
}

// plainOnly reports whether nothing on the port is TLS, so that its first byte already is the protocol's.
func (p *port) plainOnly() bool {
	return p.name == namePlaintext || p.name == nameComponent && p.server.componentCA == nil
}

// tlsOnly reports whether nothing is spoken on the port in plain text.
func (p *port) tlsOnly() bool { return p.name == nameComponent && p.server.componentCA != nil }

// verifyComponent looks at the client certificate of a connection to the listener component once more: a resumed session has one that was looked at when it began,
// perhaps on another port.
func (v *visit) verifyComponent(c *tls.Conn) error {
	if !v.port.tlsOnly() {
		return nil
	}
	if _, err := v.server.componentCA.Verify(c.ConnectionState().PeerCertificates, time.Now()); err != nil {
		return refuse(HandshakeFailed, err)
	}
	return nil
}
