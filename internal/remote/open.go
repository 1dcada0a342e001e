package remote

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"signalbox/internal/audit"
	"signalbox/internal/endpoint"
	"signalbox/internal/signalling"
	"signalbox/internal/turnsession"
)

// clock returns the time as it is stored.
func clock() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }

// patiently returns a context for what must not be left half done when its caller goes away.
func patiently() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), patience)
}

// Open asks an endpoint for a session. It returns when the session is stored and the endpoint is asked; what comes of it, the session's state tells.
//
// Errors: turnsession.FieldErrors, endpoint.ErrUnknown, endpoint.ErrDisabled, *OfflineError, endpoint.ErrFull, *LimitError, ErrNoTURN, ErrUnavailable, those of the TURN server where the session
// needs it, those of the store.
func (s *Service) Open(ctx context.Context, domain string, spec Spec, by Caller) (Opened, error) {
	spec.Kinds, spec.Permissions = slices.Clone(spec.Kinds), slices.Clone(spec.Permissions)
	s.cfg.complete(&spec)
	if err := s.cfg.validate(&spec); err != nil {
		return Opened{}, err
	}
	if err := s.reachable(ctx, endpoint.Key{Domain: domain, ID: spec.Endpoint}); err != nil {
		return Opened{}, err
	}
	now := clock()
	l, err := s.admit(Session{Domain: domain, Spec: spec, By: by, State: Requested, Created: now, Expires: now.Add(spec.MaxDuration)})
	if err != nil {
		return Opened{}, err
	}
	return ask(ctx, &l.queue, func() (Opened, error) { return l.begin(by) })
}

// reachable returns nil if the endpoint is known, enabled and online.
func (s *Service) reachable(ctx context.Context, k endpoint.Key) error {
	found, err := s.deps.Store.Endpoint(ctx, k)
	switch {
	case err != nil:
		return err
	case !found.Enabled:
		return endpoint.ErrDisabled
	}
	if live, ok := s.deps.Presences.Live(k); ok {
		found.Presence = live
	}
	if found.Presence.State != endpoint.StateOnline {
		return &OfflineError{found.Presence}
	}
	return nil
}

// begin opens the TURN session, keeps the record and asks the endpoint. Where that fails nothing is left.
func (l *live) begin(by Caller) (Opened, error) {
	token := l.newToken()
	l.openRelay()
	ice, err := l.openTURN()
	if err == nil {
		err = l.create(by)
	}
	if err == nil {
		l.answerBy = time.Now().Add(answerWithin)
		err = l.offer(ice[turnsession.A])
	}
	if err != nil {
		return Opened{}, l.undo(err, by)
	}
	return Opened{Session: l.record, Token: token, TokenExpires: l.record.Secrets.TokenExpires, Servers: ice[turnsession.B]}, nil
}

func (l *live) create(by Caller) error {
	ctx, cancel := patiently()
	defer cancel()
	r := &l.record
	entry := l.entry(by.actor(), audit.SessionRequested, requestedDetail{
		Endpoint: r.Endpoint, Technician: r.Technician, Why: r.Why, Kinds: r.Kinds, Permissions: r.Permissions, Consent: r.Spec.Consent.Mode, NotifyUser: r.NotifyUser,
		Transport: r.Transport, Expires: r.Expires,
	})
	if err := l.service.deps.Store.CreateRemoteSession(ctx, *r, entry); err != nil {
		return fmt.Errorf("keep %s: %w", l.id, err)
	}
	l.kept = r.Turn
	return nil
}

// undo ends a session that could not be opened, and returns the error that its caller gets. What was kept of it is kept with its end.
func (l *live) undo(cause error, by Caller) error {
	if !errors.Is(cause, endpoint.ErrOffline) {
		l.endNoted(ReasonNotOpened, "", by.actor())
		return cause
	}
	l.endNoted(ReasonEndpointOffline, "", by.actor())
	ctx, cancel := patiently()
	defer cancel()
	if err := l.service.reachable(ctx, l.key); err != nil {
		return err
	}
	return &OfflineError{endpoint.Presence{State: endpoint.StateOffline, Since: clock(), Reason: endpoint.ReasonConnectionLost.Name}} // it is back already
}

// openRelay makes room at the relay, or changes the bound of that. What was moved before a restart of the server does not count.
func (l *live) openRelay() {
	l.service.deps.Relay.Open(l.id.String(), l.record.MaxBytes, func() {
		l.post(func() { l.endNoted(ReasonByteLimit, "", audit.Server) })
	})
}

// grant is what the endpoint is told that it may do.
func (l *live) grant() signalling.Grant {
	r := &l.record
	return signalling.Grant{
		ID: l.id.String(), Endpoint: l.key.JID(), Technician: r.Technician, Why: r.Why, Kinds: r.Kinds, Permissions: r.Permissions, Consent: r.Spec.Consent, NotifyUser: r.NotifyUser,
		Transport: r.Transport, Issued: clock(), Expires: r.Expires, Idle: r.MaxIdle, MaxBytes: r.MaxBytes, RelayHosts: []string{l.service.deps.RelayURL()},
	}
}

// offer asks the endpoint, which may know the session already: then it says that it goes on. Errors: endpoint.ErrOffline, endpoint.ErrFull, those of the seal.
func (l *live) offer(servers []signalling.ICEServer) error {
	sealed, err := l.service.deps.Seal(l.grant())
	if err != nil {
		return fmt.Errorf("sign the grant of %s: %w", l.id, err)
	}
	return l.tell(signalling.Offer{About: l.about(), Grant: sealed, Servers: servers})
}

// change changes limits. The endpoint gets a grant that says so.
func (l *live) change(c Change, by Caller) error {
	if err := l.open(); err != nil {
		return err
	}
	old := l.record
	if c.MaxDuration != nil {
		l.record.MaxDuration = *c.MaxDuration
		l.record.Expires = old.Created.Add(*c.MaxDuration)
	}
	if c.MaxIdle != nil {
		l.record.MaxIdle = *c.MaxIdle
	}
	if c.MaxBytes != nil {
		l.record.MaxBytes = *c.MaxBytes
	}
	err := l.service.cfg.validateLimits(&l.record.Spec)
	if err == nil {
		entry := l.entry(by.actor(), audit.SessionChanged, changedDetail{Expires: l.record.Expires, MaxIdle: l.record.MaxIdle.String(), MaxBytes: l.record.MaxBytes})
		err = l.save(&entry, true)
	}
	if err != nil {
		l.record = old
		return err
	}
	l.openRelay()
	if l.away.IsZero() {
		l.warn(l.offer(l.credentials()[turnsession.A])) // where it does not arrive, the endpoint has lost its session, and gets it with the next
	}
	l.tellState()
	return nil
}
