// Package id writes and reads the ids of what the server names by number: a prefix, and 13 digits that sort as the numbers do.
package id

import (
	"math/rand/v2"
	"strings"
	"time"
)

const (
	alphabet    = "0123456789abcdefghjkmnpqrstvwxyz" // Crockford's base 32: sorts as the number does
	digits      = 13
	epochMillis = 1577836800000 // 2020-01-01T00:00:00Z
	chanceBits  = 22
)

// Format returns prefix and the digits of n, which is not negative.
func Format(prefix string, n int64) string {
	b := make([]byte, 0, 32)
	b = append(b, prefix...)
	for shift := 5 * (digits - 1); shift >= 0; shift -= 5 {
		b = append(b, alphabet[uint64(n)>>shift&31])
	}
	return string(b)
}

// Parse reads what Format wrote with the same prefix; false: text is nothing of the kind.
func Parse(prefix, text string) (int64, bool) {
	rest, ok := strings.CutPrefix(text, prefix)
	if !ok || len(rest) != digits {
		return 0, false
	}
	var n uint64
	for i := range len(rest) {
		digit := strings.IndexByte(alphabet, rest[i])
		if digit < 0 || n>>58 != 0 {
			return 0, false
		}
		n = n<<5 | uint64(digit)
	}
	return int64(n), true
}

// Next returns a number greater than last, of 41 bits of milliseconds since 2020 and 22 bits of chance. It holds the time unless the clock stands behind last.
func Next(last int64, now time.Time) int64 {
	millis := max(0, now.UnixMilli()-epochMillis)
	return max(last+1, millis<<chanceBits|rand.Int64N(1<<chanceBits))
}
