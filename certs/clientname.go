package certs

import (
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

var (
	oidSubjectAltName = asn1.ObjectIdentifier{2, 5, 29, 17}              // RFC 5280 section 4.2.1.6
	oidXMPPAddr       = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 8, 5} // id-on-xmppAddr, RFC 6120 section 13.7.1.4
)

// The tags of GeneralName that are looked into, RFC 5280 section 4.2.1.6.
const (
	tagOtherName = 0
	tagURI       = 6
)

// maxAddresses bounds the addresses of one certificate.
const maxAddresses = 64

// xmppAddresses returns the addresses that a certificate gives its owner: every xmppAddr and every URI xmpp:address among the subject alternative names, as they
// are spelled there. The subject is never looked at. The error means that the extension is not what RFC 5280 says.
func xmppAddresses(c *x509.Certificate) ([]string, error) {
	var addresses []string
	for _, e := range c.Extensions {
		if !e.Id.Equal(oidSubjectAltName) {
			continue
		}
		names, err := oneValue(e.Value, asn1.ClassUniversal, asn1.TagSequence)
		for rest := names.Bytes; err == nil && len(rest) > 0; {
			var name asn1.RawValue
			if rest, err = asn1.Unmarshal(rest, &name); err != nil {
				break
			}
			var address string
			if address, err = addressOf(name); address != "" {
				addresses = append(addresses, address)
			}
		}
		if err != nil {
			return nil, err
		}
	}
	if len(addresses) > maxAddresses {
		return nil, fmt.Errorf("%d addresses, at most %d are allowed", len(addresses), maxAddresses)
	}
	return addresses, nil
}

// addressOf returns the address that one GeneralName holds, empty for a name of another kind.
func addressOf(name asn1.RawValue) (string, error) {
	switch {
	case name.Class != asn1.ClassContextSpecific:
		return "", errors.New("something that is no GeneralName")
	case name.Tag == tagURI && !name.IsCompound:
		return uriAddress(string(name.Bytes)), nil
	case name.Tag == tagOtherName && name.IsCompound:
		return otherName(name.Bytes)
	}
	return "", nil
}

// uriAddress returns what follows xmpp: (RFC 5122). A resource, a query or an escape makes it an address that nobody has.
func uriAddress(uri string) string {
	const scheme = "xmpp:"
	if len(uri) < len(scheme) || !strings.EqualFold(uri[:len(scheme)], scheme) {
		return ""
	}
	return uri[len(scheme):]
}

// otherName reads the content of an otherName: type-id, and value in a tag of its own.
func otherName(content []byte) (string, error) {
	var id asn1.ObjectIdentifier
	tagged, err := asn1.Unmarshal(content, &id)
	if err != nil {
		return "", fmt.Errorf("type of an otherName: %w", err)
	}
	if !id.Equal(oidXMPPAddr) {
		return "", nil
	}
	value, err := oneValue(tagged, asn1.ClassContextSpecific, 0)
	if err != nil {
		return "", fmt.Errorf("xmppAddr: %w", err)
	}
	text, err := oneValue(value.Bytes, asn1.ClassUniversal, asn1.TagUTF8String)
	switch {
	case err != nil:
		return "", fmt.Errorf("xmppAddr: %w", err)
	case len(text.Bytes) == 0 || !utf8.Valid(text.Bytes):
		return "", errors.New("xmppAddr: not a text in UTF-8")
	}
	return string(text.Bytes), nil
}

// oneValue reads der that holds exactly one value of this class and tag.
func oneValue(der []byte, class, tag int) (asn1.RawValue, error) {
	var v asn1.RawValue
	rest, err := asn1.Unmarshal(der, &v)
	switch {
	case err != nil:
		return asn1.RawValue{}, err
	case len(rest) > 0:
		return asn1.RawValue{}, errors.New("bytes follow the value")
	case v.Class != class || v.Tag != tag || v.IsCompound != (class != asn1.ClassUniversal || tag == asn1.TagSequence):
		return asn1.RawValue{}, fmt.Errorf("tag %d of class %d, want tag %d of class %d", v.Tag, v.Class, tag, class)
	}
	return v, nil
}
