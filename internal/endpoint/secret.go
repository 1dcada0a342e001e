package endpoint

import (
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"hash"

	"signalbox/internal/identity"
)

// The names under which Secret keeps its SCRAM keys.
const (
	ScramSHA256 = "SCRAM-SHA-256" // RFC 7677; every secret has them, but for those that came from another server
	ScramSHA1   = "SCRAM-SHA-1"   // RFC 5802, for old clients; secrets of earlier versions have none
)

const (
	scramIterations = 4096 // RFC 7677 section 4
	saltBytes       = 16
	// MaxSecretBytes bounds a secret that somebody chooses.
	MaxSecretBytes = 1024
	// MinSecretBytes is the shortest secret that somebody may choose.
	MinSecretBytes = 6
)

// ErrSecret says that a secret cannot be used. Errors of NewSecret wrap it.
var ErrSecret = errors.New("invalid secret")

// ScramKeys is what a server keeps of a password for one SCRAM hash, RFC 5802 section 3.
type ScramKeys struct {
	Salt       []byte `json:"salt"`
	Iterations int    `json:"iterations"`
	StoredKey  []byte `json:"stored_key"`
	ServerKey  []byte `json:"server_key"`
}

// Secret is what is kept of an endpoint's secret, or the key of one that enrolled; the secret itself is never stored.
type Secret struct {
	Scram map[string]ScramKeys `json:"scram"`          // by mechanism name without -PLUS
	Fast  []byte               `json:"fast,omitempty"` // SHA-256 of a machine-made secret, whose 128 bits and more need no slow hash

	Key identity.Public `json:"key,omitzero"` // of an endpoint that enrolled, by which it logs in; zero: none
}

// NewSecret derives what is kept of a secret that a person or another system chose. It costs two PBKDF2, about 3 ms.
func NewSecret(secret string) (Secret, error) {
	if err := CheckSecret(secret); err != nil {
		return Secret{}, err
	}
	kept := Secret{Scram: make(map[string]ScramKeys, 2)}
	for name, h := range map[string]func() hash.Hash{ScramSHA256: sha256.New, ScramSHA1: sha1.New} {
		keys, err := deriveScram(h, secret)
		if err != nil {
			return Secret{}, fmt.Errorf("derive keys of %s: %w", name, err)
		}
		kept.Scram[name] = keys
	}
	return kept, nil
}

// CheckSecret reports why nobody may choose this secret, with ErrSecret.
func CheckSecret(secret string) error {
	if n := len(secret); n < MinSecretBytes || n > MaxSecretBytes {
		return fmt.Errorf("%w: %d bytes, %d to %d are allowed", ErrSecret, n, MinSecretBytes, MaxSecretBytes)
	}
	for i := range len(secret) {
		if secret[i] < 0x21 || secret[i] > 0x7e {
			return fmt.Errorf("%w: byte %d is not printable ASCII, for which SASL clients prepare strings alike", ErrSecret, i)
		}
	}
	return nil
}

// GenerateSecret makes a secret of 192 random bits and what is kept of it, with the fast verifier.
func GenerateSecret() (string, Secret, error) {
	var b [24]byte
	rand.Read(b[:]) // never fails, see crypto/rand
	text := base64.RawURLEncoding.EncodeToString(b[:])
	s, err := NewSecret(text)
	if err != nil {
		return "", Secret{}, err
	}
	sum := sha256.Sum256([]byte(text))
	s.Fast = sum[:]
	return text, s, nil
}

// VerifyFast compares password with the fast verifier; ok is false where the secret has none.
func (s Secret) VerifyFast(password []byte) (match, ok bool) {
	if len(s.Fast) != sha256.Size {
		return false, false
	}
	sum := sha256.Sum256(password)
	return subtle.ConstantTimeCompare(sum[:], s.Fast) == 1, true
}

// Mark returns 32 bytes that tell this secret from every other one, and from the same secret set again.
func (s Secret) Mark() []byte {
	h := sha256.New()
	for _, name := range [...]string{ScramSHA256, ScramSHA1} {
		for _, part := range [...][]byte{s.Scram[name].Salt, s.Scram[name].StoredKey} {
			h.Write([]byte{byte(len(part))})
			h.Write(part)
		}
	}
	h.Write([]byte(s.Key.String())) // nothing where there is none
	return h.Sum(nil)
}

func deriveScram(h func() hash.Hash, secret string) (ScramKeys, error) {
	salt := make([]byte, saltBytes)
	rand.Read(salt)
	salted, err := pbkdf2.Key(h, secret, salt, scramIterations, h().Size())
	if err != nil {
		return ScramKeys{}, err
	}
	stored := h()
	stored.Write(sign(h, salted, "Client Key"))
	return ScramKeys{Salt: salt, Iterations: scramIterations, StoredKey: stored.Sum(nil), ServerKey: sign(h, salted, "Server Key")}, nil
}

func sign(h func() hash.Hash, key []byte, text string) []byte {
	m := hmac.New(h, key)
	m.Write([]byte(text))
	return m.Sum(nil)
}
