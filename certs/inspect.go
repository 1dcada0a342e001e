package certs

import (
	"crypto/x509"
	"slices"
	"time"
)

// Role says what a certificate is in its bundle.
type Role string

// The roles. Unused is a certificate that the chain does without.
const (
	RoleLeaf         Role = "leaf"
	RoleIntermediate Role = "intermediate"
	RoleRoot         Role = "root"
	RoleUnused       Role = "unused"
)

// Inspection is what is in a bundle, good or bad, and whether endpoints will accept it.
type Inspection struct {
	Path string `json:"path"`
	// Accepted means that nothing is wrong at the time of the inspection; warnings do not count.
	Accepted bool `json:"accepted"`
	// Key is the type of the private key; empty if there is none.
	Key          string            `json:"key,omitempty"`
	Certificates []CertificateInfo `json:"certificates"`
	Problems     Errors            `json:"problems"`
	Warnings     Errors            `json:"warnings"`
}

// CertificateInfo describes one certificate.
type CertificateInfo struct {
	Role      Role      `json:"role"`
	Subject   string    `json:"subject"`
	Issuer    string    `json:"issuer"`
	Names     []string  `json:"names,omitempty"`
	NotBefore time.Time `json:"not_before"`
	NotAfter  time.Time `json:"not_after"`
	Key       string    `json:"key"`
	Signature string    `json:"signature"`
	Fingerprint
}

// Inspect describes the bundle. It never fails: what is wrong is in Problems.
func Inspect(path string, data []byte, now time.Time, opts Options) Inspection {
	a := analyse(path, data, now, opts)
	in := Inspection{
		Path:         path,
		Certificates: []CertificateInfo{}, // none is [] in JSON, also below
		Problems:     append(Errors{}, a.fatal...),
		Warnings:     append(Errors{}, a.warnings...),
	}
	if len(a.keys) == 1 {
		in.Key = keyType(a.keys[0].Public())
	}
	for _, c := range a.ordered() {
		in.Certificates = append(in.Certificates, describe(c, a.role(c)))
		if a.leaf != nil && (c == a.leaf || slices.Contains(a.chain, c)) {
			if e := periodProblem(path, c, now); e != nil {
				in.Problems = append(in.Problems, e)
			}
		}
	}
	in.Accepted = len(in.Problems) == 0
	return in
}

// InspectFile is Inspect for a file; that it cannot be read is one of the problems.
func InspectFile(path string, now time.Time, opts Options) Inspection {
	data, warnings, problem := readFile(path)
	if problem != nil {
		return Inspection{Path: path, Certificates: []CertificateInfo{}, Problems: Errors{problem}, Warnings: Errors{}}
	}
	in := Inspect(path, data, now, opts)
	in.Warnings = append(in.Warnings, warnings...)
	return in
}

// ordered returns the certificates as they would be sent, then the root, then the rest as it stands in the file.
func (a *analysis) ordered() []*x509.Certificate {
	var list []*x509.Certificate
	for _, c := range slices.Concat([]*x509.Certificate{a.leaf}, a.chain, []*x509.Certificate{a.root}, a.certs) {
		if c != nil && !slices.Contains(list, c) {
			list = append(list, c)
		}
	}
	return list
}

// role tells a certificate's place in the path, or what it looks like where there is no path.
func (a *analysis) role(c *x509.Certificate) Role {
	switch {
	case c == a.leaf:
		return RoleLeaf
	case c == a.root:
		return RoleRoot
	case slices.Contains(a.chain, c):
		return RoleIntermediate
	case a.leaf != nil:
		return RoleUnused
	case !c.IsCA:
		return RoleLeaf
	case isSelfSigned(c):
		return RoleRoot
	}
	return RoleIntermediate
}

func describe(c *x509.Certificate, role Role) CertificateInfo {
	return CertificateInfo{
		Role:        role,
		Subject:     c.Subject.String(),
		Issuer:      c.Issuer.String(),
		Names:       certNames(c),
		NotBefore:   c.NotBefore.UTC(),
		NotAfter:    c.NotAfter.UTC(),
		Key:         keyType(c.PublicKey),
		Signature:   c.SignatureAlgorithm.String(),
		Fingerprint: Fingerprints(c),
	}
}
