package audit

import (
	"encoding/binary"
	"time"
)

// Signer makes signatures; the server's identity key does. It may be called concurrently.
type Signer interface {
	// Sign signs data for a purpose, so that the signature counts for no other.
	Sign(purpose string, data []byte) []byte
}

// PublicKey is what signatures are checked with; the public part of the identity key is one.
type PublicKey interface {
	// String returns the key as text; no two keys have one text.
	String() string
	// Verify reports whether sig is a signature of data for a purpose.
	Verify(purpose string, data, sig []byte) bool
}

// Head vouches for an entry and with it for all before: whoever changes one of them would have to sign anew.
type Head struct {
	Link                // the last entry at that time; never the zero Link
	At        time.Time // when it was signed; UTC, in whole microseconds
	Key       string    // text of the public key
	Signature []byte
}

// headPurpose is what signatures of heads are for.
const headPurpose = "signalbox audit head"

// Sign returns the head of a chain that stands at l. key is the text of the public key.
func Sign(s Signer, key string, l Link, now time.Time) Head {
	h := Head{Link: l, At: now.UTC().Truncate(time.Microsecond), Key: key}
	h.Signature = s.Sign(headPurpose, h.message())
	return h
}

// SignedBy reports whether the head was signed with the private part of key.
func (h *Head) SignedBy(key PublicKey) bool {
	return h.Key == key.String() && key.Verify(headPurpose, h.message(), h.Signature)
}

// message is what is signed: number, hash, and time in microseconds since 1970.
func (h *Head) message() []byte {
	b := binary.BigEndian.AppendUint64(make([]byte, 0, 48), uint64(h.Seq))
	b = append(b, h.Hash[:]...)
	return binary.BigEndian.AppendUint64(b, uint64(h.At.UnixMicro()))
}
