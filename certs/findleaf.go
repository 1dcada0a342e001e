package certs

import (
	"cmp"
	"crypto/x509"
	"slices"
	"strings"
)

// Labels of blocks that are mistakes in a bundle (RFC 7468 and what openssl writes).
const (
	labelEncrypted = "ENCRYPTED PRIVATE KEY"
	labelPublic    = "PUBLIC KEY"
	labelRSAPublic = "RSA PUBLIC KEY"
	labelCSR       = "CERTIFICATE REQUEST"
	labelNewCSR    = "NEW CERTIFICATE REQUEST"
	labelPKCS7     = "PKCS7"
	labelCMS       = "CMS"
)

// findLeaf finds the certificate for the key. What stands in the file instead of the missing part names the mistake.
func (a *analysis) findLeaf() {
	damaged := len(a.fatal) > 0
	if len(a.keys) > 1 {
		a.fail(SeveralKeys, "the file has %d different private keys", len(a.keys))
		return
	}
	if len(a.keys) == 0 && !damaged {
		a.explainNoKey()
	}
	if len(a.certs) == 0 && !damaged {
		a.explainNoCertificate()
	}
	if len(a.keys) == 0 || len(a.certs) == 0 {
		return
	}
	own := slices.DeleteFunc(slices.Clone(a.certs), func(c *x509.Certificate) bool {
		return !samePublic(c.PublicKey, a.keys[0].Public())
	})
	if len(own) == 0 {
		if !damaged {
			a.explainNoLeaf()
		}
		return
	}
	a.leaf = slices.MinFunc(own, a.compareLeaves)
	for label, line := range a.odd {
		a.warn(Unused, "the %s block at line %d is not needed", label, line)
	}
	slices.SortFunc(a.warnings, func(x, y *Error) int { return strings.Compare(x.Detail, y.Detail) })
}

// compareLeaves puts the certificate first that endpoints will like best, when one key has several: a renewal with the
// same key often leaves the old certificate in the file.
func (a *analysis) compareLeaves(x, y *x509.Certificate) int {
	score := func(c *x509.Certificate) (n int) {
		if a.opts.Domain != "" && bestMatch(certNames(c), a.opts.Domain) != noMatch {
			n += 8
		}
		if !c.IsCA {
			n += 4
		}
		if !isSelfSigned(c) {
			n += 2
		}
		if validAt(c, a.now) {
			n++
		}
		return n
	}
	return cmp.Or(cmp.Compare(score(y), score(x)), y.NotAfter.Compare(x.NotAfter))
}

func (a *analysis) explainNoKey() {
	if line, ok := a.odd[labelEncrypted]; ok {
		a.fail(EncryptedKey, "the private key at line %d is encrypted with a passphrase", line)
		return
	}
	for _, label := range []string{labelPublic, labelRSAPublic} {
		if line, ok := a.odd[label]; ok {
			a.fail(PublicKey, "line %d has a public key, and there is no private key in the file", line)
			return
		}
	}
	if line, ok := a.odd["OPENSSH PRIVATE KEY"]; ok {
		a.fail(UnsupportedKey, "the private key at line %d is an OpenSSH key", line)
		return
	}
	a.fail(NoKey, "the file has no private key")
}

func (a *analysis) explainNoCertificate() {
	for _, label := range []string{labelCSR, labelNewCSR} {
		if line, ok := a.odd[label]; ok {
			a.fail(CSR, "line %d has a certificate request, and there is no certificate in the file", line)
			return
		}
	}
	for _, label := range []string{labelPKCS7, labelCMS} {
		if line, ok := a.odd[label]; ok {
			a.fail(PKCS7, "the certificates at line %d are in a PKCS#7 container", line)
			return
		}
	}
	a.fail(NoCertificate, "the file has no certificate")
}

// explainNoLeaf is called when the key fits none of the certificates.
func (a *analysis) explainNoLeaf() {
	i := slices.IndexFunc(a.certs, func(c *x509.Certificate) bool { return !c.IsCA })
	if i >= 0 {
		a.fail(KeyMismatch, "the private key (%s) does not belong to the certificate %s", keyType(a.keys[0].Public()), title(a.certs[i]))
		return
	}
	for _, label := range []string{labelCSR, labelNewCSR} {
		if line, ok := a.odd[label]; ok {
			a.fail(CSR, "line %d has a certificate request where the server's certificate should be", line)
			return
		}
	}
	a.fail(NoLeaf, "the file has only CA certificates and none for the private key")
}
