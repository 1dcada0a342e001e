package packages

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
)

const root = "../.."

// The versions that are built, of the same source.
const (
	older = "1.0.0"
	newer = "1.1.0"
)

const buildVariable = "PACKAGES_BUILD_DIR"

// build makes the packages of both versions for this processor, once for all tests, as `make deb` does, in a directory of TestMain, which it returns.
var build = sync.OnceValues(func() (string, error) {
	dir := os.Getenv(buildVariable)
	for _, version := range []string{older, newer} {
		cmd := exec.Command("make", "-C", root, "deb", "VERSION="+version, "ARCHS="+runtime.GOARCH, "DEBS="+dir)
		if out, err := cmd.CombinedOutput(); err != nil {
			return "", fmt.Errorf("make deb: %w\n%s", err, out)
		}
	}
	return dir, nil
})

// deb returns the file of a package.
func deb(t *testing.T, name, version string) string {
	t.Helper()
	dir, err := build()
	must(t, err)
	path := filepath.Join(dir, fmt.Sprintf("%s_%s_%s.deb", name, version, runtime.GOARCH))
	if _, err := os.Stat(path); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "signalbox-packages-")
	if err == nil {
		defer os.RemoveAll(dir)
		err = os.Setenv(buildVariable, dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// leftOut skips a test that cannot run here.
func leftOut(t *testing.T, why string, args ...any) {
	t.Helper()
	t.Skipf("LEFT OUT: packages and units: "+why, args...)
}

// need skips the test where a program is missing.
func need(t *testing.T, program, pkg string) {
	t.Helper()
	if _, err := exec.LookPath(program); err != nil {
		leftOut(t, "%s is missing: apt-get install %s", program, pkg)
	}
}
