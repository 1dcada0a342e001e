package webhook

import (
	"context"
	"crypto/x509"
	"fmt"
	"net/netip"
	"net/url"
	"path/filepath"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"signalbox/internal/telemetry"
)

// Deps are what a Service stands on.
type Deps struct {
	Store     Store
	Outbox    Outbox
	Wake      <-chan struct{}            // holds a token while there may be new events
	Listeners func() map[string][]string // addresses on which this server listens, by listener; never reached
	DataDir   string                     // where the secret of the management server's events is, unless Config.SecretFile names another file
}

// Service keeps the receivers of events and hands events to them. All methods may be called concurrently.
type Service struct {
	cfg     Config
	deps    Deps
	log     *zap.Logger
	metrics *metrics
	roots   *x509.CertPool // nil: those of the system
	allow   []netip.Prefix
	retries steps
	keys    []Key // of the management server; nil: there is none
	from    int64 // number of the newest event when the service was built

	changing sync.Mutex // held over a change of a receiver with the end of its sender and the start of the next

	mu      sync.Mutex
	senders map[string]*running
	serving context.Context // of Run; nil: it does not run
}

// running is a sender at work.
type running struct {
	*sender
	stop  context.CancelFunc
	ended chan struct{}
}

// New builds the service and starts nothing. It makes the secret of the management server's events if there is none. Errors: the configuration, files that it names.
func New(cfg Config, deps Deps, log *zap.Logger, reg prometheus.Registerer) (*Service, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	s := &Service{cfg: cfg, deps: deps, log: log.Named("webhook"), senders: map[string]*running{}}
	var err error
	if s.metrics, err = newMetrics(reg, s); err != nil {
		return nil, err
	}
	if s.roots, err = LoadRoots(cfg.CAFile); err != nil {
		return nil, fmt.Errorf("ca_file: %w", err)
	}
	if s.allow, err = cfg.allowed(); err != nil {
		return nil, err
	}
	if s.retries, err = cfg.steps(); err != nil {
		return nil, err
	}
	if cfg.Host != "" {
		if s.keys, err = cfg.ManagementKeys(deps.DataDir); err != nil {
			return nil, fmt.Errorf("secret_file: %w", err)
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), changeTimeout)
	defer cancel()
	b, err := deps.Outbox.EventBounds(ctx)
	if err != nil {
		return nil, fmt.Errorf("read where events end: %w", err)
	}
	s.from = b.Newest
	return s, nil
}

// SecretFileName is the file in data_dir with the secret of the management server's events where none is named.
const SecretFileName = "events.secret"

// ManagementKeys returns what signs the management server's events. Where no file is named, one in dataDir is made at the first time.
func (c Config) ManagementKeys(dataDir string) ([]Key, error) {
	if c.SecretFile != "" {
		return LoadKeys(c.SecretFile)
	}
	return LoadOrCreateKeys(filepath.Join(dataDir, SecretFileName), time.Now().UTC())
}

// Run sends until ctx is done and all senders have ended. It is called once.
func (s *Service) Run(ctx context.Context) error {
	for {
		err := s.startAll(ctx)
		if err == nil {
			break
		}
		if ctx.Err() != nil {
			return nil
		}
		s.log.Error("the receivers of events cannot be read yet", telemetry.Cause(err))
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(storeAgain):
		}
	}
	s.follow(ctx)
	s.end()
	return nil
}

// startAll starts the senders of all that is stored. What is changed meanwhile waits, so that it is not started as it was.
func (s *Service) startAll(ctx context.Context) error {
	s.changing.Lock()
	defer s.changing.Unlock()
	if err := s.prepare(ctx); err != nil {
		return err
	}
	all, err := s.deps.Store.Webhooks(ctx)
	if err != nil {
		return err
	}
	s.mu.Lock()
	s.serving = ctx
	s.mu.Unlock()
	for _, w := range all {
		s.start(w, snapshotStart)
	}
	return nil
}

// wakePause is how long senders sleep at least between new events: each time they wake they read the outbox.
const wakePause = 20 * time.Millisecond

// follow wakes the senders when there are new events, until ctx is done.
func (s *Service) follow(ctx context.Context) {
	pause := time.NewTicker(wakePause)
	defer pause.Stop()
	for newest := int64(-1); ; {
		select {
		case <-ctx.Done():
			return
		case <-s.deps.Wake:
		}
		// Not every transaction has events.
		if b, err := s.deps.Outbox.EventBounds(ctx); err != nil || b.Newest != newest {
			newest = b.Newest
			s.wakeAll()
		}
		select {
		case <-ctx.Done():
			return
		case <-pause.C:
		}
	}
}

// prepare brings what is stored of the management server in line with the configuration.
func (s *Service) prepare(ctx context.Context) error {
	_, err := s.deps.Store.Webhook(ctx, Management)
	switch known := err == nil; {
	case err != nil && !isUnknown(err):
		return err
	case !known && s.cfg.Host != "":
		now := time.Now().UTC()
		if _, err := s.deps.Store.CreateWebhook(ctx, Webhook{ID: Management, Enabled: true, Created: now, Updated: now}); err != nil {
			return err
		}
		_, err := s.deps.Store.ChangeWebhook(ctx, Management, func(w *Webhook) error { w.Cursor = s.from; return nil }) // what happened since the start as well
		return err
	case known && s.cfg.Host == "":
		return s.deps.Store.DeleteWebhook(ctx, Management)
	}
	return nil
}

// find returns a webhook as it is stored, with what the configuration says; ErrUnknown.
func (s *Service) find(ctx context.Context, id string) (Webhook, error) {
	w, err := s.deps.Store.Webhook(ctx, id)
	if isUnknown(err) && id == Management && s.cfg.Host != "" { // it does not run yet
		w, err = Webhook{ID: Management}, nil
	}
	return s.configured(w), err
}

// configured fills in what the configuration says of the management server.
func (s *Service) configured(w Webhook) Webhook {
	if w.ID == Management {
		w.URL, w.Types, w.Keys, w.Description, w.Enabled = s.cfg.ManagementURL(), s.cfg.Types, s.keys, "The management server of the configuration.", s.cfg.Host != ""
	}
	return w
}

// end stops all senders and waits for them.
func (s *Service) end() {
	s.changing.Lock()
	defer s.changing.Unlock()
	s.mu.Lock()
	all := s.senders
	s.senders, s.serving = map[string]*running{}, nil
	s.mu.Unlock()
	for _, r := range all {
		r.stop()
	}
	for _, r := range all {
		<-r.ended
	}
}

func (s *Service) wakeAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.senders {
		poke(r.wake)
	}
}

// poke puts a token into a channel that may hold one already.
func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// start begins to send to a webhook that is enabled. changing is held.
func (s *Service) start(w Webhook, snapshot string) {
	w = s.configured(w)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.serving == nil || !w.Enabled || s.serving.Err() != nil {
		return
	}
	t, err := s.target(w)
	if err != nil {
		s.log.Error("events cannot be sent", telemetry.Webhook(w.ID), telemetry.Cause(err))
		return
	}
	ctx, stop := context.WithCancel(s.serving)
	r := &running{sender: s.newSender(w, t, snapshot), stop: stop, ended: make(chan struct{})}
	r.publish()
	s.senders[w.ID] = r
	go func() { // stopped by halt or end, which wait for it
		defer close(r.ended)
		r.run(ctx)
	}()
}

func (s *Service) newSender(w Webhook, t target, snapshot string) *sender {
	var plan schedule = s.retries
	if w.ID == Management {
		plan = doubling(s.cfg.ManagementRetry)
	}
	return &sender{
		hook: w, target: t, client: t.client(), plan: plan, parallel: s.cfg.Parallel, store: s.deps.Store, outbox: s.deps.Outbox, log: s.log,
		count: s.metrics.counter(w.ID), wake: make(chan struct{}, 1), kick: make(chan struct{}, 1), state: w.State, read: w.Cursor,
		flying: map[string]int64{}, tries: map[int64]int{}, aside: map[string][]Aside{}, due: snapshot,
	}
}

// halt ends the sender of a webhook, if there is one, waits for it, and returns why a snapshot is still due, if one is. changing is held.
func (s *Service) halt(id string) (snapshot string) {
	s.mu.Lock()
	r := s.senders[id]
	delete(s.senders, id)
	s.mu.Unlock()
	if r == nil {
		return ""
	}
	r.stop()
	<-r.ended
	return r.due
}

func (s *Service) statusOf(id string) *Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.senders[id]; r != nil {
		return r.status.Load()
	}
	return nil
}

// target says where a webhook's events go.
func (s *Service) target(w Webhook) (target, error) {
	u, err := url.Parse(w.URL)
	if err != nil {
		return target{}, err
	}
	t := target{
		url: u, roots: s.roots, timeout: s.cfg.Timeout, idle: s.cfg.Parallel,
		guard: guard{allow: s.allow, own: s.deps.Listeners, local: localAddrs, any: w.ID == Management},
	}
	if w.ID == Management {
		t.address = s.cfg.Address
	}
	return t, nil
}

func hostOf(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return ""
	}
	return u.Host
}
