package agent

import (
	"testing"
	"time"

	"go.uber.org/zap"

	"signalbox/internal/agent/journal"
)

var (
	testTime = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	testKeep = journal.Keep{Age: time.Hour, Count: 100}
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// mustOpen opens the journal in dir until the test ends.
func mustOpen(t *testing.T, dir string) *journal.Journal {
	t.Helper()
	j, err := journal.Open(dir, testKeep, testTime, zap.NewNop())
	must(t, err)
	t.Cleanup(func() { j.Close() })
	return j
}

// view is what tests ask of a journal.
type view struct {
	Phases  map[string]journal.Phase
	Results map[string]Result
}

func look(t *testing.T, j *journal.Journal) view {
	t.Helper()
	v := view{map[string]journal.Phase{}, map[string]Result{}}
	for _, ph := range []journal.Phase{journal.Received, journal.Started, journal.Done, journal.Covered} {
		for _, id := range j.Open(ph) {
			v.Phases[id] = ph
			res, ok, err := j.Result(id)
			must(t, err)
			if ok {
				v.Results[id] = res
			}
		}
	}
	return v
}

func receive(t *testing.T, j *journal.Journal, p Push) {
	t.Helper()
	if known, err := j.Receive(p, testTime); err != nil || known {
		t.Fatalf("Receive(%s) = %v, %v, want false, nil", p.ID, known, err)
	}
}
