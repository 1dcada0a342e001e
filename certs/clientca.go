package certs

import (
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"signalbox/internal/link"
	"signalbox/internal/telemetry"
)

// ClientCA holds the authorities that sign the certificates of endpoints, read from one PEM file. All methods may be called concurrently.
type ClientCA struct {
	path string
	pool atomic.Pointer[clientPool] // replaced whole, never nil

	mu      sync.Mutex
	problem error // of the last reading; the authorities of before are in force then
}

// clientPool is what one reading gave.
type clientPool struct {
	certs []*x509.Certificate
	roots *x509.CertPool
}

// NewClientCA reads the file. The error says in one sentence what is wrong and what to do.
func NewClientCA(path string) (*ClientCA, error) {
	p, err := readClientCA(path)
	if err != nil {
		return nil, err
	}
	c := &ClientCA{path: path}
	c.pool.Store(p)
	return c, nil
}

// Problem returns why the file could not be put in force when it was last read, or nil.
func (c *ClientCA) Problem() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.problem
}

// Pool returns the authorities in force. It is the same pool until they change.
func (c *ClientCA) Pool() *x509.CertPool { return c.pool.Load().roots }

// refresh reads the file again and tells what is new. A bad file leaves the authorities as they are.
func (c *ClientCA) refresh(log *zap.Logger) {
	p, err := readClientCA(c.path)
	c.mu.Lock()
	defer c.mu.Unlock()
	before := c.problem
	c.problem = err
	switch {
	case err != nil && (before == nil || before.Error() != err.Error()):
		log.Warn("authorities of client certificates refused, the old ones stay", telemetry.File(c.path), telemetry.Cause(err))
	case err == nil && !slices.EqualFunc(p.certs, c.pool.Load().certs, (*x509.Certificate).Equal):
		c.pool.Store(p)
		log.Info("authorities of client certificates loaded", telemetry.File(c.path), telemetry.Count(len(p.certs)))
	}
}

func readClientCA(path string) (*clientPool, error) {
	data, _, problem := readFile(path)
	if problem != nil {
		return nil, fmt.Errorf("%s: %s; give a PEM file with the certificates of the authorities that sign those of endpoints", path, problem.Detail)
	}
	if len(data) > MaxFile {
		return nil, fmt.Errorf("%s: the file is larger than %d bytes; leave only the authorities in it", path, MaxFile)
	}
	blocks, _, problems := scanPEM(path, plainText(data))
	if len(problems) > 0 {
		return nil, fmt.Errorf("%s: %s; copy it again, whole", path, problems[0].Detail)
	}
	p := &clientPool{roots: x509.NewCertPool()}
	for _, b := range blocks {
		cert, err := authority(b)
		if err != nil {
			return nil, fmt.Errorf("%s: line %d: %w", path, b.line, err)
		}
		p.certs = append(p.certs, cert)
		p.roots.AddCert(cert)
	}
	if len(p.certs) == 0 {
		return nil, fmt.Errorf("%s: there is no certificate in PEM in it; convert a DER file: openssl x509 -inform der -in ca.der -out ca.pem", path)
	}
	return p, nil
}

// authority reads a block that must be the certificate of an authority.
func authority(b block) (*x509.Certificate, error) {
	switch {
	case strings.Contains(b.label, "PRIVATE KEY"):
		return nil, errors.New("a private key, which has no place here; remove it, and take it for known if others can read the file")
	case b.label != "CERTIFICATE":
		return nil, fmt.Errorf("a block %q, which is no certificate; remove it", b.label)
	}
	cert, err := x509.ParseCertificate(b.der)
	switch {
	case err != nil:
		return nil, fmt.Errorf("the certificate cannot be read (%w); copy it again from its source", err)
	case !cert.BasicConstraintsValid || !cert.IsCA:
		return nil, fmt.Errorf("the certificate of %s is not that of an authority; give the one that signed it", cert.Subject)
	}
	return cert, nil
}

// Verify checks the certificates that a client showed, its own first, against the authorities alone, and returns what its own one says. It must have the extended
// key usage clientAuth by name. The error says why it counts for nothing.
func (c *ClientCA) Verify(chain []*x509.Certificate, now time.Time) (link.Client, error) {
	if len(chain) == 0 {
		return link.Client{}, errors.New("no certificate")
	}
	leaf := *chain[0] // it may be shared with other connections
	addresses, err := xmppAddresses(&leaf)
	if err != nil {
		return link.Client{}, fmt.Errorf("subject alternative names: %w", err)
	}
	// Without a subject the names are critical, and crypto/x509 does not know addresses of XMPP. They were read to the end above.
	leaf.UnhandledCriticalExtensions = slices.DeleteFunc(slices.Clone(leaf.UnhandledCriticalExtensions), oidSubjectAltName.Equal)
	if !slices.Contains(leaf.ExtKeyUsage, x509.ExtKeyUsageClientAuth) {
		return link.Client{}, errors.New("extended key usage clientAuth is missing")
	}
	between := x509.NewCertPool()
	for _, cert := range chain[1:] {
		between.AddCert(cert)
	}
	opts := x509.VerifyOptions{Roots: c.Pool(), Intermediates: between, CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
	if _, err := leaf.Verify(opts); err != nil {
		return link.Client{}, err
	}
	return link.Client{Leaf: sha256.Sum256(leaf.Raw), Addresses: addresses}, nil
}
