package wire

import (
	"crypto/md5"
	"crypto/sha1"
	"crypto/subtle"
	"encoding/binary"
	"hash/crc32"
)

const (
	integritySize  = sha1.Size
	fingerprintXOR = 0x5354554E // RFC 8489 section 14.7
)

// LongTermKey returns the key of MESSAGE-INTEGRITY for a user (RFC 8489 section 9.2.2). The strings are taken as they are: who may have others than ASCII prepares
// them (RFC 8265) before.
func LongTermKey(username, realm, password string) [md5.Size]byte {
	return md5.Sum([]byte(username + ":" + realm + ":" + password))
}

// CheckIntegrity tells in constant time whether the message has a MESSAGE-INTEGRITY (RFC 8489 section 14.5) that was made with the key. Get and All do not see what
// comes after it.
func (m *Message) CheckIntegrity(key []byte) bool {
	if m.integrity == 0 {
		return false
	}
	want := integrity(key, m.raw[:m.integrity])
	got := m.raw[m.integrity+4:][:integritySize]
	return subtle.ConstantTimeCompare(want[:], got) == 1
}

// CheckFingerprint tells whether the FINGERPRINT (RFC 8489 section 14.7) is right. A message without one is right, too: TURN does not ask for it.
func (m *Message) CheckFingerprint() bool {
	got, ok := m.Get(AttrFingerprint)
	return !ok || binary.BigEndian.Uint32(got) == fingerprint(m.raw[:len(m.raw)-8])
}

// integrity is HMAC-SHA-1 (RFC 2104) of a message of at most MaxFrame bytes up to its MESSAGE-INTEGRITY, with the length that it has behind that. The text is put
// together on the stack, as crypto/hmac allocates for each message that a stranger sends.
func integrity(key, message []byte) [integritySize]byte {
	const block = sha1.BlockSize
	var inner [block + MaxFrame]byte
	var outer [block + sha1.Size]byte
	if len(key) > block {
		hashed := sha1.Sum(key)
		key = append(outer[:0], hashed[:]...)
	}
	copy(inner[:block], key)
	copy(outer[:block], key)
	for i := range block {
		inner[i] ^= 0x36
		outer[i] ^= 0x5C
	}
	n := block + copy(inner[block:], message)
	binary.BigEndian.PutUint16(inner[block+2:], uint16(len(message)-headerSize+4+integritySize))
	sum := sha1.Sum(inner[:n])
	copy(outer[block:], sum[:])
	return sha1.Sum(outer[:])
}

// fingerprint is computed over the message up to its FINGERPRINT, whose 8 bytes the length in the header counts already.
func fingerprint(message []byte) uint32 { return crc32.ChecksumIEEE(message) ^ fingerprintXOR }
