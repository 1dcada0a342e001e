package certs

import (
	"bytes"
	"cmp"
	"crypto/x509"
	"errors"
	"slices"
	"strings"
	"time"
)

// findChain builds the path from the leaf upwards out of the file's certificates and has it verified.
func (a *analysis) findChain() {
	if isSelfSigned(a.leaf) || a.leaf.IsCA {
		return // already named; there is no path to look for
	}
	last, misfit := a.leaf, (*x509.Certificate)(nil)
	for a.root == nil {
		var issuer *x509.Certificate
		if issuer, misfit = a.issuer(last); issuer == nil {
			break
		}
		if isSelfSigned(issuer) {
			a.root = issuer
			break
		}
		a.chain = append(a.chain, issuer)
		last = issuer
	}
	for _, c := range a.chain {
		a.checkStrength(c)
	}
	if a.root != nil {
		a.checkStrength(a.root)
	}
	a.checkEnd(last, misfit)
	a.warnUnused()
}

// issuer returns the best certificate of the file that made the child's signature. If none did, misfit is one that has
// the issuer's name.
func (a *analysis) issuer(child *x509.Certificate) (issuer, misfit *x509.Certificate) {
	var fits []*x509.Certificate
	for _, c := range a.certs {
		if c == a.leaf || slices.Contains(a.chain, c) || !bytes.Equal(c.RawSubject, child.RawIssuer) {
			continue
		}
		if signed(c, child) {
			fits = append(fits, c)
		} else {
			misfit = c
		}
	}
	if len(fits) == 0 {
		return nil, misfit
	}
	return slices.MinFunc(fits, a.compareIssuers), nil
}

// compareIssuers decides between cross-signed certificates of one CA: one that is valid now, then one whose own issuer is
// at hand, then one that is not a root (the operator put it there for old clients; new ones do without), then the one
// that lasts longer.
func (a *analysis) compareIssuers(x, y *x509.Certificate) int {
	score := func(c *x509.Certificate) (n int) {
		if validAt(c, a.now) {
			n += 4
		}
		if isSelfSigned(c) || slices.ContainsFunc(a.certs, func(p *x509.Certificate) bool { return bytes.Equal(p.RawSubject, c.RawIssuer) }) {
			n += 2
		}
		if !isSelfSigned(c) {
			n++
		}
		return n
	}
	return cmp.Or(cmp.Compare(score(y), score(x)), y.NotAfter.Compare(x.NotAfter))
}

// checkEnd judges where the path ends; see the package documentation for the rules.
func (a *analysis) checkEnd(last, misfit *x509.Certificate) {
	stray := slices.IndexFunc(a.certs, func(c *x509.Certificate) bool { return c != a.leaf && isSelfSigned(c) })
	switch {
	case a.root != nil:
		a.verify(a.root)
	case a.knownToSystem():
	case misfit != nil:
		a.fail(ChainBroken, "%s names the issuer %s, but the certificate of that name in the file did not sign it", title(last), title(misfit))
	case len(a.chain) == 0:
		a.fail(ChainMissing, "the issuer of the certificate, %s, is not in the file and not a root of this system%s", name(last.Issuer.String(), nil), offered(last))
	case stray >= 0:
		a.fail(ChainBroken, "the chain ends at %s, which the root in the file, %s, did not sign", title(last), title(a.certs[stray]))
	default:
		a.warn(RootMissing, "the root %s is not in the file, so the chain was checked up to %s only", name(last.Issuer.String(), nil), title(last))
		a.verify(last)
	}
}

// offered says where the CA offers the certificate of cert's issuer (RFC 5280 section 4.2.2.1), if the certificate tells.
func offered(cert *x509.Certificate) string {
	const longest = 200
	for _, u := range cert.IssuingCertificateURL {
		if strings.HasPrefix(u, "http://") && len(u) <= longest {
			return "; the CA offers it, in binary form, at " + u
		}
	}
	return ""
}

// verify runs the standard library's rules (path lengths, name constraints, nested key usages) over the path.
func (a *analysis) verify(anchor *x509.Certificate) {
	if len(a.fatal) > 0 && slices.ContainsFunc(a.fatal, func(e *Error) bool { return e.Code == WeakSignature || e.Code == WeakKey }) {
		return // it would only repeat that
	}
	at, ok := a.commonTime(anchor)
	if !ok {
		a.fail(ChainBroken, "the certificates of the chain are never valid at the same time")
		return
	}
	roots := x509.NewCertPool()
	roots.AddCert(anchor)
	if err := a.verifyWith(roots, at); err != nil {
		a.fail(ChainBroken, "the chain does not verify up to %s: %v", title(anchor), err)
	}
	if isSelfSigned(anchor) && a.now.After(anchor.NotAfter) {
		a.warn(RootExpired, "the root %s expired on %s", title(anchor), day(anchor.NotAfter))
	}
}

func (a *analysis) verifyWith(roots *x509.CertPool, at time.Time) error {
	inter := x509.NewCertPool()
	for _, c := range a.chain {
		inter.AddCert(c)
	}
	usage := x509.ExtKeyUsageServerAuth
	if !allowsServerAuth(a.leaf) {
		usage = x509.ExtKeyUsageAny // already named
	}
	_, err := a.leaf.Verify(x509.VerifyOptions{Roots: roots, Intermediates: inter, CurrentTime: at, KeyUsages: []x509.ExtKeyUsage{usage}})
	return err
}

func (a *analysis) knownToSystem() bool {
	roots := a.opts.Roots
	if roots == nil {
		var err error
		if roots, err = x509.SystemCertPool(); err != nil {
			return false // no roots on this system: nothing is known to it
		}
	}
	at, ok := a.commonTime(a.leaf)
	return ok && a.verifyWith(roots, at) == nil
}

// commonTime returns a time at which the whole path and the anchor are valid: now, if it is one. What time does to a
// bundle is judged elsewhere.
func (a *analysis) commonTime(anchor *x509.Certificate) (time.Time, bool) {
	from, until := anchor.NotBefore, anchor.NotAfter
	for _, c := range append([]*x509.Certificate{a.leaf}, a.chain...) {
		from, until = later(from, c.NotBefore), earlier(until, c.NotAfter)
	}
	return later(from, earlier(a.now, until)), !until.Before(from)
}

// warnUnused names what the file has beyond the path.
func (a *analysis) warnUnused() {
	for _, c := range a.certs {
		if c != a.leaf && c != a.root && !slices.Contains(a.chain, c) {
			a.warn(Unused, "the certificate %s is not part of the chain", title(c))
		}
	}
}

// signed says whether parent made child's signature. One that is too weak to be checked counts, its strength is judged
// elsewhere.
func signed(parent, child *x509.Certificate) bool {
	err := parent.CheckSignature(child.SignatureAlgorithm, child.RawTBSCertificate, child.Signature)
	var insecure x509.InsecureAlgorithmError
	return err == nil || errors.As(err, &insecure)
}

// isSelfSigned is about the signature, not about being a CA.
func isSelfSigned(cert *x509.Certificate) bool {
	return bytes.Equal(cert.RawSubject, cert.RawIssuer) && signed(cert, cert)
}

func validAt(cert *x509.Certificate, t time.Time) bool {
	return !t.Before(cert.NotBefore) && !t.After(cert.NotAfter)
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

func day(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") }
