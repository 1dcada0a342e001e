package beside

import (
	"os"
	"path/filepath"
	"testing"
)

func TestWriteReplacesOnlyItsPart(t *testing.T) {
	file := filepath.Join(t.TempDir(), "page.md")
	begin, end := marks("bench-some")
	if err := os.WriteFile(file, []byte("before\n"+begin+"old\n"+end+"after\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"one\n", "two\n"} {
		if err := Write(file, "bench-some", text); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(file)
	if want := "before\n" + begin + "\ntwo\n\n" + end + "after\n"; err != nil || string(got) != want {
		t.Errorf("page = %q, %v, want %q", got, err, want)
	}
	if err := os.WriteFile(file, []byte("no marks"), 0o644); err != nil {
		t.Fatal(err)
	}
	if Write(file, "bench-some", "x") == nil {
		t.Error("a page without marks is written to")
	}
}

// TestUsage reads this very process.
func TestUsage(t *testing.T) {
	u, err := Measure(os.Getpid())
	if err != nil {
		t.Skipf("no /proc here: %v", err)
	}
	rss, err := Resident(os.Getpid())
	if err != nil || u.RSS < 1<<20 || u.PSS > u.RSS || rss < u.RSS/2 || rss > 2*u.RSS {
		t.Errorf("RSS %d, PSS %d, resident %d (%v): they do not fit together", u.RSS, u.PSS, rss, err)
	}
}
