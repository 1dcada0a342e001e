package access

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

const (
	secretPrefix = "sbx_" // lets scanners for leaked secrets find ours
	secretBytes  = 32
	secretLen    = len(secretPrefix) + (secretBytes*8+5)/6
	tokenPrefix  = "tok_"
	// MaxNameBytes bounds the name of a token.
	MaxNameBytes = 64
)

// ErrTokenRequest says that a token with this name or these scopes cannot be. Errors of Create wrap it, once per mistake, after the field's name.
var ErrTokenRequest = errors.New("not usable")

func newSecret() string {
	b := make([]byte, secretBytes)
	rand.Read(b) // never fails, see crypto/rand
	return secretPrefix + base64.RawURLEncoding.EncodeToString(b)
}

// isSecret reports whether text has the form of a secret, so that nothing else costs a look-up.
func isSecret(text string) bool {
	if len(text) != secretLen || !strings.HasPrefix(text, secretPrefix) {
		return false
	}
	for i := len(secretPrefix); i < len(text); i++ {
		if !isBase64URL(text[i]) {
			return false
		}
	}
	return true
}

func isBase64URL(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '_'
}

// hashOf returns the hash of a secret without an allocation, for a text of secretLen.
func hashOf(secret string) [sha256.Size]byte {
	return sha256.Sum256(append(make([]byte, 0, secretLen), secret...))
}

// NewID returns the prefix, such as "tok_", and 26 digits that sort by time: 48 bits of milliseconds and 80 random bits, in base 32.
func NewID(prefix string, now time.Time) string {
	var b [18]byte
	binary.BigEndian.PutUint64(b[:], uint64(now.UnixMilli()))
	rand.Read(b[8:]) // never fails, see crypto/rand
	return prefix + base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz").WithPadding(base32.NoPadding).EncodeToString(b[2:])
}

// checkName refuses what cannot be shown in one line, and names that could be taken for an id.
func checkName(name string) error {
	var mistakes []error
	if n := len(name); n < 1 || n > MaxNameBytes {
		mistakes = append(mistakes, fmt.Errorf("name: %w: %d bytes, 1 to %d are allowed", ErrTokenRequest, n, MaxNameBytes))
	}
	if !utf8.ValidString(name) || strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }) {
		mistakes = append(mistakes, fmt.Errorf("name: %w: it has characters that cannot be printed", ErrTokenRequest))
	}
	if name != strings.TrimSpace(name) {
		mistakes = append(mistakes, fmt.Errorf("name: %w: it begins or ends with a space", ErrTokenRequest))
	}
	if strings.HasPrefix(name, tokenPrefix) {
		mistakes = append(mistakes, fmt.Errorf("name: %w: it begins with %s as an id does", ErrTokenRequest, tokenPrefix))
	}
	return errors.Join(mistakes...)
}

func checkScopes(scopes []Scope) error {
	if len(scopes) == 0 {
		return fmt.Errorf("scopes: %w: at least one of %v is needed", ErrTokenRequest, Scopes())
	}
	var mistakes []error
	for _, s := range scopes {
		if !slices.Contains(Scopes(), s) {
			mistakes = append(mistakes, fmt.Errorf("scopes: %w: %q is not one of %v", ErrTokenRequest, s, Scopes()))
		}
	}
	return errors.Join(mistakes...)
}

// inOrder returns scopes, which are known, each once and in the order of Scopes.
func inOrder(scopes []Scope) []Scope {
	return slices.DeleteFunc(Scopes(), func(s Scope) bool { return !slices.Contains(scopes, s) })
}
