package control

import (
	"crypto/rand"
	"fmt"
	"sync"
	"time"

	"signalbox/internal/access"
)

// Rotation is how long a random secret signs. The one before it verifies that long after it, so no credential outlives its secret.
const Rotation = 12 * time.Hour

// secretBytes is the length of a random secret.
const secretBytes = 32

// keyring holds the secrets, from a file or random. It may be used concurrently.
type keyring struct {
	file string // empty: random

	mu    sync.Mutex
	now   Secrets
	drawn time.Time // when now.Current was, if it is random
}

// newKeyring reads the file or draws a secret. The error begins with the key at fault.
func newKeyring(file string) (*keyring, error) {
	k := &keyring{file: file}
	if file == "" {
		k.rotateIfDue(time.Now())
		return k, nil
	}
	return k, k.reload()
}

func (k *keyring) secrets() Secrets {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.now
}

// reload reads the file again; on an error the secrets stay as they are. Random ones stay, too.
func (k *keyring) reload() error {
	if k.file == "" {
		return nil
	}
	lines, err := access.ReadSharedSecrets(k.file, 2)
	if err != nil {
		return fmt.Errorf("secret_file: %w", err)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.now = Secrets{Current: lines[0]}
	if len(lines) > 1 {
		k.now.Previous = lines[1]
	}
	return nil
}

// rotateIfDue draws a new random secret and keeps the one before it, if that has signed for long enough; it reports whether it did.
func (k *keyring) rotateIfDue(at time.Time) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.file != "" || at.Sub(k.drawn) < Rotation {
		return false
	}
	fresh := make([]byte, secretBytes)
	rand.Read(fresh) // never fails, see crypto/rand
	k.now, k.drawn = Secrets{Current: fresh, Previous: k.now.Current}, at
	return true
}
