package technician

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"strings"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"
)

// Bounds of a password.
const (
	MinPasswordBytes = 12
	MaxPasswordBytes = 256
)

// The parameters of argon2id (RFC 9106): 32 MiB and three passes, about a tenth of a second.
const (
	argonMemory  = 32 << 10 // KiB
	argonTime    = 3
	argonThreads = 1
	saltBytes    = 16
	keyBytes     = 32
)

const (
	hashers = 2  // derivations at the same time, which bounds their memory
	waiting = 16 // that wait for one of them at most
)

// CheckPassword reports why a password cannot be kept.
func CheckPassword(password string) error {
	switch n := len(password); {
	case n < MinPasswordBytes || n > MaxPasswordBytes:
		return invalid("password", "%d bytes, %d to %d are allowed", n, MinPasswordBytes, MaxPasswordBytes)
	case !utf8.ValidString(password):
		return invalid("password", "it is not UTF-8")
	}
	return nil
}

// hasher derives keys of passwords, few at a time.
type hasher struct {
	memory, time   uint32 // of new ones, and where there is nothing to compare with
	queue, working chan struct{}
}

func newHasher() *hasher {
	return &hasher{memory: argonMemory, time: argonTime, queue: make(chan struct{}, hashers+waiting), working: make(chan struct{}, hashers)}
}

// derive returns the key of a password, or ErrBusy where too many wait already.
func (h *hasher) derive(ctx context.Context, password string, salt []byte, memory, time uint32) ([]byte, error) {
	select {
	case h.queue <- struct{}{}:
		defer func() { <-h.queue }()
	default:
		return nil, ErrBusy
	}
	select {
	case h.working <- struct{}{}:
		defer func() { <-h.working }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	return argon2.IDKey([]byte(password), salt, time, memory, argonThreads, keyBytes), nil
}

// hash returns what is kept of a password, in the format of the Password Hashing Competition: "$argon2id$v=19$m=32768,t=3,p=1$SALT$KEY".
func (h *hasher) hash(ctx context.Context, password string) (string, error) {
	salt := make([]byte, saltBytes)
	rand.Read(salt) // never fails, see crypto/rand
	key, err := h.derive(ctx, password, salt, h.memory, h.time)
	if err != nil {
		return "", err
	}
	b64 := base64.RawStdEncoding.EncodeToString
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, h.memory, h.time, argonThreads, b64(salt), b64(key)), nil
}

// verify reports whether a password is that which is kept. Where nothing is kept, or nothing that can be read, it takes as long and is false.
func (h *hasher) verify(ctx context.Context, kept, password string) (bool, error) {
	k, readable := parseKept(kept)
	if !readable {
		k = keptPassword{memory: h.memory, time: h.time, salt: make([]byte, saltBytes)}
	}
	key, err := h.derive(ctx, password, k.salt, k.memory, k.time)
	if err != nil {
		return false, err
	}
	return subtle.ConstantTimeCompare(key, k.key) == 1 && readable, nil
}

type keptPassword struct {
	memory, time uint32
	salt, key    []byte
}

// parseKept reads what hash has made, also with other costs.
func parseKept(kept string) (k keptPassword, ok bool) {
	parts := strings.Split(kept, "$")
	if len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" || parts[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return k, false
	}
	var threads uint8
	if n, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &k.memory, &k.time, &threads); n != 3 || err != nil || threads != argonThreads {
		return k, false
	}
	var errSalt, errKey error
	k.salt, errSalt = base64.RawStdEncoding.DecodeString(parts[4])
	k.key, errKey = base64.RawStdEncoding.DecodeString(parts[5])
	sane := k.memory >= 8 && k.memory <= 1<<20 && k.time >= 1 && k.time <= 16 && len(k.salt) >= 8 && len(k.key) == keyBytes
	return k, errSalt == nil && errKey == nil && sane
}
