package certs

import (
	"bytes"
	"crypto/x509"
	"encoding/asn1"
)

// notPEM names what a file without any PEM block is.
func notPEM(path string, data, text []byte) *Error {
	if len(bytes.TrimSpace(text)) == 0 {
		return newError(path, Empty, "the file is empty")
	}
	if isPFX(data) {
		return newError(path, PFX, "the file is a PFX (PKCS#12) container, not PEM text")
	}
	var outer asn1.RawValue
	if _, err := asn1.Unmarshal(data, &outer); err != nil || !outer.IsCompound || outer.Tag != asn1.TagSequence {
		return newError(path, NoPEM, "the file has no PEM block (-----BEGIN ...-----)")
	}
	what := "a binary (DER) file"
	if _, err := x509.ParseCertificate(data); err == nil {
		what = "a binary (DER) certificate"
	}
	return newError(path, DER, "the file is "+what+", not PEM text")
}

// isPFX looks at the first bytes only: a SEQUENCE, the version 3, another SEQUENCE (RFC 7292 section 4). Windows writes
// it in BER with open lengths, which encoding/asn1 refuses.
func isPFX(data []byte) bool {
	if len(data) < 2 || data[0] != 0x30 {
		return false
	}
	header := 2
	if n := int(data[1]); n > 0x80 {
		header += n & 0x7F
	}
	return len(data) > header && bytes.HasPrefix(data[header:], []byte{0x02, 0x01, 0x03, 0x30})
}
