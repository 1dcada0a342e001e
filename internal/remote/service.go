package remote

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"signalbox/internal/audit"
	"signalbox/internal/endpoint"
	"signalbox/internal/id"
	"signalbox/internal/signalling"
)

// patience is how long the store and the TURN server may take to do what must not be left half done.
const patience = 10 * time.Second

// Deps is what the broker stands on.
type Deps struct {
	Store     Store
	Audit     Audit
	Presences Presences
	Endpoints Endpoints
	TURN      TURN
	Relay     Relay
	Seal      func(signalling.Grant) (string, error) // signs with the server's identity key
	RelayURL  func() string                          // with which the URLs of the relay begin
}

// Service is the life of remote sessions on this node. All methods may be called concurrently.
//
// What happens in one session happens in a queue of its own (queue.go), one thing after the other: so its parties are told everything in order, and whoever waits for the
// store or the TURN server holds up this session alone.
type Service struct {
	cfg     Config
	deps    Deps
	log     *zap.Logger
	metrics metrics
	workers workers
	recent  recent

	mu          sync.Mutex // a leaf
	last        ID         // the newest that was given out
	restored    bool
	sessions    map[ID]*live             // those that are open, and those that ended a short while ago
	endpoints   map[endpoint.Key][]*live // those that are open, the newest last; no empty lists
	technicians map[person]int           // how many are open; no zeros
	open        int                      // all of these
}

// person is a technician.
type person struct{ domain, id string }

// New returns a broker that has started nothing. Sessions are served from Restore on, while Run runs.
func New(cfg Config, deps Deps, log *zap.Logger, reg prometheus.Registerer) *Service {
	return &Service{
		cfg: cfg, deps: deps, log: log.Named("remote"), metrics: newMetrics(reg),
		sessions: map[ID]*live{}, endpoints: map[endpoint.Key][]*live{}, technicians: map[person]int{},
	}
}

// admit gives out an id and a place among those that are open. Errors: *LimitError, ErrUnavailable.
func (s *Service) admit(record Session) (*live, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	key, who := endpoint.Key{Domain: record.Domain, ID: record.Endpoint}, person{record.Domain, record.Technician.ID}
	switch {
	case !s.restored:
		return nil, ErrUnavailable
	case s.open >= MaxOpen:
		return nil, &LimitError{LimitServer, MaxOpen}
	case len(s.endpoints[key]) >= s.cfg.MaxPerEndpoint:
		return nil, &LimitError{LimitEndpoint, s.cfg.MaxPerEndpoint}
	case s.technicians[who] >= s.cfg.MaxPerTechnician:
		return nil, &LimitError{LimitTechnician, s.cfg.MaxPerTechnician}
	}
	s.last = ID(id.Next(int64(s.last), record.Created))
	record.ID = s.last
	return s.placeLocked(record), nil
}

// placeLocked gives a session a place among those that are open.
func (s *Service) placeLocked(record Session) *live {
	l := newLive(s, record)
	s.sessions[l.id] = l
	s.endpoints[l.key] = append(s.endpoints[l.key], l)
	s.technicians[l.who]++
	s.open++
	s.metrics.open.Set(float64(s.open))
	return l
}

// over takes a session that has ended from those that are open. It is still found until forget.
func (s *Service) over(l *live) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !slices.Contains(s.endpoints[l.key], l) {
		return
	}
	left := slices.DeleteFunc(s.endpoints[l.key], func(o *live) bool { return o == l })
	if s.endpoints[l.key] = left; len(left) == 0 {
		delete(s.endpoints, l.key)
	}
	if s.technicians[l.who]--; s.technicians[l.who] == 0 {
		delete(s.technicians, l.who)
	}
	s.open--
	s.metrics.open.Set(float64(s.open))
}

// forget lets a session that is over go.
func (s *Service) forget(l *live) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.sessions, l.id)
}

// find returns the session of an id, or nil.
func (s *Service) find(id ID) *live {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sessions[id]
}

// of returns the open sessions of an endpoint.
func (s *Service) of(k endpoint.Key) []*live {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.endpoints[k])
}

// all returns the sessions for which want is true; it is called with the lock held.
func (s *Service) all(want func(*live) bool) (some []*live) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.sessions {
		if want(l) {
			some = append(some, l)
		}
	}
	return some
}

// Session returns one as it is now, or ErrUnknown.
func (s *Service) Session(ctx context.Context, domain string, id ID) (Session, error) {
	if l := s.find(id); l != nil && l.key.Domain == domain {
		if now := l.now(); !now.Created.IsZero() {
			return now, nil
		}
	}
	return s.deps.Store.RemoteSession(ctx, domain, id)
}

// List returns up to q.Limit sessions, the newest first; what they have moved is as it was noted last.
func (s *Service) List(ctx context.Context, q Query) ([]Session, error) {
	return s.deps.Store.RemoteSessions(ctx, q)
}

// End ends a session, if it has not ended before, and returns it as it ended. reason is the name of a Reason of callers; any other counts as management_ended.
// Errors: ErrUnknown, those of the store, with which the session is over all the same.
func (s *Service) End(ctx context.Context, domain string, id ID, reason string, by Caller) (Session, error) {
	l := s.find(id)
	if l == nil || l.key.Domain != domain {
		return s.deps.Store.RemoteSession(ctx, domain, id)
	}
	if err := l.do(ctx, func() error { return l.end(among(reason, callerReasons), "", by.actor()) }); err != nil {
		return Session{}, err
	}
	return l.now(), nil
}

// Change changes the limits of a session. Errors: turnsession.FieldErrors, ErrUnknown, *EndedError, those of the store.
func (s *Service) Change(ctx context.Context, domain string, id ID, c Change, by Caller) (Session, error) {
	l, err := s.current(ctx, domain, id)
	if err == nil {
		err = l.do(ctx, func() error { return l.change(c, by) })
	}
	if err != nil {
		return Session{}, err
	}
	return l.now(), nil
}

// Renew makes a new token, and new credentials for TURN. The token before lets nobody in any more; whoever is in stays. Errors: ErrUnknown, *EndedError, those of the store.
func (s *Service) Renew(ctx context.Context, domain string, id ID, by Caller) (Opened, error) {
	l, err := s.current(ctx, domain, id)
	if err != nil {
		return Opened{}, err
	}
	return ask(ctx, &l.queue, func() (Opened, error) { return l.renew(by) })
}

// current finds one that has not ended. Errors: ErrUnknown, *EndedError, those of the store.
func (s *Service) current(ctx context.Context, domain string, id ID) (*live, error) {
	if l := s.find(id); l != nil && l.key.Domain == domain {
		return l, nil
	}
	record, err := s.deps.Store.RemoteSession(ctx, domain, id)
	if err != nil {
		return nil, err
	}
	return nil, &EndedError{record.Reason, record.Detail}
}

// TechnicianDisabled ends the sessions of a technician whose account was disabled or deleted. It does not block.
func (s *Service) TechnicianDisabled(domain, technician string) {
	for _, l := range s.all(func(l *live) bool { return l.who == person{domain, technician} }) {
		l.post(func() { l.endNoted(ReasonTechnicianDisabled, "", audit.Server) })
	}
}

// EndpointDeleted ends the sessions of an endpoint that was deleted. It does not block.
func (s *Service) EndpointDeleted(k endpoint.Key) {
	for _, l := range s.of(k) {
		l.post(func() { l.endNoted(ReasonEndpointRemoved, "", audit.Server) })
	}
}
