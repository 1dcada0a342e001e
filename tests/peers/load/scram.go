package main

import (
	"bytes"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"hash"
	"strconv"
	"strings"
	"sync"
)

// salted is what is derived from the password once per salt, so that the slow hash of thousands of logins is not the client's work (RFC 5802 section 5.1 allows
// to keep it).
type salted struct {
	client, stored, server []byte
}

// keychain derives keys once. It is safe for concurrent use.
type keychain struct {
	password string

	mu   sync.Mutex
	kept map[string]salted
}

func (k *keychain) keys(h func() hash.Hash, salt []byte, rounds int) (salted, error) {
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

// exchange is one login by SCRAM without channel binding, RFC 5802 section 5.
type exchange struct {
	keys      *keychain
	hash      func() hash.Hash
	firstBare string
	nonce     string
	signature []byte // that the server must prove
}

// mechanism is the one by which all servers are compared.
const mechanism = "SCRAM-SHA-256"

// checkOffered fails where it is not offered: another one would make unlike logins look alike.
func checkOffered(features []byte) error {
	if !bytes.Contains(features, []byte(">"+mechanism+"<")) {
		return fmt.Errorf("%s is not offered: %s", mechanism, features)
	}
	return nil
}

func (x *exchange) first(user string) string {
	var b [18]byte
	rand.Read(b[:]) // never fails, see crypto/rand
	x.nonce = base64.StdEncoding.EncodeToString(b[:])
	x.firstBare = "n=" + user + ",r=" + x.nonce
	return "n,," + x.firstBare
}

// final answers the server's challenge.
func (x *exchange) final(challenge string) (string, error) {
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
	keys, err := x.keys.keys(x.hash, salt, rounds)
	if err != nil {
		return "", err
	}
	bare := "c=biws,r=" + fields['r']
	auth := x.firstBare + "," + challenge + "," + bare
	x.signature = sum(x.hash, keys.server, auth)
	proof := sum(x.hash, keys.stored, auth)
	for i := range proof {
		proof[i] ^= keys.client[i]
	}
	return bare + ",p=" + base64.StdEncoding.EncodeToString(proof), nil
}

// verify checks that the server knows the password, too.
func (x *exchange) verify(last string) error {
	v, ok := strings.CutPrefix(last, "v=")
	got, err := base64.StdEncoding.DecodeString(v)
	if !ok || err != nil || !hmac.Equal(got, x.signature) {
		return errors.New("the server did not prove that it knows the password")
	}
	return nil
}
