package hostile

import (
	"context"
	"errors"
	"os"
	"strings"
	"sync"
	"testing"
	"time"
)

const (
	fewFiles    = 160 // descriptors of the server in TestNoFilesLeft
	manySockets = 400 // connections that want one each
	apiCallers  = 16
)

// TestNoFilesLeft takes all descriptors that the server may have: whoever is there is served on, and when they come back so does the server.
func TestNoFilesLeft(t *testing.T) {
	s := newStand(t, settings{files: fewFiles})
	honest := s.register("honest", 1)[0]
	callers := s.register("caller", apiCallers)
	stopWitnesses := s.witnesses()
	s.callAll(callers, func(string) error { return s.api.Live(t.Context()) }) // so that these many connections to the API are open
	_, err := s.times(honest, loginsPerRound)
	must(t, err)
	base := s.settled()
	stopWatching := s.watch()

	c := attack{visit: func(ctx context.Context, _ int, standing func()) error {
		w, err := s.connect(ctx, hostileSource, "tls")
		if err != nil {
			return err
		}
		standing()
		if _, err := w.outcome(); !errors.Is(err, errClosed) {
			return err
		}
		return nil
	}}.start(t, manySockets)
	var refused float64
	await(t, patience, func() bool {
		m, err := s.metrics(t.Context())
		must(t, err) // over a connection that was there before
		refused = m[`signalbox_listen_accept_errors_total{kind="files"}`] + m[`signalbox_listen_closed_total{reason="too_many_connections"}`]
		return refused > 0
	}, func() string { return "the server has files left" })
	for range 20 {
		s.askAll(callers)
		rest(t.Context(), 200*time.Millisecond)
	}
	c.stop(t)
	peak := stopWatching()
	if peak.files < fewFiles*8/10 {
		t.Errorf("at most %d of %d files were in use", peak.files, fewFiles)
	}
	after, took := s.calm(honest, base, peak)
	t.Logf("FIGURES no files left: base %v; peak %v; after %v, %v later; %v refused; %d pushes to witnesses", base, peak, after, took.Round(time.Second), refused, stopWitnesses())
	s.wantComplaints(t, "cannot accept", 2)
}

// askAll has the API read of the store for all of them at the same time.
func (s *stand) askAll(ids []string) {
	s.t.Helper()
	s.callAll(ids, func(id string) error {
		_, errRead := s.api.Endpoint(s.t.Context(), id)
		_, errPresence := s.api.Presence(s.t.Context(), id)
		return errors.Join(errRead, errPresence)
	})
}

// callAll calls for all of them at the same time, over as many connections, which stay open.
func (s *stand) callAll(ids []string, call func(id string) error) {
	s.t.Helper()
	var calling sync.WaitGroup
	faults := make([]error, len(ids))
	for i, id := range ids {
		calling.Go(func() {
			for range 4 {
				faults[i] = errors.Join(faults[i], call(id))
			}
		})
	}
	calling.Wait()
	must(s.t, errors.Join(faults...))
}

// wantComplaints fails if the server complained of something else, or too often.
func (s *stand) wantComplaints(t *testing.T, about string, most int) {
	t.Helper()
	text, err := os.ReadFile(s.log())
	must(t, err)
	n := 0
	for line := range strings.Lines(string(text)) {
		f := strings.Fields(line)
		if len(f) < 2 || f[1] != "error" && f[1] != "warn" {
			continue
		}
		if n++; !strings.Contains(line, about) || n > most {
			t.Errorf("complaint %d: %s", n, line)
		}
	}
}
