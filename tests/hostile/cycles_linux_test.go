package hostile

import (
	"context"
	"errors"
	"fmt"
	"io"

	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// stage is where a visitor goes away again.
type stage struct {
	name  string
	visit func(ctx context.Context, member int) error
}

// stages are all of them, in the order of a login.
func (s *stand) stages(hello string, ids []string) []stage {
	secured := func(then func(*wire, int) error) func(context.Context, int) error {
		return func(ctx context.Context, member int) error {
			w, err := s.connectTLS(ctx, cycleSource(member))
			if err != nil {
				return err
			}
			defer w.abandon()
			return then(w, member)
		}
	}
	return []stage{
		{"TCP", func(ctx context.Context, member int) error { return s.abandonAfter(ctx, member, "") }},
		{"ClientHello", func(ctx context.Context, member int) error { return s.abandonAfter(ctx, member, hello) }},
		{"TLS", secured(func(*wire, int) error { return nil })},
		{"stream header", secured(func(w *wire, _ int) error { return w.say(header) })},
		{"features", secured(func(w *wire, _ int) error { return w.ask(header, "</stream:features>") })},
		{"in SASL", secured(func(w *wire, _ int) error {
			if err := w.ask(header, "</stream:features>"); err != nil {
				return err
			}
			return w.ask(scramText, "<challenge")
		})},
		{"bind", secured(func(w *wire, member int) error { return w.login(ids[member], s.secret(ids[member])) })},
	}
}

// cycleSource spreads members over addresses: one address has too few ports for connections that come and go.
func cycleSource(member int) string { return fmt.Sprintf("127.0.1.%d", 1+member) }

func (s *stand) abandonAfter(ctx context.Context, member int, say string) error {
	w, err := s.connect(ctx, cycleSource(member), "tls")
	if err != nil {
		return err
	}
	defer w.Close()
	if say == "" {
		return nil
	}
	if err := w.say(say); err != nil {
		return err
	}
	var first [1]byte
	_, err = io.ReadFull(w, first[:]) // the server has begun to answer
	return err
}

// cyclists is how many connect and close at the same time.
const cyclists = 8

// cycle makes this many visits of a stage.
func (st stage) cycle(t *testing.T, visits int) {
	t.Helper()
	var left atomic.Int64
	left.Store(int64(visits))
	var members sync.WaitGroup
	var faults [cyclists]error
	for i := range cyclists {
		members.Go(func() {
			for faults[i] == nil && left.Add(-1) >= 0 {
				faults[i] = st.once(t.Context(), i)
			}
		})
	}
	members.Wait()
	if err := errors.Join(faults[:]...); err != nil {
		t.Fatalf("%s: %v", st.name, err)
	}
}

// once is one visit.
func (st stage) once(ctx context.Context, member int) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	return st.visit(ctx, member)
}

// cycleRest keeps the cycles under which honest logins are measured from taking all processors.
const cycleRest = 20 * time.Millisecond

// databaseCache is what the page caches of the database may take more than at the beginning. Bound sessions are noted there, so they fill, up to their bounds of
// 8 MiB for the writer and 2 MiB for each reader.
const databaseCache = 22 << 20

// TestConnectAndClose: connections that come and go, at every stage, leave neither memory nor goroutines nor descriptors behind.
func TestConnectAndClose(t *testing.T) {
	s := newStand(t, settings{})
	ids := s.register("cyclist", cyclists)
	honest := s.register("honest", 1)[0]
	stopWitnesses := s.witnesses()
	stages := s.stages(clientHello(t, s.tls), ids)
	each := cycles(t) / len(stages)
	for _, st := range stages {
		st.cycle(t, 200) // what is made once and kept
	}
	_, err := s.times(honest, loginsPerRound)
	must(t, err)
	base := s.settled()
	for _, st := range stages {
		before, stopWatching, begun := s.settled(), s.watch(), time.Now()
		st.cycle(t, each)
		took, peak := time.Since(begun), stopWatching()
		a := attack{members: 2, rest: cycleRest, visit: func(ctx context.Context, member int, standing func()) error {
			defer standing()
			return st.visit(ctx, member)
		}}
		ratio, tried := s.compare(honest, func() func() {
			c := a.start(t, a.members)
			return func() { c.stop(t) }
		})
		if st.name == "bind" {
			base.rss += databaseCache
		}
		after, calm := s.calm(honest, base, peak)
		t.Logf("FIGURES %d cycles to %s in %v: base %v; peak %v; after %v, %v later; honest login x%.2f in attempt %d",
			each, st.name, took.Round(time.Second), before, peak, after, calm.Round(time.Second), ratio, tried)
		if ratio > mostRatio {
			t.Errorf("%s: honest logins take %.2f times as long, at most %v", st.name, ratio, mostRatio)
		}
	}
	t.Logf("%d pushes to witnesses", stopWitnesses())
}
