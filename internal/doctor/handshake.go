package doctor

import (
	"bytes"
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
			code:   HandshakeRefused,
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
	return &trouble{code: PortForeign, detail: seen + ": another program has the port", action: "stop that program (ss -ltnp shows it), or set the key to another port"}
}

// judge verifies what the server showed as a client does, which trusts the bundle's root, or the system's roots if the bundle has none.
func (x *examination) judge(state tls.ConnectionState) *trouble {
	leaf := state.PeerCertificates[0]
	if x.Outside != nil {
		return x.judgeOutside(state)
	}
	at := slices.IndexFunc(x.bundles, func(b *certs.Bundle) bool { return b.Certificate.Equal(leaf) })
	if at < 0 && !x.issuedAsOurs(leaf) {
		return foreignIssuer(leaf, "our bundles have others")
	}
	if at < 0 {
		return &trouble{
			code:   OtherCertificate,
			detail: fmt.Sprintf("shows the certificate %q (SHA-256 %s), which is in none of the bundles", leaf.Subject, certs.Fingerprints(leaf).SHA256),
			action: "have the server read its bundles (SIGHUP) and see in its log why it refuses one; if it is not our server that answers (ss -ltnp), stop that program",
		}
	}
	if err := x.verify(state, rootsOf(x.bundles[at])); err != nil {
		return refused(err)
	}
	return nil
}

// verify verifies what was shown as a client does that trusts roots, or those of the system if it is nil.
func (x *examination) verify(state tls.ConnectionState, roots *x509.CertPool) error {
	sent := x509.NewCertPool()
	for _, c := range state.PeerCertificates[1:] {
		sent.AddCert(c)
	}
	_, err := state.PeerCertificates[0].Verify(x509.VerifyOptions{DNSName: x.serverName(), Roots: roots, Intermediates: sent, CurrentTime: x.now})
	return err
}

// issuedAsOurs reports whether a certificate has the issuer of one of our bundles, or there are none to compare with.
func (x *examination) issuedAsOurs(leaf *x509.Certificate) bool {
	return len(x.bundles) == 0 || slices.ContainsFunc(x.bundles, func(b *certs.Bundle) bool { return bytes.Equal(b.Certificate.RawIssuer, leaf.RawIssuer) })
}

// foreignIssuer is a certificate that somebody else made for the connection.
func foreignIssuer(leaf *x509.Certificate, compared string) *trouble {
	return &trouble{
		code:   Intercepted,
		detail: fmt.Sprintf("shows the certificate %q (SHA-256 %s) issued by %q, where %s: another program answers, or something on the way opens TLS", leaf.Subject, certs.Fingerprints(leaf).SHA256, leaf.Issuer, compared),
		action: "see which program has the port (ss -ltnp); exempt this server's name from TLS inspection on firewalls and proxies in between",
	}
}

// judgeOutside verifies what the server showed with what endpoints trust. Where that is said, an issuer that is not among it is something on the way.
func (x *examination) judgeOutside(state tls.ConnectionState) *trouble {
	err := x.verify(state, x.Outside.Roots)
	var unknown x509.UnknownAuthorityError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &unknown) && x.Outside.Roots != nil:
		return foreignIssuer(state.PeerCertificates[0], "--ca-file has other authorities, or an intermediate certificate is missing")
	}
	return refused(err)
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
		code:   ClientRefuses,
		detail: fmt.Sprintf("a client refuses it with %s: %v", alert, err),
		action: "mend the bundle as its line says; the server takes it over without a restart",
	}
}

// describe says what a connection came to.
func describe(state tls.ConnectionState) string {
	return fmt.Sprintf("%s, certificate until %s", tls.VersionName(state.Version), state.PeerCertificates[0].NotAfter.UTC().Format("2006-01-02"))
}
