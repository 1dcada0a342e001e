package webhook

import (
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// How keys are written, Standard Webhooks, "Signature scheme".
const (
	prefixSecret  = "whsec_" // of a secret that both sides have
	prefixPrivate = "whsk_"  // of a private ed25519 key, the seed or seed and public key
	prefixPublic  = "whpk_"
)

// Scheme is a way to sign.
type Scheme string

// The schemes of Standard Webhooks: v1 and v1a.
const (
	HMAC    Scheme = "hmac"
	Ed25519 Scheme = "ed25519"
)

const (
	newSecretBytes = 32
	minSecretBytes = 24 // as the specification bounds them
	maxSecretBytes = 64
)

// Key signs events.
type Key struct {
	Text    string    `json:"text"` // whsec_... or whsk_...: secret
	Created time.Time `json:"created,omitzero"`
	Expires time.Time `json:"expires,omitzero"` // from when it does not sign any more; zero: it signs on
}

// NewKey makes a key of the scheme.
func NewKey(s Scheme, now time.Time) Key {
	if s == Ed25519 {
		seed := make([]byte, ed25519.SeedSize)
		rand.Read(seed) // never fails, see crypto/rand
		return Key{Text: prefixPrivate + base64.StdEncoding.EncodeToString(ed25519.NewKeyFromSeed(seed)), Created: now}
	}
	secret := make([]byte, newSecretBytes)
	rand.Read(secret)
	return Key{Text: prefixSecret + base64.StdEncoding.EncodeToString(secret), Created: now}
}

// Scheme returns how the key signs.
func (k Key) Scheme() Scheme {
	if strings.HasPrefix(k.Text, prefixPrivate) {
		return Ed25519
	}
	return HMAC
}

// Public returns the whpk_... with which a receiver verifies; empty for a secret that both sides have.
func (k Key) Public() string {
	private, err := k.private()
	if err != nil {
		return ""
	}
	public, _ := private.Public().(ed25519.PublicKey) // it is one
	return prefixPublic + base64.StdEncoding.EncodeToString(public)
}

// check says what is wrong with the text of a key, without telling it.
func (k Key) check() error {
	if k.Scheme() == Ed25519 {
		_, err := k.private()
		return err
	}
	_, err := k.secret()
	return err
}

func (k Key) secret() ([]byte, error) {
	text, ok := strings.CutPrefix(k.Text, prefixSecret)
	secret, err := base64.StdEncoding.DecodeString(text)
	switch {
	case !ok:
		return nil, errors.New("begins neither with whsec_ nor with whsk_")
	case err != nil:
		return nil, errors.New("is not base64 behind whsec_")
	case len(secret) < minSecretBytes || len(secret) > maxSecretBytes:
		return nil, fmt.Errorf("has %d bytes, %d to %d are allowed", len(secret), minSecretBytes, maxSecretBytes)
	}
	return secret, nil
}

func (k Key) private() (ed25519.PrivateKey, error) {
	text, ok := strings.CutPrefix(k.Text, prefixPrivate)
	b, err := base64.StdEncoding.DecodeString(text)
	switch {
	case !ok:
		return nil, errors.New("does not begin with whsk_")
	case err != nil:
		return nil, errors.New("is not base64 behind whsk_")
	case len(b) == ed25519.SeedSize:
		return ed25519.NewKeyFromSeed(b), nil
	case len(b) != ed25519.PrivateKeySize || !ed25519.NewKeyFromSeed(b[:ed25519.SeedSize]).Equal(ed25519.PrivateKey(b)):
		return nil, errors.New("is no ed25519 key behind whsk_: it has the 32 bytes of the seed, or those and the public key")
	}
	return ed25519.PrivateKey(b), nil
}

// sign returns one signature of the header webhook-signature.
func (k Key) sign(content []byte) (string, error) {
	if k.Scheme() == Ed25519 {
		private, err := k.private()
		if err != nil {
			return "", err
		}
		return "v1a," + base64.StdEncoding.EncodeToString(ed25519.Sign(private, content)), nil
	}
	secret, err := k.secret()
	if err != nil {
		return "", err
	}
	mac := hmac.New(sha256.New, secret)
	mac.Write(content) // never fails
	return "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil)), nil
}

// signatures is the header webhook-signature: one signature by each key that has not expired at now, the newest first.
func signatures(keys []Key, id string, now time.Time, body []byte) (string, error) {
	content := append(fmt.Appendf(nil, "%s.%d.", id, now.Unix()), body...)
	var all []string
	for _, k := range keys {
		if !k.Expires.IsZero() && !now.Before(k.Expires) {
			continue
		}
		s, err := k.sign(content)
		if err != nil {
			return "", fmt.Errorf("sign with a key of %s: %w", k.Created.Format(time.DateOnly), err)
		}
		all = append(all, s)
	}
	if len(all) == 0 {
		return "", errors.New("there is no key to sign with")
	}
	return strings.Join(all, " "), nil
}

// Expired reports whether the key signs no more at now.
func (k Key) Expired(now time.Time) bool { return !k.Expires.IsZero() && !now.Before(k.Expires) }

// Signing returns the keys that sign at now.
func (w Webhook) Signing(now time.Time) []Key {
	return slices.DeleteFunc(slices.Clone(w.Keys), func(k Key) bool { return k.Expired(now) })
}

// rotate puts a key before the others, which go on signing for a time.
func rotate(keys []Key, made Key, now time.Time, keep time.Duration) []Key {
	end := now.Add(keep)
	all := []Key{made}
	for _, k := range keys {
		if k.Expires.IsZero() || k.Expires.After(end) {
			k.Expires = end
		}
		if k.Expires.After(now) && len(all) < MaxKeys {
			all = append(all, k)
		}
	}
	return all
}
