package powercut

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"signalbox/tests/crash/rig"
)

// roundsVariable says how many rounds there are.
const roundsVariable = "POWERCUT_ROUNDS"

const (
	defaultRounds = 20
	shortRounds   = 3
)

// The power is cut some time after the load began.
const (
	earliestCut = 500 * time.Millisecond
	latestCut   = 2500 * time.Millisecond
)

func TestMain(m *testing.M) {
	if runControl() {
		return
	}
	if err := removeStale(); err != nil {
		fmt.Fprintln(os.Stderr, "power cuts: what an earlier run left could not be removed:", err)
	}
	os.Exit(m.Run())
}

func rounds(t *testing.T) int {
	t.Helper()
	text := os.Getenv(roundsVariable)
	switch {
	case text == "" && testing.Short():
		return shortRounds
	case text == "":
		return defaultRounds
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("%s=%q is not a number of rounds", roundsVariable, text)
	}
	return n
}

// TestPowerCut cuts the power of the server under load, round after round, and then kills it too: neither may cost anything that was acknowledged.
func TestPowerCut(t *testing.T) {
	s := newStand(t)
	programs, err := rig.Build(s.dir)
	must(t, err)
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(rig.Tail(filepath.Join(s.dir, "server.log")))
		}
	})
	var sum [2]verdict
	n := rounds(t)
	for round := range n {
		for i, v := range cutOnce(t, s, programs, round) {
			sum[i].answered += v.answered
			sum[i].advanced += v.advanced
			sum[i].missing += v.missing
			sum[i].delivered += v.delivered
			sum[i].faults = append(sum[i].faults, v.faults...)
		}
	}
	for i, what := range []string{"power cut", "kill -9"} {
		v := sum[i]
		t.Logf("%s, %d rounds: %d pushes answered, %d missing; %d with an acknowledged state; %d waited and came with their body; %d faults",
			what, n, v.answered, v.missing, v.advanced, v.delivered, len(v.faults))
		for _, f := range v.faults[:min(len(v.faults), 20)] {
			t.Errorf("%s: %s", what, f)
		}
		if v.answered == 0 || v.advanced == 0 || v.delivered == 0 {
			t.Errorf("%s: there was no load", what)
		}
	}
}

// cutOnce runs one round and returns the verdicts after the power cut and after the kill.
func cutOnce(t *testing.T, s *stand, programs rig.Programs, round int) [2]*verdict {
	t.Helper()
	began := time.Now()
	site, err := rig.NewSite(programs, s.dir, s.fresh(t))
	must(t, err)
	must(t, site.MakeToken())
	server, err := site.Launch()
	must(t, err)
	t.Cleanup(server.End)
	must(t, server.AwaitReady(t.Context()))
	api, err := site.Client()
	must(t, err)
	defer api.Close()
	l := &load{site: site, api: api, ledger: newLedger(t, filepath.Join(s.dir, fmt.Sprintf("ledger-%d", round)))}
	cut, stop := l.start(t)
	lasted := earliestCut + rand.N(latestCut-earliestCut)
	must(t, wait(t.Context(), lasted))
	known := readLedger(t, l.ledger.path) // before the picture: what is in it must be in the picture
	must(t, s.takePicture())
	cut()
	must(t, server.Kill())
	stop()
	afterCut := s.verifyPicture(t, site, known)
	afterKill := verify(t, site, s.data(), readLedger(t, l.ledger.path))
	afterKill.faults = append(afterKill.faults, l.faults...)
	t.Logf("round %d, cut after %v: %d answered, %d missing, %d faults; killed: %d answered, %d missing, %d faults; %v in all", round+1, lasted.Round(time.Millisecond),
		afterCut.answered, afterCut.missing, len(afterCut.faults), afterKill.answered, afterKill.missing, len(afterKill.faults), time.Since(began).Round(10*time.Millisecond))
	for _, line := range site.Errors() {
		t.Errorf("the server logged: %s", line)
	}
	return [2]*verdict{afterCut, afterKill}
}

// verifyPicture verifies what the power cut left.
func (s *stand) verifyPicture(t *testing.T, site *rig.Site, known [][]string) *verdict {
	t.Helper()
	must(t, s.cut.attach())
	v := verify(t, site, s.cutData(), known)
	must(t, s.dropPicture())
	return v
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
