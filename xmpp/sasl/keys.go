package sasl

import (
	"context"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/sha1"
	"crypto/sha256"
	"fmt"
	"hash"

	"signalbox/internal/endpoint"
)

// What endpoint.NewSecret gives every endpoint, so that those that do not exist look the same.
const (
	fakeIterations = 4096
	fakeSaltBytes  = 16
)

// scramHash is the hash that a family of SCRAM mechanisms is built on.
type scramHash struct {
	name string // of the mechanism without -PLUS, under which endpoint.Secret keeps the keys
	size int    // bytes
	new  func() hash.Hash
}

func scramSHA256() scramHash {
	return scramHash{name: endpoint.ScramSHA256, size: sha256.Size, new: sha256.New}
}

func scramSHA1() scramHash {
	return scramHash{name: endpoint.ScramSHA1, size: sha1.Size, new: sha1.New}
}

type scramKeys = endpoint.ScramKeys

// keysOf returns the keys of a, or, where it is unknown or has none for this hash, stand-ins that nobody can prove to know: their salt is the same every time.
// Both are looked for in every case, so that the work is the same.
func (h scramHash) keysOf(s *Server, a account) scramKeys {
	salt := s.derive("scram salt", h.name, a.key.JID())[:fakeSaltBytes]
	fake := scramKeys{Salt: salt, Iterations: fakeIterations, StoredKey: make([]byte, h.size), ServerKey: make([]byte, h.size)}
	k, ok := a.secret.Scram[h.name]
	if !ok || len(k.Salt) == 0 || k.Iterations < 1 || len(k.StoredKey) != h.size || len(k.ServerKey) != h.size {
		return fake
	}
	return k
}

func (h scramHash) hmac(key, message []byte) []byte {
	m := hmac.New(h.new, key)
	m.Write(message)
	return m.Sum(nil)
}

func (h scramHash) sum(b []byte) []byte {
	d := h.new()
	d.Write(b)
	return d.Sum(nil)
}

// storedKey derives what is kept of password, RFC 5802 section 3.
func (h scramHash) storedKey(password string, k scramKeys) ([]byte, error) {
	salted, err := pbkdf2.Key(h.new, password, k.Salt, k.Iterations, h.size)
	if err != nil {
		return nil, err
	}
	return h.sum(h.hmac(salted, []byte("Client Key"))), nil
}

// passwordHash is the hash by which a password is checked: SHA-1 for a secret that came from another server with nothing better.
func passwordHash(a account) scramHash {
	_, strong := a.secret.Scram[endpoint.ScramSHA256]
	if _, weak := a.secret.Scram[endpoint.ScramSHA1]; weak && !strong {
		return scramSHA1()
	}
	return scramSHA256()
}

// checkPassword reports whether password is the secret of a. A machine-made secret has a verifier that costs nothing; a mismatch there still waits in the queue
// of the slow hashes, since an answer that never waits would tell under load which endpoints exist.
func (s *Server) checkPassword(ctx context.Context, a account, password string) (bool, error) {
	match, fast := a.secret.VerifyFast([]byte(password))
	if match {
		return true, nil
	}
	select {
	case s.slow <- struct{}{}:
		defer func() { <-s.slow }()
	case <-ctx.Done():
		return false, &Failure{Condition: TemporaryAuthFailure, Cause: fmt.Errorf("wait for a slow hash: %w", ctx.Err())}
	}
	if fast {
		return false, nil
	}
	h := passwordHash(a)
	k := h.keysOf(s, a)
	stored, err := h.storedKey(password, k)
	if err != nil {
		return false, &Failure{Condition: TemporaryAuthFailure, Cause: fmt.Errorf("derive keys of %s: %w", a.key, err)}
	}
	return hmac.Equal(stored, k.StoredKey), nil
}
