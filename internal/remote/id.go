package remote

import (
	"errors"
	"math/rand/v2"
	"time"
)

// ID names a session: 41 bits of milliseconds since 2020 and 22 bits of chance, so that what is opened later has the greater id.
type ID int64

const (
	idPrefix    = "trn_"
	idAlphabet  = "0123456789abcdefghjkmnpqrstvwxyz" // Crockford's base 32: sorts as the number does
	idDigits    = 13
	epochMillis = 1577836800000 // 2020-01-01T00:00:00Z
	chanceBits  = 22
)

// ErrID says that a text is not the id of a session.
var ErrID = errors.New("not the id of a TURN session")

// String returns the id as the API and credentials show it: "trn_" and 13 digits that sort like the number.
func (id ID) String() string {
	b := make([]byte, 0, len(idPrefix)+idDigits)
	b = append(b, idPrefix...)
	for shift := 5 * (idDigits - 1); shift >= 0; shift -= 5 {
		b = append(b, idAlphabet[uint64(id)>>shift&31])
	}
	return string(b)
}

// ParseID reads what String wrote, or returns ErrID.
func ParseID(text string) (ID, error) {
	if len(text) != len(idPrefix)+idDigits || text[:len(idPrefix)] != idPrefix {
		return 0, ErrID
	}
	var n uint64
	for _, c := range []byte(text[len(idPrefix):]) {
		digit := indexDigit(c)
		if digit < 0 || n>>58 != 0 {
			return 0, ErrID
		}
		n = n<<5 | uint64(digit)
	}
	return ID(n), nil
}

func indexDigit(c byte) int {
	for i := range len(idAlphabet) {
		if idAlphabet[i] == c {
			return i
		}
	}
	return -1
}

// nextID returns an id greater than last. It holds the time unless the clock stands behind last.
func nextID(last ID, now time.Time) ID {
	millis := max(0, now.UnixMilli()-epochMillis)
	return max(last+1, ID(millis<<chanceBits|rand.Int64N(1<<chanceBits)))
}
