package certs

import (
	"crypto"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"fmt"
	"time"
)

// Options say what a bundle has to fulfil. The zero value asks for any name and the system's roots.
type Options struct {
	// Domain is the name that the leaf must cover, in ASCII form; empty asks for none.
	Domain string
	// AllowSelfSigned makes a self-signed leaf a warning.
	AllowSelfSigned bool
	// Roots are consulted when the bundle has no root; nil means the system's.
	Roots *x509.CertPool
}

// Parse reads and judges a bundle. Path is only told in messages. If anything fatal is wrong, the error is an [Errors]
// with all of it and the bundle is nil. A bundle that is expired or not yet valid at now is returned: ask [Bundle.Problem].
func Parse(path string, data []byte, now time.Time, opts Options) (*Bundle, error) {
	a := analyse(path, data, now, opts)
	if err := a.fatal.orNil(); err != nil {
		return nil, err
	}
	return newBundle(a), nil
}

// analysis is all that is known about one file, filled step by step; later steps are left out when an earlier one found
// nothing to work on.
type analysis struct {
	path string
	now  time.Time
	opts Options

	fatal    Errors
	warnings Errors

	keys  []crypto.Signer
	certs []*x509.Certificate
	odd   map[string]int // lines of blocks that are neither a key nor a certificate, by label

	leaf  *x509.Certificate
	chain []*x509.Certificate // intermediates, the leaf's issuer first
	root  *x509.Certificate
}

func analyse(path string, data []byte, now time.Time, opts Options) *analysis {
	a := &analysis{path: path, now: now, opts: opts, odd: map[string]int{}}
	a.opts.Domain = foldName(opts.Domain)
	a.read(data)
	if a.findLeaf(); a.leaf == nil {
		return a
	}
	a.checkLeaf()
	a.findChain()
	return a
}

func (a *analysis) fail(code Code, format string, args ...any) {
	a.fatal = append(a.fatal, newError(a.path, code, fmt.Sprintf(format, args...)))
}

func (a *analysis) warn(code Code, format string, args ...any) {
	e := newError(a.path, code, fmt.Sprintf(format, args...))
	e.Severity = Warning
	a.warnings = append(a.warnings, e)
}

// read sorts the file's blocks into keys, certificates and the rest.
func (a *analysis) read(data []byte) {
	if len(data) > MaxFile {
		a.fail(TooLarge, "the file is larger than %d bytes", MaxFile)
		return
	}
	text := plainText(data)
	blocks, glued, problems := scanPEM(a.path, text)
	a.fatal = append(a.fatal, problems...)
	if len(blocks) == 0 && len(problems) == 0 {
		a.fatal = append(a.fatal, notPEM(a.path, data, text))
		return
	}
	if glued {
		a.warn(Repaired, "files were joined without a newline between them")
	}
	for _, b := range blocks {
		a.readBlock(b)
	}
}

func (a *analysis) readBlock(b block) {
	switch b.label {
	case "PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY":
		if b.encrypted {
			a.odd[labelEncrypted] = b.line
			return
		}
		a.readKey(b)
	case "CERTIFICATE", "X509 CERTIFICATE":
		a.readCertificate(b, b.der)
	case "TRUSTED CERTIFICATE": // openssl's own: a certificate with trust settings behind it
		var first asn1.RawValue
		if _, err := asn1.Unmarshal(b.der, &first); err != nil {
			a.fail(CorruptBlock, "the block at line %d (%s) is damaged: %v", b.line, b.label, err)
			return
		}
		a.readCertificate(b, first.FullBytes)
	case "EC PARAMETERS", "DH PARAMETERS": // openssl writes them beside keys; nothing is lost without them
	default:
		a.odd[b.label] = b.line
	}
}

const (
	// maxKeyDER holds an RSA key of 16384 bits; beyond, checking a key takes too long.
	maxKeyDER  = 16 << 10
	maxRSABits = 16384
)

func (a *analysis) readKey(b block) {
	if len(b.der) > maxKeyDER {
		a.fail(UnsupportedKey, "the private key at line %d is too large", b.line)
		return
	}
	key, err := parseKey(b.der)
	if err != nil {
		a.fail(UnsupportedKey, "the private key at line %d cannot be used: %v", b.line, err)
		return
	}
	for _, k := range a.keys {
		if samePublic(k.Public(), key.Public()) {
			return
		}
	}
	a.keys = append(a.keys, key)
}

func (a *analysis) readCertificate(b block, der []byte) {
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		a.fail(CorruptBlock, "the certificate at line %d is damaged: %v", b.line, err)
		return
	}
	if k, ok := cert.PublicKey.(*rsa.PublicKey); ok && k.N.BitLen() > maxRSABits {
		a.fail(UnsupportedKey, "the certificate at line %d has a key of more than %d bits", b.line, maxRSABits)
		return
	}
	for _, c := range a.certs {
		if c.Equal(cert) {
			return
		}
	}
	a.certs = append(a.certs, cert)
}
