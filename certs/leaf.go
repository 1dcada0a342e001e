package certs

import (
	"crypto/sha1" //nolint:gosec // a thumbprint that operators compare, not a signature
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"encoding/hex"
	"strings"
)

// Leaf identifies the certificate that a connection was made with. It is shared by all connections of one bundle and
// immutable.
type Leaf struct {
	// SHA256 is the hash of the DER certificate.
	SHA256 [32]byte
	// EndPoint is the channel binding data of type tls-server-end-point (RFC 5929 section 4.1).
	EndPoint []byte
}

func newLeaf(cert *x509.Certificate) *Leaf {
	return &Leaf{SHA256: sha256.Sum256(cert.Raw), EndPoint: endPoint(cert)}
}

// endPoint hashes the certificate with the hash of its signature; MD5 and SHA-1 become SHA-256. RFC 5929 leaves
// signatures without a hash of their own (Ed25519) undefined; SHA-256 stands in for it.
func endPoint(cert *x509.Certificate) []byte {
	switch cert.SignatureAlgorithm {
	case x509.SHA384WithRSA, x509.ECDSAWithSHA384, x509.SHA384WithRSAPSS:
		h := sha512.Sum384(cert.Raw)
		return h[:]
	case x509.SHA512WithRSA, x509.ECDSAWithSHA512, x509.SHA512WithRSAPSS:
		h := sha512.Sum512(cert.Raw)
		return h[:]
	}
	h := sha256.Sum256(cert.Raw)
	return h[:]
}

// Fingerprint holds a certificate's thumbprints, in upper case hexadecimal with colons as openssl prints them.
type Fingerprint struct {
	SHA1   string `json:"sha1"`
	SHA256 string `json:"sha256"`
}

// Fingerprints returns the thumbprints of the DER certificate.
func Fingerprints(cert *x509.Certificate) Fingerprint {
	h1, h256 := sha1.Sum(cert.Raw), sha256.Sum256(cert.Raw) //nolint:gosec // see the import
	return Fingerprint{SHA1: colonHex(h1[:]), SHA256: colonHex(h256[:])}
}

func colonHex(sum []byte) string {
	parts := make([]string, len(sum))
	for i, b := range sum {
		parts[i] = strings.ToUpper(hex.EncodeToString([]byte{b}))
	}
	return strings.Join(parts, ":")
}
