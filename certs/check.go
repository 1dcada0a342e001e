package certs

import (
	"crypto/x509"
	"fmt"
	"slices"
	"strings"
)

// checkLeaf judges what endpoints look at in the leaf itself.
func (a *analysis) checkLeaf() {
	leaf := a.leaf
	switch {
	case isSelfSigned(leaf) && a.opts.AllowSelfSigned:
		a.warn(SelfSigned, "the certificate %s is self-signed", title(leaf))
	case isSelfSigned(leaf):
		a.fail(SelfSigned, "the certificate %s is self-signed", title(leaf))
	case leaf.IsCA:
		a.fail(CAAsLeaf, "the private key belongs to the CA certificate %s, not to a server certificate", title(leaf))
	}
	a.checkNames()
	if !allowsServerAuth(leaf) {
		a.fail(NoServerAuth, "the certificate %s is not meant for servers", title(leaf))
	}
	a.checkStrength(leaf)
}

func (a *analysis) checkNames() {
	names := certNames(a.leaf)
	if len(names) == 0 {
		a.fail(NoSAN, "the certificate has only the common name %q and no subject alternative name", a.leaf.Subject.CommonName)
		return
	}
	if a.opts.Domain != "" && bestMatch(names, a.opts.Domain) == noMatch {
		a.fail(NameNotCovered, "the certificate covers %s but not the domain %s", listed(names), a.opts.Domain)
	}
}

// listed joins names for a message, which a certificate with a thousand of them must not fill.
func listed(names []string) string {
	const most = 8
	if len(names) > most {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
	}
	return strings.Join(names, ", ")
}

// checkStrength is asked for the whole path; a root's own signature protects nothing.
func (a *analysis) checkStrength(cert *x509.Certificate) {
	if isWeakKey(cert.PublicKey) {
		a.fail(WeakKey, "the key of %s is too weak (%s)", title(cert), keyType(cert.PublicKey))
	}
	if isWeakSignature(cert.SignatureAlgorithm) && !isSelfSigned(cert) {
		a.fail(WeakSignature, "the signature of %s is too weak (%s)", title(cert), cert.SignatureAlgorithm)
	}
}

func allowsServerAuth(cert *x509.Certificate) bool {
	if len(cert.ExtKeyUsage) == 0 && len(cert.UnknownExtKeyUsage) == 0 {
		return true
	}
	return slices.Contains(cert.ExtKeyUsage, x509.ExtKeyUsageServerAuth) || slices.Contains(cert.ExtKeyUsage, x509.ExtKeyUsageAny)
}

// title names a certificate for people.
func title(cert *x509.Certificate) string {
	return name(cert.Subject.String(), cert.DNSNames)
}

func name(subject string, dns []string) string {
	if subject != "" {
		return `"` + subject + `"`
	}
	if len(dns) > 0 {
		return `"` + dns[0] + `"`
	}
	return "without a name"
}
