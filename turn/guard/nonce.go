package guard

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"net/netip"
	"time"
)

// nonceLife is how long a nonce is good for: RFC 8489 section 9.2 leaves it open, RFC 8656 section 5 advises an hour.
const nonceLife = time.Hour

// A nonce is the second of its making and a part of its authentication code: 16 bytes, 22 characters of base64. Nothing is kept of it.
const (
	nonceTimeSize = 4
	nonceCodeSize = 12
)

// nonces makes and checks nonces that are good for one client's address alone, so that one that was overheard is of no use elsewhere. Safe for concurrent use.
type nonces struct {
	key [32]byte
	now func() time.Time
}

func newNonces(now func() time.Time) (*nonces, error) {
	n := &nonces{now: now}
	if _, err := rand.Read(n.key[:]); err != nil {
		return nil, fmt.Errorf("make a key for nonces: %w", err)
	}
	return n, nil
}

// issue returns a new nonce for a client.
func (n *nonces) issue(remote netip.AddrPort) string {
	var raw [nonceTimeSize + nonceCodeSize]byte
	binary.BigEndian.PutUint32(raw[:], uint32(n.now().Unix()))
	code := n.code(raw[:nonceTimeSize], remote)
	copy(raw[nonceTimeSize:], code[:])
	return base64.RawStdEncoding.EncodeToString(raw[:])
}

// valid tells whether a nonce was issued to this client within the last hour.
func (n *nonces) valid(nonce []byte, remote netip.AddrPort) bool {
	var raw [nonceTimeSize + nonceCodeSize]byte
	if len(nonce) != base64.RawStdEncoding.EncodedLen(len(raw)) {
		return false
	}
	if _, err := base64.RawStdEncoding.Decode(raw[:], nonce); err != nil {
		return false
	}
	made := time.Unix(int64(binary.BigEndian.Uint32(raw[:])), 0)
	if age := n.now().Sub(made); age > nonceLife || age < -nonceLife { // the clock may be set back, but not so far
		return false
	}
	code := n.code(raw[:nonceTimeSize], remote)
	return subtle.ConstantTimeCompare(raw[nonceTimeSize:], code[:]) == 1
}

// code is SHA-256 over the key and what the nonce is bound to, cut short: all parts have fixed lengths, and of the sum less than half is told, so nothing can be appended.
// It is made for whoever asks, and needs no memory.
func (n *nonces) code(made []byte, remote netip.AddrPort) [nonceCodeSize]byte {
	var text [len(n.key) + nonceTimeSize + 16 + 2]byte
	at := copy(text[:], n.key[:])
	at += copy(text[at:], made)
	ip := remote.Addr().As16()
	at += copy(text[at:], ip[:])
	binary.BigEndian.PutUint16(text[at:], remote.Port())
	sum := sha256.Sum256(text[:])
	return [nonceCodeSize]byte(sum[:])
}
