package endpoint

import (
	"errors"
	"strings"
	"testing"

	"mellium.im/sasl"
)

func TestCheckID(t *testing.T) {
	for _, id := range []string{"pc-1", "a", "0", "host.example", "a_b+c~d", strings.Repeat("x", MaxIDBytes)} {
		if err := CheckID(id); err != nil {
			t.Errorf("CheckID(%q) = %v", id, err)
		}
	}
	for _, id := range []string{"", ".", "..", "PC-1", "a b", "a@b", "a/b", "ä", "a\n", "a'", strings.Repeat("x", MaxIDBytes+1)} {
		if err := CheckID(id); !errors.Is(err, ErrID) {
			t.Errorf("CheckID(%q) = %v, want ErrID", id, err)
		}
	}
}

func TestNewSecretBounds(t *testing.T) {
	for _, s := range []string{"", "short", strings.Repeat("x", MaxSecretBytes+1), "with space", "ünïcode", "tab\tinside"} {
		if _, err := NewSecret(s); !errors.Is(err, ErrSecret) {
			t.Errorf("NewSecret(%q) = %v, want ErrSecret", s, err)
		}
	}
}

func TestGeneratedSecretHasAFastVerifier(t *testing.T) {
	text, s, err := GenerateSecret()
	if err != nil {
		t.Fatal(err)
	}
	other, _, _ := GenerateSecret()
	if text == other || len(text) < 32 {
		t.Errorf("secrets %q, %q: want two that differ, of 192 bits", text, other)
	}
	if match, ok := s.VerifyFast([]byte(text)); !match || !ok {
		t.Errorf("VerifyFast of the right secret = %v, %v", match, ok)
	}
	if match, ok := s.VerifyFast([]byte(other)); match || !ok {
		t.Errorf("VerifyFast of another secret = %v, %v", match, ok)
	}
	chosen, err := NewSecret("s3cret-1")
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := chosen.VerifyFast([]byte("s3cret-1")); ok {
		t.Error("a chosen secret has a fast verifier")
	}
}

// TestScramKeysAreThoseOfOthers: an independent client computes the same keys (its server signature verifies ours in the tests of xmpp/sasl).
func TestScramKeysAreThoseOfOthers(t *testing.T) {
	s, err := NewSecret("s3cret-1")
	if err != nil {
		t.Fatal(err)
	}
	k := s.Scram[ScramSHA256]
	if len(k.Salt) != saltBytes || k.Iterations != scramIterations || len(k.StoredKey) != 32 || len(k.ServerKey) != 32 {
		t.Errorf("keys: %d bytes of salt, %d iterations, %d and %d bytes", len(k.Salt), k.Iterations, len(k.StoredKey), len(k.ServerKey))
	}
	if sasl.ScramSha256.Name != ScramSHA256 {
		t.Errorf("name %q, want that of the registry, %q", ScramSHA256, sasl.ScramSha256.Name)
	}
	again, err := NewSecret("s3cret-1")
	if err != nil {
		t.Fatal(err)
	}
	if string(again.Scram[ScramSHA256].Salt) == string(k.Salt) {
		t.Error("two secrets have the same salt")
	}
}
