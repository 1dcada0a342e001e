package id

import (
	"math"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestRoundTripAndOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := rapid.Int64Range(0, math.MaxInt64).Draw(t, "a")
		b := rapid.Int64Range(0, math.MaxInt64).Draw(t, "b")
		if got, ok := Parse("ses_", Format("ses_", a)); !ok || got != a {
			t.Errorf("Parse(%s) = %d, %v, want %d", Format("ses_", a), got, ok, a)
		}
		if (a < b) != (Format("", a) < Format("", b)) {
			t.Errorf("%d and %d sort otherwise as texts", a, b)
		}
	})
}

func TestParseRefuses(t *testing.T) {
	good := Format("ses_", 123456789)
	for _, bad := range []string{
		"", "ses_", good[4:], good + "0", good[:len(good)-1], "trn_" + good[4:], strings.ToUpper(good), strings.Replace(good, "0", "o", 1), "ses_g000000000000", "ses_zzzzzzzzzzzzz",
	} {
		if n, ok := Parse("ses_", bad); ok {
			t.Errorf("Parse(%q) = %d", bad, n)
		}
	}
}

func TestNext(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	last := int64(0)
	for range 1000 {
		n := Next(last, now)
		if n <= last {
			t.Fatalf("%d follows %d", n, last)
		}
		last = n
	}
	if later := Next(0, now.Add(time.Hour)); later <= last {
		t.Errorf("%d of an hour later is not greater than %d", later, last)
	}
	if back := Next(last, now.Add(-time.Hour)); back <= last {
		t.Errorf("a clock that went back gives %d behind %d", back, last)
	}
}

func TestFormatAllocates(t *testing.T) {
	var text string
	if n := testing.AllocsPerRun(100, func() { text = Format("psh_", 1<<62) }); n > 1 {
		t.Errorf("%v allocations for %s, want the text alone", n, text)
	}
}
