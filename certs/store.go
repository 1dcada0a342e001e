package certs

import (
	"context"
	"crypto/tls"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"signalbox/internal/telemetry"
)

// Store holds the bundles that serve, chooses among them and swaps them. All methods may be called concurrently.
type Store struct {
	// Set at construction.
	cfg     Config
	need    Required
	log     *zap.Logger
	reloads *prometheus.CounterVec
	tickets *tickets
	refuse  *tls.Config
	clients *ClientCA // read together with the bundles; nil: none

	// Read by every handshake, replaced whole.
	serves atomic.Pointer[snapshot]

	// reloading is held while files are read; it comes before mu.
	reloading sync.Mutex

	mu      sync.Mutex
	report  Report
	waiting []*Bundle     // refused only because of the time; looked at again when it has come
	healthy bool          // what Serving said when it was last told
	changed chan struct{} // closed and replaced at each change
}

// New reads all bundles and starts nothing. It fails with the [Errors] of the required bundle if that one is missing or
// bad; bad further bundles are in the [Report]. An expired or not yet valid required bundle does not fail: see Serving.
func New(cfg Config, need Required, log *zap.Logger, reg prometheus.Registerer) (*Store, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("certs: %w", err)
	}
	if err := need.validate(); err != nil {
		return nil, err
	}
	s := &Store{
		cfg: cfg, need: need, log: log.Named("certs"),
		reloads: newReloads(), tickets: newTickets(), refuse: refusal(),
		changed: make(chan struct{}),
	}
	s.reloading.Lock()
	defer s.reloading.Unlock()
	r := s.read(time.Now())
	if r.required == nil {
		return nil, fmt.Errorf("required bundle: %w", r.requiredProblems().orNil())
	}
	for _, c := range []prometheus.Collector{s.reloads, collector{s}} {
		if err := reg.Register(c); err != nil {
			return nil, fmt.Errorf("register metrics: %w", err)
		}
	}
	s.apply(r)
	return s, nil
}

// Reload reads all files now, as the watcher does by itself. The error is the context's; what is wrong with the files is
// in the report.
func (s *Store) Reload(ctx context.Context) (Report, error) {
	if err := ctx.Err(); err != nil {
		return Report{}, err
	}
	s.refresh()
	return s.Report(), nil
}

// refresh reads all files and swaps what changed.
func (s *Store) refresh() {
	s.reloading.Lock()
	defer s.reloading.Unlock()
	s.apply(s.read(time.Now()))
	if s.clients != nil {
		s.clients.refresh(s.log)
	}
}

// Follow has ca read again whenever the bundles are, and watched as they are. It must not be called once Run runs.
func (s *Store) Follow(ca *ClientCA) { s.clients = ca }

// apply puts the outcome in force, tells operators what is new and wakes who waits for changes. The caller holds reloading.
func (s *Store) apply(r reading) {
	old := s.serves.Load()
	if old == nil || !slices.Equal(old.bundles, r.bundles) || old.required != r.required {
		s.serves.Store(newSnapshot(r.required, r.bundles))
	}
	healthy := r.required.Valid(r.report.At)

	s.mu.Lock()
	before, first := s.report, old == nil
	isNews := first || !before.says(r.report) || healthy != s.healthy
	s.report, s.waiting, s.healthy = r.report, r.waiting, healthy
	if isNews {
		close(s.changed)
		s.changed = make(chan struct{})
	}
	s.mu.Unlock()

	if isNews {
		s.reloads.WithLabelValues(r.report.result()).Inc()
		s.tell(before, r.report)
	}
}

// tell logs what is different from the report before.
func (s *Store) tell(before, now Report) {
	for _, f := range now.Files {
		if old, ok := before.find(f.Path); ok && old.says(f) {
			continue
		}
		log := s.log.With(telemetry.File(f.Path))
		for _, e := range f.Problems {
			log.Warn("certificate bundle "+f.Outcome.withProblem(), telemetry.Reason(string(e.Code)), telemetry.Detail(e.Error()))
		}
		for _, e := range f.Warnings {
			log.Warn("certificate bundle has a flaw", telemetry.Reason(string(e.Code)), telemetry.Detail(e.Error()))
		}
		if f.Outcome == Loaded {
			log.Info("certificate bundle loaded", telemetry.Detail("valid until "+day(f.NotAfter)))
		}
	}
	for _, f := range before.Files {
		if _, ok := now.find(f.Path); !ok {
			s.log.Info("certificate bundle gone", telemetry.File(f.Path))
		}
	}
}

// Report returns what the last reading found.
func (s *Store) Report() Report {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.report
}

// Bundles returns all bundles that serve, by path.
func (s *Store) Bundles() []*Bundle { return slices.Clone(s.serves.Load().bundles) }

// Required returns the bundle that must be there.
func (s *Store) Required() *Bundle { return s.serves.Load().required }

// Serving says whether endpoints can be served: not while the required bundle is expired or not yet valid, and then reason
// says why. It is true to the moment; Changed tells when to ask again.
func (s *Store) Serving() (ok bool, reason *Error) {
	reason = s.Required().Problem(time.Now())
	return reason == nil, reason
}

// Changed returns a channel that is closed at the next change: a swap, a refused or skipped file, a change of Serving. Take
// the channel first and look afterwards, so that nothing is missed.
func (s *Store) Changed() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.changed
}

func (s *Store) pick(host string) *Bundle {
	return s.serves.Load().pick(host, time.Now())
}
