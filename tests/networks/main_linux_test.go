package networks

import (
	"flag"
	"fmt"
	"os"
	"strconv"
	"sync"
	"testing"

	"signalbox/tests/crash/rig"
)

// atOnce is how many networks stand at the same time.
const atOnce = 8

const buildVariable = "NETWORKS_BUILD_DIR"

// programs builds the programs, once for all tests, into a directory of TestMain.
var programs = sync.OnceValues(func() (rig.Programs, error) { return rig.Build(os.Getenv(buildVariable)) })

func TestMain(m *testing.M) {
	if ran, status := asTechnician(); ran {
		os.Exit(status)
	}
	os.Exit(tests(m))
}

func tests(m *testing.M) int {
	dir, err := os.MkdirTemp("", "signalbox-networks-")
	if err == nil {
		defer os.RemoveAll(dir)
		err = os.Setenv(buildVariable, dir)
	}
	if err == nil {
		err = sink()
	}
	if err == nil { // the tests wait for networks, not for processors
		flag.Parse()
		err = flag.Set("test.parallel", strconv.Itoa(atOnce))
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
