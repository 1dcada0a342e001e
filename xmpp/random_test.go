package xmpp

import (
	"encoding/base64"
	"testing"
)

// TestAttack09IDsAreRandom: the ids of streams and of sessions that can be resumed have 128 bits, none of which leans to one side, and none comes twice.
func TestAttack09IDsAreRandom(t *testing.T) {
	const ids = 100_000
	seen := make(map[string]bool, ids)
	var ones [128]int
	for range ids {
		id := randomID()
		b, err := base64.RawURLEncoding.DecodeString(id)
		if err != nil || len(b) != 16 || seen[id] {
			t.Fatalf("id %q: %d bytes, %v, seen before: %t", id, len(b), err, seen[id])
		}
		seen[id] = true
		for i := range ones {
			ones[i] += int(b[i/8]>>(i%8)) & 1
		}
	}
	for i, n := range ones {
		if n < ids/2-1000 || n > ids/2+1000 { // six times the standard deviation
			t.Errorf("bit %d is set in %d of %d ids", i, n, ids)
		}
	}
}
