package technician

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
)

// Service makes and changes accounts and roles, and signs in and out. All methods may be called concurrently.
type Service struct {
	cfg      Config
	domain   string
	store    Store
	audit    Audit
	log      *zap.Logger
	now      func() time.Time
	hasher   *hasher
	throttle *throttle
	metrics  metrics
	gone     []func(Technician)

	mu      sync.Mutex
	changed chan struct{} // closed at the next change
}

// NewService returns the service of a domain; now tells the time, time.Now outside tests. A nil reg keeps the metrics private.
func NewService(cfg Config, domain string, store Store, audit Audit, log *zap.Logger, reg prometheus.Registerer, now func() time.Time) *Service {
	return &Service{
		cfg: cfg, domain: domain, store: store, audit: audit, log: log.Named("technician"), now: now, hasher: newHasher(), throttle: newThrottle(),
		metrics: newMetrics(reg), changed: make(chan struct{}),
	}
}

// OnGone has f called for every account that was disabled or deleted. It must not be called once the service is in use.
func (s *Service) OnGone(f func(Technician)) { s.gone = append(s.gone, f) }

// Changed returns a channel that is closed when an account, a role or a sign-in has changed: whoever acts for somebody over a longer time asks Check again.
func (s *Service) Changed() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.changed
}

func (s *Service) tellChanged() {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.changed)
	s.changed = make(chan struct{})
}

// clock returns the time as it is stored.
func (s *Service) clock() time.Time { return s.now().UTC().Truncate(time.Microsecond) }

// Create makes an account; by is the actor of the audit. Errors: ErrInvalid, ErrExists, ErrUnknownRole, ErrTooMany, ErrBusy.
func (s *Service) Create(ctx context.Context, n New, by string) (Technician, error) {
	if err := n.check(); err != nil {
		return Technician{}, err
	}
	now := s.clock()
	t := Technician{
		ID: newID(now), Domain: s.domain, Name: n.Name, Display: n.Display, Roles: eachOnce(n.Roles), Enabled: !n.Disabled, Created: now, Updated: now,
	}
	if n.Password != "" {
		var err error
		if t.Password, err = s.hasher.hash(ctx, n.Password); err != nil {
			return Technician{}, err
		}
	}
	if err := s.store.CreateTechnician(ctx, t); err != nil {
		return Technician{}, fmt.Errorf("create technician: %w", err)
	}
	s.record(ctx, Entry{Actor: by, Action: ActionCreated, Subject: t.Name, Detail: map[string]any{"id": t.ID, "roles": t.Roles}})
	return t, nil
}

func (n New) check() error {
	errs := []error{CheckName(n.Name), checkDisplay(n.Display), checkRoles(n.Roles)}
	if n.Password != "" {
		errs = append(errs, CheckPassword(n.Password))
	}
	return errors.Join(errs...)
}

func checkRoles(names []string) error {
	if len(names) > MaxRoles {
		return invalid("roles", "%d, at most %d are allowed", len(names), MaxRoles)
	}
	return nil
}

// eachOnce returns names in order, each once, and never nil.
func eachOnce(names []string) []string {
	return append([]string{}, slices.Compact(slices.Sorted(slices.Values(names)))...)
}

// Change applies p to the account with this id or name. Errors: ErrInvalid, ErrUnknown, ErrUnknownRole, ErrBusy.
func (s *Service) Change(ctx context.Context, idOrName string, p Patch, by string) (Technician, error) {
	return s.change(ctx, idOrName, p, by, nil)
}

func (s *Service) change(ctx context.Context, idOrName string, p Patch, by string, keep *[32]byte) (Technician, error) {
	if err := p.check(); err != nil {
		return Technician{}, err
	}
	stored := p
	if p.Roles != nil {
		stored.Roles = eachOnce(p.Roles)
	}
	if p.Password != nil && *p.Password != "" {
		kept, err := s.hasher.hash(ctx, *p.Password)
		if err != nil {
			return Technician{}, err
		}
		stored.Password = &kept
	}
	t, err := s.store.UpdateTechnician(ctx, s.domain, idOrName, stored, s.clock(), keep)
	if err != nil {
		return Technician{}, fmt.Errorf("change technician: %w", err)
	}
	s.tellChanged()
	s.recordChange(ctx, p, t, by)
	if !t.Enabled {
		s.tellGone(t)
	}
	return t, nil
}

func (p Patch) check() error {
	errs := []error{checkRoles(p.Roles)}
	if p.Display != nil {
		errs = append(errs, checkDisplay(*p.Display))
	}
	if p.Password != nil && *p.Password != "" {
		errs = append(errs, CheckPassword(*p.Password))
	}
	return errors.Join(errs...)
}

// recordChange keeps what was changed, not to what: but for roles, which are what somebody may do.
func (s *Service) recordChange(ctx context.Context, p Patch, t Technician, by string) {
	detail := map[string]any{"id": t.ID}
	if p.Display != nil {
		detail["display_name"] = t.Display
	}
	if p.Roles != nil {
		detail["roles"] = t.Roles
	}
	if p.Password != nil {
		detail["password"] = map[bool]string{true: "removed", false: "changed"}[t.Password == ""]
	}
	action := ActionChanged
	if p.Enabled != nil {
		action = map[bool]string{true: ActionEnabled, false: ActionDisabled}[t.Enabled]
	}
	s.record(ctx, Entry{Actor: by, Action: action, Subject: t.Name, Detail: detail})
}

func (s *Service) tellGone(t Technician) {
	for _, f := range s.gone {
		f(t)
	}
}

// Delete removes the account with this id or name, or returns ErrUnknown.
func (s *Service) Delete(ctx context.Context, idOrName, by string) error {
	t, err := s.store.DeleteTechnician(ctx, s.domain, idOrName)
	if err != nil {
		return fmt.Errorf("delete technician: %w", err)
	}
	s.tellChanged()
	s.record(ctx, Entry{Actor: by, Action: ActionDeleted, Subject: t.Name, Detail: map[string]any{"id": t.ID}})
	s.tellGone(t)
	return nil
}

// Technician returns the account with this id or name, or ErrUnknown.
func (s *Service) Technician(ctx context.Context, idOrName string) (Technician, error) {
	return s.store.Technician(ctx, s.domain, idOrName)
}

// List returns up to limit accounts with names behind after, in their order.
func (s *Service) List(ctx context.Context, after string, limit int) ([]Technician, error) {
	return s.store.Technicians(ctx, s.domain, after, limit)
}
