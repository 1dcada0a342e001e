package endpoint

import (
	"slices"
	"sync"
	"testing"
)

// slow is a watcher that loses its processor while it hears of a change of one kind.
type slow struct {
	kind     ChangeKind
	in, gate chan struct{}

	mu   sync.Mutex
	list []ChangeKind
}

func (w *slow) SessionChanged(c Change) {
	if c.Kind == w.kind {
		close(w.in)
		<-w.gate
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.list = append(w.list, c.Kind)
}

// TestWatchersHearInOrder: whoever is held up while it tells of a change, the next one is told after it.
func TestWatchersHearInOrder(t *testing.T) {
	for _, c := range []struct {
		name        string
		kind        ChangeKind
		first, then func(*Registry, *fake)
		want        []ChangeKind
	}{
		{
			"suspended, then resumed", Suspended,
			func(r *Registry, s *fake) { r.Suspend(pc1, s, 0, ReasonConnectionLost) },
			func(r *Registry, s *fake) { r.Resume(pc1, s, 1) },
			[]ChangeKind{Bound, Suspended, Resumed},
		},
		{
			"available, then ended", Available,
			func(r *Registry, s *fake) { r.Available(pc1, s, true) },
			func(_ *Registry, s *fake) { s.End(ReasonShutdown) },
			[]ChangeKind{Bound, Available, Ended},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, _, _ := newTestRegistry(t)
			w := &slow{kind: c.kind, in: make(chan struct{}), gate: make(chan struct{})}
			r.Watch(w)
			s := &fake{r: r, k: pc1}
			s.bind()
			var wg sync.WaitGroup
			wg.Go(func() { c.first(r, s) })
			<-w.in
			c.then(r, s) // waits for nobody's watcher
			close(w.gate)
			wg.Wait()
			if !slices.Equal(w.list, c.want) {
				t.Errorf("told %v, want %v", w.list, c.want)
			}
		})
	}
}
