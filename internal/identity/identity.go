// Package identity is the long-term key of a server or an endpoint: what it signs is known to come from it, whatever certificate the connection shows and whoever carries it.
package identity

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"strings"
)

// Sizes in bytes.
const (
	PublicBytes    = ed25519.PublicKeySize
	SignatureBytes = ed25519.SignatureSize
)

// publicPrefix begins the text of a public key, so that it is told from other keys and from those of a later kind.
const publicPrefix = "sbk1:"

// Key is a private key (Ed25519, RFC 8032). The zero value is none and must not sign. It may be used concurrently.
type Key struct{ private ed25519.PrivateKey }

// Public is a public key. The zero value is none and verifies nothing. Keys are equal if they are ==.
type Public struct{ key [PublicBytes]byte }

// Generate makes a key that is kept nowhere.
func Generate() Key {
	seed := make([]byte, ed25519.SeedSize)
	rand.Read(seed) // never fails, see crypto/rand
	return fromSeed(seed)
}

func fromSeed(seed []byte) Key { return Key{private: ed25519.NewKeyFromSeed(seed)} }

// IsZero reports whether there is no key.
func (k Key) IsZero() bool { return k.private == nil }

// Public returns the public key; the zero Public for the zero Key.
func (k Key) Public() Public {
	var p Public
	if !k.IsZero() {
		copy(p.key[:], k.private.Public().(ed25519.PublicKey))
	}
	return p
}

// Sign returns SignatureBytes that Verify accepts for the same purpose and data alone. purpose is a constant of the program without NUL bytes, of its own for each kind of data,
// so that no signature can be used as one of another kind.
func (k Key) Sign(purpose string, data []byte) []byte {
	return ed25519.Sign(k.private, message(purpose, data))
}

// Verify reports whether sig is the signature of data for this purpose by the key that p belongs to.
func (p Public) Verify(purpose string, data, sig []byte) bool {
	return !p.IsZero() && len(sig) == SignatureBytes && ed25519.Verify(p.key[:], message(purpose, data), sig)
}

// message is purpose, NUL, data: as no purpose has a NUL, none is the beginning of another.
func message(purpose string, data []byte) []byte {
	b := make([]byte, 0, len(purpose)+1+len(data))
	b = append(append(b, purpose...), 0)
	return append(b, data...)
}

// Equal reports whether two keys are the same.
func (p Public) Equal(other Public) bool { return p == other }

// IsZero reports whether there is no key.
func (p Public) IsZero() bool { return p == Public{} }

// String returns the key as text: "sbk1:" and 43 characters of base64url (RFC 4648 section 5) without padding; nothing for the zero Public.
func (p Public) String() string {
	if p.IsZero() {
		return ""
	}
	return publicPrefix + base64.RawURLEncoding.EncodeToString(p.key[:])
}

var errPublic = errors.New(`is no public key: "sbk1:" and 43 characters of base64url`)

// ParsePublic reads what String returns, in exactly that spelling. The error continues a sentence that begins with the name of what was read.
func ParsePublic(text string) (Public, error) {
	var p Public
	encoded, ok := strings.CutPrefix(text, publicPrefix)
	if !ok || len(encoded) != base64.RawURLEncoding.EncodedLen(PublicBytes) {
		return Public{}, errPublic
	}
	if n, err := base64.RawURLEncoding.Strict().Decode(p.key[:], []byte(encoded)); err != nil || n != PublicBytes || p.IsZero() {
		return Public{}, errPublic
	}
	return p, nil
}

// AppendText implements encoding.TextAppender, and with it JSON: a text as String returns it.
func (p Public) AppendText(b []byte) ([]byte, error) { return append(b, p.String()...), nil }

// MarshalText implements encoding.TextMarshaler.
func (p Public) MarshalText() ([]byte, error) { return p.AppendText(nil) }

// UnmarshalText implements encoding.TextUnmarshaler: what ParsePublic reads, and nothing as the zero Public.
func (p *Public) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		*p = Public{}
		return nil
	}
	read, err := ParsePublic(string(text))
	if err == nil {
		*p = read
	}
	return err
}
