package peers

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestReport(t *testing.T) {
	r := &Results{}
	for _, v := range []float64{0.5, 0.7, 0.6} {
		r.add("Signalbox", "login/cpu", v)
		r.add("ejabberd", "login/cpu", 2*v)
		r.add("ejabberd", "failed", 1)
	}
	got := r.Report(Servers())
	for _, want := range []string{
		"| CPU per login (TLS, SCRAM-SHA-256, bind) | ms | 0.60 (0.50..0.70) | 1.20 (1..1.40) | 2x | - |  | 1.2 ms | 0.8 ms |\n",
		"| lost, doubled or disordered stanzas, failed logins, lost sessions |  | - | 3 |  | - |  | 0 | 0 |\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("the report has no line\n%s\nin\n%s", want, got)
		}
	}
}

func TestWriteReplacesOnlyItsPart(t *testing.T) {
	file := filepath.Join(t.TempDir(), "page.md")
	if err := os.WriteFile(file, []byte("before\n"+reportBegin+"old\n"+reportEnd+"after\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"one\n", "two\n"} {
		if err := Write(file, text); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(file)
	if want := "before\n" + reportBegin + "\ntwo\n\n" + reportEnd + "after\n"; err != nil || string(got) != want {
		t.Errorf("page = %q, %v, want %q", got, err, want)
	}
	if err := os.WriteFile(file, []byte("no marks"), 0o644); err != nil {
		t.Fatal(err)
	}
	if Write(file, "x") == nil {
		t.Error("a page without marks is written to")
	}
}

// TestUsage reads this very process.
func TestUsage(t *testing.T) {
	u, err := measure(os.Getpid())
	if err != nil {
		t.Skipf("no /proc here: %v", err)
	}
	rss, err := resident(os.Getpid())
	if err != nil || u.RSS < 1<<20 || u.PSS > u.RSS || rss < u.RSS/2 || rss > 2*u.RSS {
		t.Errorf("RSS %d, PSS %d, resident %d (%v): they do not fit together", u.RSS, u.PSS, rss, err)
	}
}
