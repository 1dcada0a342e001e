package endpoint

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestProbe(t *testing.T) {
	for _, tc := range []struct {
		name string
		do   func(r *Registry, m *machine) // once it is asked; nil: nothing
		want ProbeState
		took time.Duration
	}{
		{"answers", func(_ *Registry, m *machine) { m.say(true) }, ProbeOnline, time.Second},
		{"says nothing", nil, ProbeUnresponsive, probeWait},
		{"is lost", func(r *Registry, m *machine) {
			r.Suspend(pc1, m, 0, ReasonConnectionLost)
			m.say(false)
		}, ProbeOffline, time.Second},
		{"ends", func(_ *Registry, m *machine) {
			m.End(ReasonClosedByPeer)
			m.say(false)
		}, ProbeOffline, time.Second},
		{"is replaced by one that is online", func(r *Registry, m *machine) {
			young := newMachine(r, "b")
			young.last = time.Now()
			if err := r.Bind(pc1, young); err != nil {
				panic(err)
			}
			m.say(false)
		}, ProbeOnline, time.Second},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r, _, _ := newTestRegistry(t)
				m := newMachine(r, "a")
				m.dead = true
				m.login(t)
				if tc.do != nil {
					time.AfterFunc(time.Second, func() { tc.do(r, m) })
				}
				begun := time.Now()
				var all sync.WaitGroup
				for range 10 {
					all.Go(func() {
						got, err := r.Probe(t.Context(), pc1)
						if err != nil || got.State != tc.want || (got.RTT == time.Second) != (tc.want == ProbeOnline) {
							t.Errorf("Probe = %+v, %v, want %s", got, err, tc.want)
						}
					})
				}
				all.Wait()
				if took := time.Since(begun); took != tc.took || m.pings != 1 {
					t.Errorf("took %v with %d questions, want %v and one", took, m.pings, tc.took)
				}
				if len(r.probes.running) != 0 {
					t.Errorf("%d probes are left", len(r.probes.running))
				}
			})
		})
	}
}

func TestProbeWithoutSession(t *testing.T) {
	r, _, _ := newTestRegistry(t)
	if got, err := r.Probe(t.Context(), pc1); err != nil || got.State != ProbeOffline {
		t.Errorf("Probe = %+v, %v, want offline", got, err)
	}
	f := &fake{r: r, k: pc1} // cannot be asked, as a session without a stream
	if err := f.bind(); err != nil {
		t.Fatal(err)
	}
	r.Suspend(pc1, f, 0, ReasonSilent)
	if got, err := r.Probe(t.Context(), pc1); err != nil || got.State != ProbeOffline {
		t.Errorf("Probe of a suspended session = %+v, %v, want offline", got, err)
	}
}

func TestProbesAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _, _ := newTestRegistry(t)
		m := newMachine(r, "a")
		m.dead = true
		m.login(t)
		for i := range maxProbes {
			r.probe(&machine{dead: true, pings: i})
		}
		if _, err := r.Probe(t.Context(), pc1); !errors.Is(err, ErrProbes) {
			t.Errorf("Probe = %v, want ErrProbes", err)
		}
		time.Sleep(probeWait)
		synctest.Wait() // until all of them have seen that their time is over
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		if _, err := r.Probe(ctx, pc1); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Probe = %v, want that its caller is gone", err)
		}
		time.Sleep(probeWait)
	})
}
