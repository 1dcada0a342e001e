package doctor

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"signalbox/tests/crash/rig"
)

const buildVariable = "DOCTOR_BUILD_DIR"

// programs builds the programs, once for all tests, into a directory of TestMain.
var programs = sync.OnceValues(func() (rig.Programs, error) { return rig.Build(os.Getenv(buildVariable)) })

func TestMain(m *testing.M) { os.Exit(tests(m)) }

func tests(m *testing.M) int {
	dir, err := os.MkdirTemp("", "signalbox-doctor-")
	if err == nil {
		defer os.RemoveAll(dir)
		err = errors.Join(os.Setenv(buildVariable, dir), sink())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

// sink removes the namespaces of tests that were killed.
func sink() error {
	all, err := filepath.Glob("/run/netns/" + namePrefix + "*")
	for _, path := range all {
		name := filepath.Base(path)
		pid, _, _ := strings.Cut(strings.TrimPrefix(name, namePrefix), "-")
		if _, gone := os.Stat("/proc/" + pid); os.IsNotExist(gone) {
			err = errors.Join(err, ip("netns", "del", name), os.RemoveAll("/etc/netns/"+name))
		}
	}
	return err
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
