// Package scram is the client's side of SCRAM (RFC 5802) for load generators: what is derived from a password is kept, so that the slow hash of thousands of logins is
// not the work of whoever measures.
package scram

import (
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"hash"
	"strconv"
	"strings"
	"sync"
)

// salted is what is derived from a password once per salt, which RFC 5802 section 5.1 allows to keep.
type salted struct {
	client, stored, server []byte
}

// Keychain derives the keys of one password once. It is safe for concurrent use.
type Keychain struct {
	password string

	mu   sync.Mutex
	kept map[string]salted
}

// NewKeychain returns one for a password, which must be such that SASLprep leaves it as it is.
func NewKeychain(password string) *Keychain {
	return &Keychain{password: password, kept: map[string]salted{}}
}

func (k *Keychain) keys(h func() hash.Hash, salt []byte, rounds int) (salted, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	name := fmt.Sprint(h().Size(), rounds, " ", string(salt))
	if s, ok := k.kept[name]; ok {
		return s, nil
	}
	password, err := pbkdf2.Key(h, k.password, salt, rounds, h().Size())
	if err != nil {
		return salted{}, err
	}
	client := sum(h, password, "Client Key")
	stored := h()
	stored.Write(client)
	s := salted{client: client, stored: stored.Sum(nil), server: sum(h, password, "Server Key")}
	k.kept[name] = s
	return s, nil
}

func sum(h func() hash.Hash, key []byte, text string) []byte {
	m := hmac.New(h, key)
	m.Write([]byte(text))
	return m.Sum(nil)
}

// Mechanism is the one that Exchange speaks.
const Mechanism = "SCRAM-SHA-256"

// Exchange is one login by SCRAM-SHA-256 without channel binding, RFC 5802 section 5 and RFC 7677.
type Exchange struct {
	keys      *Keychain
	firstBare string
	nonce     string
	signature []byte // that the server must prove
}

// NewExchange begins a login.
func NewExchange(keys *Keychain) *Exchange { return &Exchange{keys: keys} }

// First returns the first message for a user whose name needs no escapes.
func (x *Exchange) First(user string) string {
	var b [18]byte
	rand.Read(b[:]) // never fails, see crypto/rand
	x.nonce = base64.StdEncoding.EncodeToString(b[:])
	x.firstBare = "n=" + user + ",r=" + x.nonce
	return "n,," + x.firstBare
}

// Final answers the server's challenge.
func (x *Exchange) Final(challenge string) (string, error) {
	fields := map[byte]string{}
	for _, f := range strings.Split(challenge, ",") {
		if len(f) > 2 {
			fields[f[0]] = f[2:]
		}
	}
	salt, err := base64.StdEncoding.DecodeString(fields['s'])
	if err != nil {
		return "", fmt.Errorf("salt: %w", err)
	}
	rounds, err := strconv.Atoi(fields['i'])
	if err != nil || !strings.HasPrefix(fields['r'], x.nonce) {
		return "", fmt.Errorf("challenge %q", challenge)
	}
	keys, err := x.keys.keys(sha256.New, salt, rounds)
	if err != nil {
		return "", err
	}
	bare := "c=biws,r=" + fields['r']
	auth := x.firstBare + "," + challenge + "," + bare
	x.signature = sum(sha256.New, keys.server, auth)
	proof := sum(sha256.New, keys.stored, auth)
	for i := range proof {
		proof[i] ^= keys.client[i]
	}
	return bare + ",p=" + base64.StdEncoding.EncodeToString(proof), nil
}

// Verify checks that the server knows the password, too.
func (x *Exchange) Verify(last string) error {
	v, ok := strings.CutPrefix(last, "v=")
	got, err := base64.StdEncoding.DecodeString(v)
	if !ok || err != nil || !hmac.Equal(got, x.signature) {
		return errors.New("the server did not prove that it knows the password")
	}
	return nil
}
