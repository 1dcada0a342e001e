//go:build unix

package journal

import (
	"path/filepath"
	"testing"
	"time"
)

// TestLockOutlivesItsOwnerBriefly: an agent that is started at once after a crash waits for what the crash left behind.
func TestLockOutlivesItsOwnerBriefly(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	first, err := lockFile(path)
	if err != nil {
		t.Fatal(err)
	}
	time.AfterFunc(100*time.Millisecond, func() { _ = first.Close() })
	second, err := lockFile(path)
	if err != nil {
		t.Fatalf("the lock was given back, and yet: %v", err)
	}
	if err := second.Close(); err != nil {
		t.Error(err)
	}
}
