package control

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestSecretsOfAFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "turn.secret")
	put := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	put("first-first-first\n")
	k, err := newKeyring(file)
	if err != nil {
		t.Fatal(err)
	}
	if s := k.secrets(); string(s.Current) != "first-first-first" || s.Previous != nil {
		t.Errorf("secrets = %q", s)
	}
	put("second-second-second\r\nfirst-first-first\r\n")
	if err := k.reload(); err != nil {
		t.Fatal(err)
	}
	want := Secrets{Current: []byte("second-second-second"), Previous: []byte("first-first-first")}
	if s := k.secrets(); !bytes.Equal(s.Current, want.Current) || !bytes.Equal(s.Previous, want.Previous) {
		t.Errorf("secrets = %q, want %q", s, want)
	}
	for text, want := range map[string]string{
		"":                              "has a secret of 0 bytes",
		"short\n":                       "has a secret of 5 bytes",
		"second-second-second\nshort\n": "has a secret of 5 bytes",
		"second-second-second\nsecond-second-second\nsecond-second-second\n": "has more than 2 lines",
	} {
		put(text)
		if err := k.reload(); err == nil || !strings.HasPrefix(err.Error(), "secret_file: ") || !strings.Contains(err.Error(), want) {
			t.Errorf("reload() with %q = %v, want %q", text, err, want)
		}
	}
	if s := k.secrets(); !bytes.Equal(s.Current, want.Current) {
		t.Errorf("secrets = %q after files that cannot be used, want those before", s)
	}
	if k.rotateIfDue(time.Now().Add(10 * Rotation)) {
		t.Error("secrets of a file were replaced by random ones")
	}
}

func TestRandomSecretsRotate(t *testing.T) {
	k, err := newKeyring("")
	if err != nil {
		t.Fatal(err)
	}
	first := k.secrets()
	if len(first.Current) != secretBytes || first.Previous != nil {
		t.Fatalf("secrets = %x", first)
	}
	start := k.drawn
	if k.rotateIfDue(start.Add(Rotation - 1)) {
		t.Error("rotated before its time")
	}
	if !k.rotateIfDue(start.Add(Rotation)) {
		t.Error("not rotated in time")
	}
	second := k.secrets()
	if !bytes.Equal(second.Previous, first.Current) || bytes.Equal(second.Current, first.Current) {
		t.Errorf("secrets = %x after %x, want a new one and the one before", second, first)
	}
	if err := k.reload(); err != nil || !bytes.Equal(k.secrets().Current, second.Current) {
		t.Errorf("reload() = %v, changes a random secret", err)
	}
}
