package push

import (
	"errors"
	"math"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestIDRoundTripAndOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := ID(rapid.Int64Range(0, math.MaxInt64).Draw(t, "a"))
		b := ID(rapid.Int64Range(0, math.MaxInt64).Draw(t, "b"))
		got, err := ParseID(a.String())
		if err != nil || got != a {
			t.Errorf("ParseID(%s) = %d, %v, want %d", a, got, err, a)
		}
		if (a < b) != (a.String() < b.String()) {
			t.Errorf("%d and %d sort otherwise than %s and %s", a, b, a, b)
		}
	})
}

func TestParseIDRefuses(t *testing.T) {
	good := ID(123456789).String()
	for _, bad := range []string{
		"", "psh_", good[:len(good)-1], good + "0", "ses_" + good[4:], "PSH_" + good[4:], good[:len(good)-1] + "u", good[:len(good)-1] + "A",
		good[:len(good)-1] + " ", "psh_zzzzzzzzzzzzz", "psh_8000000000000",
	} {
		if id, err := ParseID(bad); !errors.Is(err, ErrID) {
			t.Errorf("ParseID(%q) = %d, %v, want ErrID", bad, id, err)
		}
	}
}

func FuzzParseID(f *testing.F) {
	f.Add(ID(0).String())
	f.Add(ID(math.MaxInt64).String())
	f.Add("psh_8000000000000")
	f.Fuzz(func(t *testing.T, text string) {
		id, err := ParseID(text)
		if err == nil && (id < 0 || id.String() != text) {
			t.Errorf("ParseID(%q) = %d, which is written %s", text, id, id)
		}
	})
}

func TestNamesRoundTrip(t *testing.T) {
	for _, p := range []Priority{High, Normal, Low} {
		if got, err := ParsePriority(p.String()); got != p || err != nil {
			t.Errorf("ParsePriority(%s) = %v, %v", p, got, err)
		}
	}
	for _, a := range []Ack{AckNone, AckDelivered, AckHandled} {
		if got, err := ParseAck(a.String()); got != a || err != nil {
			t.Errorf("ParseAck(%s) = %v, %v", a, got, err)
		}
	}
	if p, err := ParsePriority(""); p != Normal || err != nil {
		t.Errorf("ParsePriority() = %v, %v, want normal", p, err)
	}
	if a, err := ParseAck(""); a != AckDelivered || err != nil {
		t.Errorf("ParseAck() = %v, %v, want delivered", a, err)
	}
	if _, err := ParsePriority("urgent"); err == nil {
		t.Error("ParsePriority(urgent) = nil")
	}
	if _, err := ParseAck("Handled"); err == nil {
		t.Error("ParseAck(Handled) = nil")
	}
}

func TestPrioritiesSortAsTheyAreSent(t *testing.T) {
	if got := []Priority{High, Normal, Low}; !slices.IsSorted(got) {
		t.Errorf("%v is not sorted", got)
	}
}

func TestExpires(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	if got, want := (Push{Created: at, TTL: time.Hour}).Expires(), at.Add(time.Hour); !got.Equal(want) {
		t.Errorf("Expires() = %v, want %v", got, want)
	}
}

func TestNewIdempotency(t *testing.T) {
	a := NewIdempotency("tok_1", "key", []byte("body"))
	if a != NewIdempotency("tok_1", "key", []byte("body")) {
		t.Error("the same request gives another value")
	}
	for name, b := range map[string]Idempotency{
		"token": NewIdempotency("tok_2", "key", []byte("body")),
		"key":   NewIdempotency("tok_1", "kez", []byte("body")),
		"body":  NewIdempotency("tok_1", "key", []byte("bodz")),
	} {
		if a == b {
			t.Errorf("another %s gives the same value", name)
		}
	}
}
