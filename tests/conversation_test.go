package tests

import (
	"path/filepath"
	"strings"
	"testing"

	"signalbox/tests/harness"
)

// TestConversations runs every script of testdata/conversations on the real server.
func TestConversations(t *testing.T) {
	files, err := filepath.Glob("testdata/conversations/*.txt")
	if err != nil || len(files) < 25 {
		t.Fatalf("%d scripts, %v", len(files), err)
	}
	for _, f := range files {
		t.Run(strings.TrimSuffix(filepath.Base(f), ".txt"), func(t *testing.T) {
			t.Parallel()
			harness.RunScript(t, f)
		})
	}
}
