package technician

import (
	"errors"
	"strings"
	"testing"
)

func TestPasswordHash(t *testing.T) {
	h := newHasher()
	kept, err := h.hash(t.Context(), "correct horse battery")
	if err != nil || !strings.HasPrefix(kept, "$argon2id$v=19$m=32768,t=3,p=1$") {
		t.Fatalf("hash() = %q, %v", kept, err)
	}
	again, err := h.hash(t.Context(), "correct horse battery")
	if err != nil || again == kept {
		t.Errorf("the same password is kept in the same way twice: %q, %v", again, err)
	}
	for password, want := range map[string]bool{"correct horse battery": true, "correct horse battery ": false, "": false} {
		if ok, err := h.verify(t.Context(), kept, password); ok != want || err != nil {
			t.Errorf("verify(%q) = %v, %v, want %v", password, ok, err, want)
		}
	}
}

// TestNothingFits: what is not kept, or cannot be read, fits no password, and costs as much as one that can.
func TestNothingFits(t *testing.T) {
	h := newHasher()
	h.memory, h.time = 8, 1
	good, err := h.hash(t.Context(), "correct horse battery")
	if err != nil {
		t.Fatal(err)
	}
	for _, kept := range []string{
		"", "x", "$argon2id$", strings.Replace(good, "argon2id", "argon2i", 1), strings.Replace(good, "v=19", "v=16", 1), strings.Replace(good, "m=8", "m=99999999", 1),
		strings.Replace(good, "t=1", "t=0", 1), strings.Replace(good, "p=1", "p=4", 1), good[:len(good)-8], good + "$",
	} {
		if ok, err := h.verify(t.Context(), kept, "correct horse battery"); ok || err != nil {
			t.Errorf("verify with %q kept = %v, %v", kept, ok, err)
		}
	}
	for range cap(h.queue) {
		h.queue <- struct{}{}
	}
	for _, kept := range []string{good, ""} {
		if _, err := h.verify(t.Context(), kept, "x"); !errors.Is(err, ErrBusy) {
			t.Errorf("verify while too many wait = %v, want ErrBusy", err)
		}
	}
}

func TestCheckPassword(t *testing.T) {
	for password, ok := range map[string]bool{
		"short": false, "elevenbytes": false, "twelve bytes": true, strings.Repeat("x", MaxPasswordBytes): true, strings.Repeat("x", MaxPasswordBytes+1): false,
		"twelve bytes\xff": false,
	} {
		if err := CheckPassword(password); (err == nil) != ok || err != nil && !errors.Is(err, ErrInvalid) {
			t.Errorf("CheckPassword(%.20q) = %v", password, err)
		}
	}
}

func FuzzParseKept(f *testing.F) {
	f.Add("$argon2id$v=19$m=32768,t=3,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")
	f.Add("")
	f.Fuzz(func(t *testing.T, kept string) {
		k, ok := parseKept(kept)
		if ok && (k.memory < 8 || k.memory > 1<<20 || k.time < 1 || k.time > 16 || len(k.key) != keyBytes) {
			t.Errorf("%q is taken with memory %d, time %d and a key of %d bytes", kept, k.memory, k.time, len(k.key))
		}
	})
}

func FuzzIsSecret(f *testing.F) {
	f.Add(newSecret())
	f.Add("")
	f.Fuzz(func(t *testing.T, text string) {
		if isSecret(text) && (len(text) != 43 || strings.ContainsAny(text, "\r\n+/=; ")) {
			t.Errorf("%q is taken for a secret", text)
		}
	})
}
