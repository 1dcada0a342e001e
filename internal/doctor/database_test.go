package doctor

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestDatabase(t *testing.T) {
	for _, tc := range []struct {
		name string
		edit func(*testing.T, *examination)
		want []string
	}{
		{"none yet", func(*testing.T, *examination) {}, []string{", space: ", "/signalbox.db: there is no database yet"}},
		{"gone beside a server", func(_ *testing.T, x *examination) { x.Running = map[string][]string{} }, []string{", space: ", ": a server runs, and its database is gone"}},
		{"made, and never opened", func(t *testing.T, x *examination) { put(t, filepath.Join(x.Config.DataDir, "signalbox.db"), nil) },
			[]string{", space: ", "has schema version 0; this program has ", "write: can be written"}},
		{"a directory in its place", func(t *testing.T, x *examination) {
			if err := os.Mkdir(filepath.Join(x.Config.DataDir, "signalbox.db"), 0o700); err != nil {
				t.Fatal(err)
			}
		}, []string{", space: ", "is a directory"}},
		{"no place", func(_ *testing.T, x *examination) { x.Config.Store.URL = "mysql://x" }, []string{"warning database: not checked"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			x := example(t)
			tc.edit(t, x)
			x.take(t.Context(), []Step{Store})
			withoutDisk(x)
			wantLines(t, x, append([]string{"ok signalbox.yaml"}, tc.want...)...)
		})
	}
}

func TestSpace(t *testing.T) {
	x := example(t)
	x.judgeSpace("/d", leastFree)
	x.judgeSpace("/d", leastFree-1)
	x.judgeSpace("/d", nothingFree-1)
	wantLines(t, x, "ok /d, space: 1024 MiB are free", "warning /d, space: 1023 MiB are free; without space pushes are refused",
		"wrong /d, space: 31 MiB are free: pushes are refused with 507, or will be soon")
}

// withoutDisk leaves out what is said of the disk of the tests themselves.
func withoutDisk(x *examination) {
	x.checks = slices.DeleteFunc(x.checks, func(c Check) bool {
		return strings.HasSuffix(c.Check, ", file system") || strings.HasSuffix(c.Check, ", sync")
	})
}
