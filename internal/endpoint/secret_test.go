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
	for name, size := range map[string]int{ScramSHA256: 32, ScramSHA1: 20} {
		k := s.Scram[name]
		if len(k.Salt) != saltBytes || k.Iterations != scramIterations || len(k.StoredKey) != size || len(k.ServerKey) != size {
			t.Errorf("%s: %d bytes of salt, %d iterations, %d and %d bytes", name, len(k.Salt), k.Iterations, len(k.StoredKey), len(k.ServerKey))
		}
	}
	if sasl.ScramSha256.Name != ScramSHA256 || sasl.ScramSha1.Name != ScramSHA1 {
		t.Errorf("names %q and %q, want those of the registry", ScramSHA256, ScramSHA1)
	}
	salts := map[string]bool{}
	again, err := NewSecret("s3cret-1")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{ScramSHA256, ScramSHA1} {
		salts[string(s.Scram[name].Salt)], salts[string(again.Scram[name].Salt)] = true, true
	}
	if len(salts) != 4 {
		t.Errorf("two secrets with two hashes have %d salts, want 4", len(salts))
	}
}

func TestMarkTellsSecretsApart(t *testing.T) {
	s, err := NewSecret("s3cret-1")
	if err != nil {
		t.Fatal(err)
	}
	again, err := NewSecret("s3cret-1")
	if err != nil {
		t.Fatal(err)
	}
	old := Secret{Scram: map[string]ScramKeys{ScramSHA256: s.Scram[ScramSHA256]}} // as earlier versions stored it
	marks := map[string]bool{}
	for _, one := range []Secret{s, again, old, {}} {
		mark := one.Mark()
		if again := one.Mark(); len(mark) != 32 || string(again) != string(mark) {
			t.Errorf("Mark() = %x and %x, want the same 32 bytes each time", mark, again)
		}
		marks[string(mark)] = true
	}
	if len(marks) != 4 {
		t.Errorf("four secrets have %d marks", len(marks))
	}
}

func TestVerifiers(t *testing.T) {
	good := func() ScramKeys {
		return ScramKeys{Salt: []byte("salt"), Iterations: 4096, StoredKey: make([]byte, 32), ServerKey: make([]byte, 32)}
	}
	s, err := NewVerifiers(map[string]ScramKeys{ScramSHA256: good()})
	if err != nil || len(s.Scram) != 1 || s.Fast != nil {
		t.Errorf("NewVerifiers = %+v, %v", s, err)
	}
	for _, tt := range []struct {
		name   string
		mech   string
		change func(*ScramKeys)
	}{
		{"unknown mechanism", "SCRAM-SHA-512", func(*ScramKeys) {}},
		{"sizes of another hash", ScramSHA1, func(*ScramKeys) {}},
		{"too few iterations", ScramSHA256, func(k *ScramKeys) { k.Iterations = MinIterations - 1 }},
		{"too many iterations", ScramSHA256, func(k *ScramKeys) { k.Iterations = MaxIterations + 1 }},
		{"no salt", ScramSHA256, func(k *ScramKeys) { k.Salt = nil }},
		{"long salt", ScramSHA256, func(k *ScramKeys) { k.Salt = make([]byte, MaxSaltBytes+1) }},
		{"short stored key", ScramSHA256, func(k *ScramKeys) { k.StoredKey = k.StoredKey[:31] }},
		{"no server key", ScramSHA256, func(k *ScramKeys) { k.ServerKey = nil }},
	} {
		k := good()
		tt.change(&k)
		if _, err := NewVerifiers(map[string]ScramKeys{tt.mech: k}); !errors.Is(err, ErrVerifier) {
			t.Errorf("%s: %v, want ErrVerifier", tt.name, err)
		}
	}
	if _, err := NewVerifiers(nil); !errors.Is(err, ErrVerifier) {
		t.Errorf("no keys: %v", err)
	}
}
