package identity

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"strings"
)

// What a token for an enrolment is made of.
const (
	tokenPrefix      = "sbe_" // lets scanners for leaked secrets find ours
	tokenBytes       = 32
	fingerprintBytes = 16 // of the server's key: nobody finds another key with the same 128 bits
)

// EnrolmentToken is a secret that lets its holder enrol an endpoint, and names the server that made it, so that nobody on the way passes for that server.
type EnrolmentToken struct {
	text        string
	fingerprint [fingerprintBytes]byte
}

// NewEnrolmentToken makes a token for enrolments at the server of this key.
func NewEnrolmentToken(server Public) EnrolmentToken {
	secret := make([]byte, tokenBytes)
	rand.Read(secret) // never fails, see crypto/rand
	t := EnrolmentToken{fingerprint: fingerprint(server)}
	t.text = tokenPrefix + base64.RawURLEncoding.EncodeToString(secret) + "." + base64.RawURLEncoding.EncodeToString(t.fingerprint[:])
	return t
}

var errToken = errors.New("is no enrolment token as signalbox enrolment create prints it")

// ParseEnrolmentToken reads what String returns. The error continues a sentence and does not show the text.
func ParseEnrolmentToken(text string) (EnrolmentToken, error) {
	secret, fp, ok := strings.Cut(strings.TrimPrefix(text, tokenPrefix), ".")
	if !ok || !strings.HasPrefix(text, tokenPrefix) || !isBase64(secret, tokenBytes) || !isBase64(fp, fingerprintBytes) {
		return EnrolmentToken{}, errToken
	}
	t := EnrolmentToken{text: text}
	_, _ = base64.RawURLEncoding.Decode(t.fingerprint[:], []byte(fp)) // which is base64 of this length
	return t, nil
}

// String returns the token, which is secret.
func (t EnrolmentToken) String() string { return t.text }

// Hash is what a server keeps of a token.
func (t EnrolmentToken) Hash() [sha256.Size]byte { return sha256.Sum256([]byte(t.text)) }

// Names reports whether the token was made by the server of this key.
func (t EnrolmentToken) Names(server Public) bool {
	fp := fingerprint(server)
	return !server.IsZero() && subtle.ConstantTimeCompare(fp[:], t.fingerprint[:]) == 1
}

func fingerprint(server Public) (fp [fingerprintBytes]byte) {
	sum := sha256.Sum256(server.key[:])
	copy(fp[:], sum[:])
	return fp
}

// isBase64 reports whether text is the one spelling of so many bytes in base64url.
func isBase64(text string, bytes int) bool {
	if len(text) != base64.RawURLEncoding.EncodedLen(bytes) {
		return false
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(text)
	return err == nil && len(b) == bytes
}
