package endpoint

import (
	"crypto/sha1"
	"crypto/sha256"
	"errors"
	"fmt"
)

// Bounds of SCRAM keys that another server made.
const (
	MinIterations = 4096    // RFC 7677 section 4
	MaxIterations = 1000000 // a login by PLAIN costs as many here
	MaxSaltBytes  = 255
)

// ErrVerifier says that SCRAM keys of another server cannot be used. Errors of NewVerifiers wrap it.
var ErrVerifier = errors.New("invalid SCRAM keys")

// NewVerifiers makes what is kept of a secret from the SCRAM keys that another server derived of it, by mechanism; nobody learns the secret. Endpoints log in by these
// mechanisms and by PLAIN.
func NewVerifiers(keys map[string]ScramKeys) (Secret, error) {
	if len(keys) == 0 {
		return Secret{}, fmt.Errorf("%w: there are none", ErrVerifier)
	}
	for name, k := range keys {
		if err := checkKeys(name, k); err != nil {
			return Secret{}, fmt.Errorf("%w of %s: %w", ErrVerifier, name, err)
		}
	}
	return Secret{Scram: keys}, nil
}

func checkKeys(name string, k ScramKeys) error {
	size := map[string]int{ScramSHA256: sha256.Size, ScramSHA1: sha1.Size}[name]
	switch {
	case size == 0:
		return fmt.Errorf("only %s and %s are known", ScramSHA256, ScramSHA1)
	case k.Iterations < MinIterations || k.Iterations > MaxIterations:
		return fmt.Errorf("%d iterations, %d to %d are allowed", k.Iterations, MinIterations, MaxIterations)
	case len(k.Salt) == 0 || len(k.Salt) > MaxSaltBytes:
		return fmt.Errorf("a salt of %d bytes, 1 to %d are allowed", len(k.Salt), MaxSaltBytes)
	case len(k.StoredKey) != size || len(k.ServerKey) != size:
		return fmt.Errorf("keys of %d and %d bytes, both have %d", len(k.StoredKey), len(k.ServerKey), size)
	}
	return nil
}
