package identity

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"errors"
)

// Mechanism is the SASL mechanism by which an endpoint logs in with its key (docs/PROTOCOL.md). The endpoint says who it is (Hello), the server signs that with a nonce of its
// own (Challenge), and the endpoint, once it has verified that, signs the same (Answer). Both sign what the TLS connection is bound to, so that nothing of a login is of use on
// another connection, and nothing that is secret is ever sent.
const Mechanism = "SIGNALBOX-KEY"

// What a login is bound to.
const (
	BoundExporter = "tls-exporter" // the keying material of RFC 9266
	Unbound       = "none"         // TLS is opened on the way, and the endpoint's policy lets it log in all the same
)

// Bounds of the texts in messages.
const (
	nonceBytes   = 32
	maxLoginText = 512 // of an id or a binding
)

// version begins every Hello.
const version = "1"

// separator stands between the fields of a message; no field has it.
const separator = 0

// Errors of messages. They tell which message it was, and no more: it was written by a stranger.
var (
	errHello     = errors.New("first message of a login by key is malformed")
	errChallenge = errors.New("challenge of a login by key is malformed")
	errAnswer    = errors.New("answer of a login by key is malformed")
)

// Nonce returns 256 random bits as 43 characters of base64url.
func Nonce() string {
	b := make([]byte, nonceBytes)
	rand.Read(b) // never fails, see crypto/rand
	return base64.RawURLEncoding.EncodeToString(b)
}

// Hello is the endpoint's first message.
type Hello struct {
	Binding string // BoundExporter or Unbound
	ID      string // of the endpoint
	Nonce   string // as Nonce makes it
}

// Encode returns the message: "1", the binding, the id and the nonce, with NUL in between.
func (h Hello) Encode() []byte { return join(version, h.Binding, h.ID, h.Nonce) }

// ParseHello reads what Encode returns.
func ParseHello(message []byte) (Hello, error) {
	f, ok := split(message, 4)
	if !ok || f[0] != version || f[1] != BoundExporter && f[1] != Unbound || f[2] == "" || !ValidNonce(f[3]) {
		return Hello{}, errHello
	}
	return Hello{Binding: f[1], ID: f[2], Nonce: f[3]}, nil
}

// Challenge is the server's answer to a Hello.
type Challenge struct {
	Nonce     string // as Nonce makes it
	Server    Public
	Signature []byte // of Statement.SignServer
}

// Encode returns the message: the nonce, the key as text and the signature in base64url, with NUL in between.
func (c Challenge) Encode() []byte {
	return join(c.Nonce, c.Server.String(), base64.RawURLEncoding.EncodeToString(c.Signature))
}

// ParseChallenge reads what Encode returns.
func ParseChallenge(message []byte) (Challenge, error) {
	f, ok := split(message, 3)
	if !ok || !ValidNonce(f[0]) {
		return Challenge{}, errChallenge
	}
	server, err := ParsePublic(f[1])
	if err != nil {
		return Challenge{}, errChallenge
	}
	sig, ok := parseSignature(f[2])
	if !ok {
		return Challenge{}, errChallenge
	}
	return Challenge{Nonce: f[0], Server: server, Signature: sig}, nil
}

// EncodeAnswer returns the endpoint's last message, the signature of Statement.SignEndpoint in base64url.
func EncodeAnswer(sig []byte) []byte { return base64.RawURLEncoding.AppendEncode(nil, sig) }

// ParseAnswer reads what EncodeAnswer returns.
func ParseAnswer(message []byte) ([]byte, error) {
	sig, ok := parseSignature(string(message))
	if !ok {
		return nil, errAnswer
	}
	return sig, nil
}

// parseSignature reads base64url; false: it is none of a signature.
func parseSignature(text string) (sig []byte, ok bool) {
	if !isBase64(text, SignatureBytes) {
		return nil, false
	}
	sig, err := base64.RawURLEncoding.DecodeString(text)
	return sig, err == nil
}

// ValidNonce reports whether text is as Nonce makes it.
func ValidNonce(text string) bool { return isBase64(text, nonceBytes) }

func join(fields ...string) []byte {
	var b []byte
	for i, f := range fields {
		if i > 0 {
			b = append(b, separator)
		}
		b = append(b, f...)
	}
	return b
}

// split returns the fields of a message that must have so many, none too long.
func split(message []byte, fields int) ([]string, bool) {
	parts := bytes.SplitN(message, []byte{separator}, fields+1)
	if len(parts) != fields {
		return nil, false
	}
	texts := make([]string, fields)
	for i, p := range parts {
		if len(p) > maxLoginText {
			return nil, false
		}
		texts[i] = string(p)
	}
	return texts, true
}
