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
	fewFiles    = 256 // descriptors of the server in these tests
	manySockets = 400 // connections that want one each
	apiCallers  = 16
)

// TestNoFilesLeft has strangers, or whoever reaches the port of the API, ask for more descriptors than the server may have: whoever is there is served on, and when
// descriptors come back so does the server.
func TestNoFilesLeft(t *testing.T) {
	for _, tc := range []struct {
		name   string
		addr   func(*stand) string
		metric string // counts what was refused
		within int    // of fewFiles are used at most
		api    bool   // has room for new callers meanwhile
	}{
		// Some are kept from endpoints, so that the management server can still connect.
		{"by endpoints", func(s *stand) string { return s.addr("tls") }, `signalbox_listen_closed_total{reason="too_many_connections"}`, fewFiles - 1, true},
		{"by callers of the API", func(s *stand) string { return strings.TrimPrefix(s.site.API, "http://") }, `signalbox_listen_accept_errors_total{kind="files"}`, fewFiles + 1, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := newStand(t, settings{files: fewFiles})
			honest, callers := s.register("honest", 1)[0], s.register("caller", apiCallers)
			stopWitnesses := s.witnesses()
			s.callAll(callers, func(string) error { return s.api.Live(t.Context()) }) // so that these many connections to the API are open
			_, err := s.times(honest, loginsPerRound)
			must(t, err)
			base := s.settled()
			stopWatching := s.watch()

			c := s.takeFiles(tc.addr(s)).start(t, manySockets)
			knock, stopKnocking := context.WithCancel(t.Context())
			go s.knock(knock) // ends with the context
			var refused float64
			await(t, patience, func() bool {
				m, err := s.metrics(t.Context())
				must(t, err) // over a connection that was there before
				refused = m[tc.metric]
				return refused > 0
			}, func() string { return "nothing was refused" })
			for range 20 {
				s.askAll(callers)
				rest(t.Context(), 100*time.Millisecond)
			}
			if tc.api {
				caller, err := s.site.Client()
				must(t, err)
				must(t, caller.Live(t.Context()))
				caller.Close()
			}
			stopKnocking()
			c.stop(t)
			peak := stopWatching()
			if peak.files < fewFiles*8/10 || peak.files > tc.within {
				t.Errorf("%d of %d files were in use, want %d to %d", peak.files, fewFiles, fewFiles*8/10, tc.within)
			}
			after, took := s.calm(honest, base, peak)
			t.Logf("FIGURES base %v; peak %v; after %v, %v later; %v refused; %d pushes to witnesses", base, peak, after, took.Round(time.Second), refused, stopWitnesses())
			s.wantComplaints(t, "cannot accept", 1)
		})
	}
}

// takeFiles is a crowd of silent connections to a port.
func (s *stand) takeFiles(addr string) attack {
	return attack{rest: askRest, visit: func(ctx context.Context, _ int, standing func()) error {
		w, err := s.connectBy(ctx, dialer(hostileSource), addr)
		if err != nil {
			return err
		}
		standing()
		if _, err := w.outcome(); !errors.Is(err, errClosed) {
			return err
		}
		return nil
	}}
}

// knock tries to connect as an endpoint, again and again, whatever comes of it.
func (s *stand) knock(ctx context.Context) {
	for ctx.Err() == nil {
		if w, err := s.connect(ctx, honestSource, "tls"); err == nil {
			rest(ctx, askRest)
			_ = w.Close()
		}
	}
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
