package crash

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"signalbox/internal/client"
	"signalbox/tests/crash/rig"
)

// killsVariable says how often each test kills.
const killsVariable = "CRASH_KILLS"

const (
	defaultKills = 500
	shortKills   = 25
)

// programs builds the programs, once for all tests, into a directory of TestMain.
var programs = sync.OnceValues(func() (rig.Programs, error) { return rig.Build(os.Getenv(buildVariable)) })

const buildVariable = "CRASH_BUILD_DIR"

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "signalbox-crash-")
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

func kills(t *testing.T) int {
	t.Helper()
	text := os.Getenv(killsVariable)
	switch {
	case text == "" && testing.Short():
		return shortKills
	case text == "":
		return defaultKills
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("%s=%q is not a number of kills", killsVariable, text)
	}
	return n
}

// newSite makes an installation with a token. What the programs said is shown if the test fails.
func newSite(t *testing.T) *rig.Site {
	t.Helper()
	dir := t.TempDir()
	built, err := programs()
	must(t, err)
	site, err := rig.NewSite(built, dir, filepath.Join(dir, "data"))
	must(t, err)
	must(t, site.MakeToken())
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(site.Tails())
		}
	})
	return site
}

func launch(t *testing.T, site *rig.Site) *rig.Server {
	t.Helper()
	s, err := site.Launch()
	must(t, err)
	t.Cleanup(s.End)
	return s
}

// agent is the agent of a site.
type agent struct {
	*rig.Agent
	state string
}

func newAgent(t *testing.T, site *rig.Site, api *client.Client) *agent {
	t.Helper()
	a, err := site.NewAgent(t.Context(), api, agentID)
	must(t, err)
	return &agent{a, filepath.Join(site.Dir, "agent-state")}
}

func (a *agent) start(t *testing.T) *rig.Process {
	t.Helper()
	p, err := a.Start(a.state)
	must(t, err)
	t.Cleanup(p.End)
	return p
}

// pause waits for d, or fails if the program ends by itself meanwhile.
func pause(t *testing.T, p *rig.Process, d time.Duration) {
	t.Helper()
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-p.Ended():
		t.Fatal(p.Alive())
	}
}

// between returns a random time.
func between(low, high time.Duration) time.Duration { return low + rand.N(high-low) }

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// lines shows a few of many faults.
func lines(faults []string) string {
	const most = 20
	text := ""
	for i, f := range faults {
		if i == most {
			return text + fmt.Sprintf("\n... and %d more", len(faults)-most)
		}
		text += "\n" + f
	}
	return text
}
