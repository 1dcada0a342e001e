package stores

import (
	"os"
	"runtime"
	"strconv"
	"testing"

	"signalbox/tests/beside"
)

// TestSmoke runs every measurement with a few pushes, so that the tool does not rot. It holds no figure against a bound.
func TestSmoke(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("reads /proc")
	}
	for _, name := range []string{Ours, Theirs} {
		t.Run(name, func(t *testing.T) {
			if name == Theirs && !Installed() {
				t.Skip("LEFT OUT: the store's bench with PostgreSQL: it is not installed (Debian package " + packageName + ")")
			}
			results, err := Run(t.Context(), Options{Sides: []string{name}, Scale: Smoke(), Log: t.Logf})
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range rows() {
				if len(results.Values(name, r.key)) == 0 {
					t.Errorf("nothing was measured under %s", r.key)
				}
			}
		})
	}
}

// TestStores measures for real when STORES says so (make bench-store); it takes a quarter of an hour and writes docs/BENCHMARKS.md.
func TestStores(t *testing.T) {
	if os.Getenv("STORES") != "full" {
		t.Skip("measured by make bench-store alone")
	}
	scale := Full()
	if n, err := strconv.Atoi(os.Getenv("STORES_ROUNDS")); err == nil {
		scale.Rounds = n
	}
	results, err := Run(t.Context(), Options{Sides: []string{Ours, Theirs}, Scale: scale, Log: t.Logf})
	if err != nil {
		t.Fatal(err)
	}
	report := Machine(t.Context(), scale) + Report(results)
	t.Log("\n" + report)
	if err := beside.Write("../../docs/BENCHMARKS.md", Target, report); err != nil {
		t.Error(err)
	}
}
