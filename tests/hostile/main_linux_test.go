package hostile

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"signalbox/tests/crash/rig"
)

// How big the attacks are.
const (
	cyclesVariable = "HOSTILE_CYCLES" // connections that come and go, over all stages
	crowdVariable  = "HOSTILE_CROWD"  // connections that stand at the same time
)

const (
	defaultCycles = 35_000
	shortCycles   = 1400
	defaultCrowd  = 1000
	shortCrowd    = 200
)

const buildVariable = "HOSTILE_BUILD_DIR"

// programs builds the programs, once for all tests, into a directory of TestMain.
var programs = sync.OnceValues(func() (rig.Programs, error) { return rig.Build(os.Getenv(buildVariable)) })

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "signalbox-hostile-")
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

func cycles(t *testing.T) int { return size(t, cyclesVariable, defaultCycles, shortCycles) }

func crowdSize(t *testing.T) int { return size(t, crowdVariable, defaultCrowd, shortCrowd) }

func size(t *testing.T, variable string, usual, short int) int {
	t.Helper()
	text := os.Getenv(variable)
	switch {
	case text == "" && testing.Short():
		return short
	case text == "":
		return usual
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 100 {
		t.Fatalf("%s=%q is not a number from 100", variable, text)
	}
	return n
}

// patience is how long something may take that must come; only what fails waits it out.
const patience = 60 * time.Second

// await looks until ok is true, and fails with what problem says if that does not come in time.
func await(t *testing.T, limit time.Duration, ok func() bool, problem func() string) {
	t.Helper()
	look := time.NewTicker(50 * time.Millisecond)
	defer look.Stop()
	end := time.After(limit)
	for !ok() {
		select {
		case <-look.C:
		case <-end:
			t.Fatalf("not within %v: %s", limit, problem())
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func median(d []time.Duration) time.Duration {
	d = slices.Sorted(slices.Values(d))
	return d[len(d)/2]
}
