package turnsession

import (
	"testing"
	"time"
)

func TestIDs(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	last := ID(0)
	for range 1000 {
		id := nextID(last, now)
		if id <= last {
			t.Fatalf("%v follows %v", id, last)
		}
		last = id
	}
	if later := nextID(0, now.Add(time.Hour)); later.String() <= last.String() {
		t.Errorf("%s of an hour later sorts before %s", later, last)
	}
	if back := nextID(last, now.Add(-time.Hour)); back <= last {
		t.Errorf("a clock that went back gives %v behind %v", back, last)
	}
}

// FuzzParseID: what is read is written the same way.
func FuzzParseID(f *testing.F) {
	for _, seed := range []string{"", "trn_0123456789abc", "trn_zzzzzzzzzzzzz", "trn_0123456789ab", "psh_0123456789abc", "trn_0123456789abI", "trn_fzzzzzzzzzzzz"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if id, err := ParseID(text); err == nil && id.String() != text {
			t.Errorf("%q is read as %v", text, id)
		}
	})
}
