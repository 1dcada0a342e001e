package doctor

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"

	"signalbox/certs"
)

// alpnClient is the protocol of XMPP clients (XEP-0368).
const alpnClient = "xmpp-client"

// secure connects to a port and makes the TLS handshake for the domain. The certificate is not verified: judge does that.
func (x *examination) secure(ctx context.Context, p port, alpn []string) (*tls.Conn, *trouble) {
	conn, t := x.dial(ctx, p)
	if t != nil {
		return nil, t
	}
	if p.startTLS {
		if t := askForTLS(conn, x.Config.Domain); t != nil {
			_ = conn.Close() // that there is no TLS is known
			return nil, t
		}
	}
	c := tls.Client(conn, &tls.Config{
		ServerName: x.serverName(), NextProtos: alpn, MinVersion: tls.VersionTLS12,
		InsecureSkipVerify: true, // what a client would refuse is to be seen whole
	})
	if err := c.HandshakeContext(ctx); err != nil {
		_ = conn.Close() // the handshake's error is the one to tell
		return nil, x.notSecured(err)
	}
	return c, nil
}

// serverName is the name that clients ask for and verify.
func (x *examination) serverName() string { return certs.RequiredFor("", x.Config.Domain).Domain }

// notSecured says why a handshake failed.
func (x *examination) notSecured(err error) *trouble {
	var alert *net.OpError // of crypto/tls, which has no exported type for what the other side says
	var record tls.RecordHeaderError
	switch {
	case errors.As(err, &record):
		return foreign("answers something that is no TLS")
	case errors.As(err, &alert) && alert.Op == "remote error":
		return &trouble{
			detail: fmt.Sprintf("refuses the TLS handshake for %s: %v", x.serverName(), alert.Err),
			action: "see that a bundle covers the domain and that the server has read it: systemctl reload signalbox, or SIGHUP; another program may have the port (ss -ltnp)",
		}
	case errors.Is(err, io.EOF):
		return unanswered(errors.New("in the TLS handshake"))
	}
	return unanswered(err)
}

// foreign is a port at which something else answers.
func foreign(seen string) *trouble {
	return &trouble{detail: seen + ": another program has the port", action: "stop that program (ss -ltnp shows it), or set the key to another port"}
}

// judge verifies what the server showed as a client does, which trusts the bundle's root, or the system's roots if the bundle has none.
func (x *examination) judge(state tls.ConnectionState) *trouble {
	leaf := state.PeerCertificates[0]
	at := slices.IndexFunc(x.bundles, func(b *certs.Bundle) bool { return b.Certificate.Equal(leaf) })
	if at < 0 {
		return &trouble{
			detail: fmt.Sprintf("shows the certificate %q (SHA-256 %s), which is in none of the bundles", leaf.Subject, certs.Fingerprints(leaf).SHA256),
			action: "have the server read its bundles (SIGHUP) and see in its log why it refuses one; if it is not our server that answers (ss -ltnp), stop that program",
		}
	}
	sent := x509.NewCertPool()
	for _, c := range state.PeerCertificates[1:] {
		sent.AddCert(c)
	}
	_, err := leaf.Verify(x509.VerifyOptions{DNSName: x.serverName(), Roots: rootsOf(x.bundles[at]), Intermediates: sent, CurrentTime: x.now})
	if err != nil {
		return refused(err)
	}
	return nil
}

// rootsOf returns what a client must trust to accept the bundle; nil: the system's roots. Where the root is not in the file it is what the chain was checked up to:
// the bundle's own line warns of that.
func rootsOf(b *certs.Bundle) *x509.CertPool {
	var anchor *x509.Certificate
	switch codes := b.Warnings.Codes(); {
	case b.Root != nil:
		anchor = b.Root
	case slices.Contains(codes, certs.RootMissing):
		anchor = b.Intermediates[len(b.Intermediates)-1]
	case slices.Contains(codes, certs.SelfSigned): // certs.allow_self_signed
		anchor = b.Certificate
	default:
		return nil
	}
	pool := x509.NewCertPool()
	pool.AddCert(anchor)
	return pool
}

// refused names the alert with which a client ends such a handshake.
func refused(err error) *trouble {
	var invalid x509.CertificateInvalidError
	var name x509.HostnameError
	var unknown x509.UnknownAuthorityError
	alert := "bad_certificate"
	switch {
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		alert = "certificate_expired"
	case errors.As(err, &unknown):
		alert = "unknown_ca"
	case errors.As(err, &name):
	}
	return &trouble{
		detail: fmt.Sprintf("a client refuses it with %s: %v", alert, err),
		action: "mend the bundle as its line says; the server takes it over without a restart",
	}
}

// describe says what a connection came to.
func describe(state tls.ConnectionState) string {
	return fmt.Sprintf("%s, certificate until %s", tls.VersionName(state.Version), state.PeerCertificates[0].NotAfter.UTC().Format("2006-01-02"))
}
