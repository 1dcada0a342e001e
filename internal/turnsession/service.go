package turnsession

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"signalbox/internal/endpoint"
	"signalbox/internal/telemetry"
)

// within is how long the TURN server and the store may take to do what nobody waits for, or what must not be left half done.
const within = 10 * time.Second

// Service is the life of sessions on this node. All methods may be called concurrently.
type Service struct {
	store     Store
	turn      TURN // nil: there is none
	sightings Sightings
	log       *zap.Logger
	metrics   metrics
	wake      chan struct{}

	mu      sync.Mutex
	last    ID                       // the newest that was given out
	live    map[ID]*live             // those that are open, and those whose end is not stored yet
	parties map[endpoint.Key][]*live // the same by the endpoints whose sides they are, the newest last; no empty lists
	closed  bool                     // Run has ended or is about to
}

// New returns a service that has started nothing. A nil turn stands for no TURN server: nothing can be opened, and records can be read.
func New(store Store, turn TURN, sightings Sightings, log *zap.Logger, reg prometheus.Registerer) *Service {
	return &Service{
		store: store, turn: turn, sightings: sightings, log: log.Named("turnsession"), metrics: newMetrics(reg), wake: make(chan struct{}, 1),
		live: map[ID]*live{}, parties: map[endpoint.Key][]*live{},
	}
}

// Open opens a session and returns it with the credentials of both sides.
//
// Errors: FieldErrors, PartyError, ErrOff, ErrUnavailable, ErrTooMany, those of the store.
func (s *Service) Open(ctx context.Context, domain string, spec Spec, by Caller) (Session, [2]Credentials, error) {
	if s.turn == nil {
		return Session{}, [2]Credentials{}, ErrOff
	}
	if err := spec.Validate(); err != nil {
		return Session{}, [2]Credentials{}, err
	}
	l, err := s.admit(domain, spec, by)
	if err != nil {
		return Session{}, [2]Credentials{}, err
	}
	if err := s.checkParties(ctx, domain, &spec); err != nil { // asked now, a deletion is found here or told to PartyDeleted
		s.forget(l)
		l.release()
		return Session{}, [2]Credentials{}, err
	}
	if err := s.begin(ctx, l); err != nil {
		s.undo(ctx, l, err)
		return Session{}, [2]Credentials{}, err
	}
	return l.Session, s.credentials(l), nil
}

// begin has the TURN server serve a session and then keeps its record: without that nobody gets its credentials.
func (s *Service) begin(ctx context.Context, l *live) error {
	defer l.release()
	s.look(l)
	if err := s.tell(ctx, l); err != nil {
		return err
	}
	if err := s.store.CreateTURNSession(ctx, l.Session); err != nil {
		return fmt.Errorf("keep %s: %w", l.ID, err)
	}
	return nil
}

// undo ends a session that could not be opened. Where the caller did not wait, its record may be on its way to the disk all the same; otherwise there is none, and no end to note.
func (s *Service) undo(ctx context.Context, l *live, cause error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), within)
	defer cancel()
	_, err := s.end(ctx, l, ReasonNotOpened)
	left := errors.Is(cause, context.Canceled) || errors.Is(cause, context.DeadlineExceeded)
	switch {
	case err == nil || errors.Is(err, ErrUnknown):
	case s.ended(l) && (!left || errors.Is(cause, ErrUnavailable)):
		s.forget(l)
	default:
		s.log.Warn("the end of a TURN session that was not opened is noted later", telemetry.TURNSession(l.ID.String()), telemetry.Cause(err))
	}
}

// Renew makes new credentials for both sides. Errors: ErrOff, ErrUnknown, ErrEnded, those of the store.
func (s *Service) Renew(ctx context.Context, domain string, id ID) (Session, [2]Credentials, error) {
	if s.turn == nil {
		return Session{}, [2]Credentials{}, ErrOff
	}
	found, err := s.Session(ctx, domain, id)
	if err != nil {
		return Session{}, [2]Credentials{}, err
	}
	l := s.find(domain, id)
	if l == nil || !found.Open() || !time.Now().Before(l.Expires) {
		return Session{}, [2]Credentials{}, ErrEnded
	}
	return found, s.credentials(l), nil
}

// credentials makes those of both sides.
func (s *Service) credentials(l *live) (both [2]Credentials) {
	for side := range both {
		both[side] = s.turn.Credentials(l.ID, Side(side))
	}
	return both
}

// PartyCredentials makes credentials for an endpoint in the newest open session in which it is a party; false: there is none. It does not block.
func (s *Service) PartyCredentials(k endpoint.Key) (Credentials, bool) {
	l, side := s.newestOf(k, time.Now())
	if l == nil {
		return Credentials{}, false
	}
	return s.turn.Credentials(l.ID, side), true
}

// End ends a session, if it has not ended before, and returns it with its final counters. Errors: ErrUnknown, those of the store, with which the session is silent
// all the same.
func (s *Service) End(ctx context.Context, domain string, id ID) (Session, error) {
	if l := s.find(domain, id); l != nil {
		return s.end(ctx, l, ReasonRequested)
	}
	found, err := s.store.TURNSession(ctx, domain, id)
	if err != nil || !found.Open() {
		return found, err
	}
	return s.endLeft(ctx, id) // of the last run, which Run has not come to yet
}

// Session returns one with its counters as they are now, or ErrUnknown.
func (s *Service) Session(ctx context.Context, domain string, id ID) (Session, error) {
	found, err := s.store.TURNSession(ctx, domain, id)
	if err != nil || !found.Open() {
		return found, err
	}
	if l := s.find(domain, id); l != nil {
		s.count(ctx, l)
		s.show(l, &found)
	}
	return found, nil
}

// List returns up to limit sessions, the newest first; the counters of those that are open are the last that were noted.
func (s *Service) List(ctx context.Context, q Query) ([]Session, error) {
	return s.store.TURNSessions(ctx, q)
}

// clock returns the time as it is stored.
func clock() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }

// nudge has Run look at once.
func (s *Service) nudge() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}
