package certs

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"path/filepath"
	"sync"
	"time"
)

// Bundle is a good key with its chain. It is immutable and safe for concurrent use.
type Bundle struct {
	// Path is where it came from.
	Path string
	// Names are the host names and addresses that it covers, folded to lower case.
	Names []string
	// Certificate is the leaf, Intermediates follow it on the wire, the leaf's issuer first. Root is nil if the file has none.
	Certificate   *x509.Certificate
	Intermediates []*x509.Certificate
	Root          *x509.Certificate
	// NotBefore and NotAfter bound the time in which everything that is sent is valid: the shortest of leaf and
	// intermediates, because endpoints refuse an expired intermediate as well.
	NotBefore, NotAfter time.Time
	// Leaf is what connections remember of it.
	Leaf *Leaf
	// Warnings stop nothing.
	Warnings Errors

	source [sha256.Size]byte // hash of the file's bytes
	cert   tls.Certificate

	mu      sync.Mutex
	configs map[*Policy]*tls.Config // guarded by mu
}

func newBundle(a *analysis) *Bundle {
	b := &Bundle{
		Path:          a.path,
		Names:         certNames(a.leaf),
		Certificate:   a.leaf,
		Intermediates: a.chain,
		Root:          a.root,
		Leaf:          newLeaf(a.leaf),
		Warnings:      a.warnings,
		cert:          tls.Certificate{PrivateKey: a.keys[0], Leaf: a.leaf},
		configs:       map[*Policy]*tls.Config{},
	}
	b.NotBefore, b.NotAfter = a.leaf.NotBefore, a.leaf.NotAfter
	for _, c := range b.sent() {
		b.cert.Certificate = append(b.cert.Certificate, c.Raw)
		b.NotBefore, b.NotAfter = later(b.NotBefore, c.NotBefore), earlier(b.NotAfter, c.NotAfter)
	}
	return b
}

// sent returns what goes over the wire.
func (b *Bundle) sent() []*x509.Certificate {
	return append([]*x509.Certificate{b.Certificate}, b.Intermediates...)
}

// Problem returns why endpoints refuse the bundle at that time: [Expired], [NotYetValid] or nil.
func (b *Bundle) Problem(now time.Time) *Error {
	for _, c := range b.sent() {
		if e := periodProblem(b.Path, c, now); e != nil {
			return e
		}
	}
	return nil
}

// Valid says whether Problem has none.
func (b *Bundle) Valid(now time.Time) bool {
	return !now.Before(b.NotBefore) && !now.After(b.NotAfter)
}

func periodProblem(path string, c *x509.Certificate, now time.Time) *Error {
	switch {
	case now.After(c.NotAfter):
		return newError(path, Expired, fmt.Sprintf("the certificate %s expired on %s", title(c), day(c.NotAfter)))
	case now.Before(c.NotBefore):
		return newError(path, NotYetValid, fmt.Sprintf("the certificate %s is not valid before %s", title(c), day(c.NotBefore)))
	}
	return nil
}

// File returns the base name of the path, which labels its metrics.
func (b *Bundle) File() string { return filepath.Base(b.Path) }

// sameAs says whether two bundles behave alike on the wire.
func (b *Bundle) sameAs(o *Bundle) bool {
	if len(b.cert.Certificate) != len(o.cert.Certificate) || b.Path != o.Path {
		return false
	}
	for i, c := range b.sent() {
		if !c.Equal(o.sent()[i]) {
			return false
		}
	}
	return true
}
