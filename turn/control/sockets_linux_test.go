package control

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestSocketsAreNotWatched: datagrams for the child must not wake this process, so the runtime's poller does not have its sockets.
func TestSocketsAreNotWatched(t *testing.T) {
	s, _, _ := openSockets(t, t.TempDir())
	infos, err := filepath.Glob("/proc/self/fdinfo/*")
	must(t, err)
	watched := map[string]bool{}
	for _, path := range infos {
		text, _ := os.ReadFile(path) // one of them may be gone
		for line := range strings.Lines(string(text)) {
			var fd int
			if n, _ := fmt.Sscanf(line, "tfd: %d", &fd); n == 1 {
				watched[fmt.Sprint(fd)] = true
			}
		}
	}
	if len(watched) == 0 {
		t.Fatal("the poller watches nothing: the test does not see it")
	}
	for i, f := range s.files {
		if watched[fmt.Sprint(f.Fd())] {
			t.Errorf("the poller watches %+v", s.list[i])
		}
	}
}
