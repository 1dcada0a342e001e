package control

import (
	"os"
	"path/filepath"
	"testing"
)

func TestEphemeralOverlap(t *testing.T) {
	for text, want := range map[string]bool{
		"32768\t60999\n": true, "1024 65535": true, "49152 49152": true, "60000 61000": true, "32768 49151": false, "60001 65535": false, "1024": false, "a b": false, "": false,
	} {
		file := filepath.Join(t.TempDir(), "range")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, _, got := EphemeralOverlap(file, 49152, 60000); got != want {
			t.Errorf("system range %q overlaps: %v, want %v", text, got, want)
		}
		if low, high, _ := EphemeralOverlap(file, 49152, 60000); text == "32768\t60999\n" && (low != 32768 || high != 60999) {
			t.Errorf("system range %q: %d to %d", text, low, high)
		}
	}
	if _, _, got := EphemeralOverlap(filepath.Join(t.TempDir(), "none"), 1, 65535); got {
		t.Error("a system that does not tell overlaps")
	}
}
