package wire

import (
	"encoding/binary"
	"net/netip"
)

// Builder appends one message to a buffer. Begin comes first, then attributes, AddIntegrity and AddFingerprint last. It allocates only where the buffer has no room.
// What would make the message longer than MaxFrame is a mistake that spoils it: Bytes is then what Begin was given. Not for concurrent use.
type Builder struct {
	b     []byte
	start int // of the message in b
	over  bool
	tid   [12]byte
}

// Begin starts a message behind what buf holds.
func (w *Builder) Begin(buf []byte, typ uint16, tid [12]byte) {
	w.start, w.over, w.tid = len(buf), false, tid
	w.b = binary.BigEndian.AppendUint16(buf, typ)
	w.b = append(w.b, 0, 0) // the length, see head
	w.b = binary.BigEndian.AppendUint32(w.b, cookie)
	w.b = append(w.b, tid[:]...)
}

// Add appends an attribute with its padding, which is zero.
func (w *Builder) Add(attr uint16, value []byte) {
	if !w.head(attr, len(value)) {
		return
	}
	w.b = append(w.b, value...)
	w.pad()
}

// AddString is Add for a string.
func (w *Builder) AddString(attr uint16, value string) {
	if !w.head(attr, len(value)) {
		return
	}
	w.b = append(w.b, value...)
	w.pad()
}

// AddUint32 appends an attribute of four bytes, like LIFETIME; a channel number or a protocol stands in the high bits (RFC 8656 section 18).
func (w *Builder) AddUint32(attr uint16, value uint32) {
	if w.head(attr, 4) {
		w.b = binary.BigEndian.AppendUint32(w.b, value)
	}
}

// AddAddr appends an XOR-…-ADDRESS attribute (RFC 8489 section 14.2), of the family of the address; an IPv4-mapped one is IPv6.
func (w *Builder) AddAddr(attr uint16, a netip.AddrPort) {
	size := 20
	if a.Addr().Is4() {
		size = 8
	}
	if w.head(attr, size) {
		w.b = appendAddr(w.b, a, w.tid)
	}
}

// AddError appends ERROR-CODE (RFC 8489 section 14.8). The code is 300 to 699, the reason may be empty.
func (w *Builder) AddError(code int, reason string) {
	if !w.head(AttrErrorCode, 4+len(reason)) {
		return
	}
	w.b = append(w.b, 0, 0, byte(code/100), byte(code%100))
	w.b = append(w.b, reason...)
	w.pad()
}

// AddUnknown appends UNKNOWN-ATTRIBUTES (RFC 8489 section 14.9).
func (w *Builder) AddUnknown(attrs []uint16) {
	if !w.head(AttrUnknownAttributes, 2*len(attrs)) {
		return
	}
	for _, a := range attrs {
		w.b = binary.BigEndian.AppendUint16(w.b, a)
	}
	w.pad()
}

// AddIntegrity appends MESSAGE-INTEGRITY (RFC 8489 section 14.5) over all that was added.
func (w *Builder) AddIntegrity(key []byte) {
	if at := len(w.b); w.head(AttrMessageIntegrity, integritySize) {
		sum := integrity(key, w.b[w.start:at])
		w.b = append(w.b, sum[:]...)
	}
}

// AddFingerprint appends FINGERPRINT (RFC 8489 section 14.7), which is last in a message.
func (w *Builder) AddFingerprint() {
	if at := len(w.b); w.head(AttrFingerprint, 4) {
		w.b = binary.BigEndian.AppendUint32(w.b, fingerprint(w.b[w.start:at]))
	}
}

// Bytes returns the buffer of Begin with the message behind what it held.
func (w *Builder) Bytes() []byte {
	if w.over {
		return w.b[:w.start]
	}
	return w.b
}

// head appends the header of an attribute and counts the attribute into the length of the message; false: there is no room.
func (w *Builder) head(attr uint16, size int) bool {
	whole := len(w.b) - w.start + 4 + size + Padding(size)
	if w.over = w.over || whole > MaxFrame; w.over {
		return false
	}
	binary.BigEndian.PutUint16(w.b[w.start+2:], uint16(whole-headerSize))
	w.b = binary.BigEndian.AppendUint16(w.b, attr)
	w.b = binary.BigEndian.AppendUint16(w.b, uint16(size))
	return true
}

func (w *Builder) pad() {
	for range Padding(len(w.b) - w.start) {
		w.b = append(w.b, 0)
	}
}
