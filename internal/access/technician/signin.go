package technician

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"signalbox/internal/telemetry"
)

// touchEach is how often it is noted that a sign-in is used.
const touchEach = time.Minute

// Wait says that somebody has failed too often and has to wait.
type Wait struct{ After time.Duration }

// Error implements error.
func (w *Wait) Error() string {
	return fmt.Sprintf("too many attempts: wait %v", w.After.Round(time.Second))
}

// Browser is where somebody signs in.
type Browser struct {
	From   netip.Addr
	Cookie string // that it has already: a sign-in ends the one before; empty: none
}

// SignIn checks a name and a password and returns what the cookie has to hold, which is always a new one. It tells nobody whether there is such a name: names that are not
// there, are disabled or have no password take as long and fail as wrong passwords do. Errors: ErrCredentials, *Wait, ErrBusy.
func (s *Service) SignIn(ctx context.Context, name, password string, b Browser) (cookie string, p Principal, err error) {
	name = strings.ToLower(strings.TrimSpace(name))
	t, err := s.checkPassword(ctx, name, password, b.From)
	if err != nil {
		return "", Principal{}, err
	}
	return s.begin(ctx, t, MethodPassword, b)
}

// checkPassword returns whose name and password they are.
func (s *Service) checkPassword(ctx context.Context, name, password string, from netip.Addr) (Technician, error) {
	source, counted := sourceOf(from), name
	if CheckName(name) != nil {
		counted = "?" // whatever it was, it is no name
	}
	failures, wait := s.throttle.begin(s.now(), counted, source)
	if wait > 0 {
		s.metrics.refused.WithLabelValues("waits").Inc()
		return Technician{}, &Wait{After: wait}
	}
	t, err := s.byName(ctx, name)
	ok := false
	if err == nil {
		ok, err = s.hasher.verify(ctx, t.Password, password)
	}
	switch {
	case err != nil:
		s.throttle.undo(counted, source)
		return Technician{}, err
	case !ok || !t.Enabled:
		s.refused(ctx, from, counted, "credentials", failures)
		return Technician{}, ErrCredentials
	}
	s.throttle.succeeded(s.now(), counted, source)
	return t, nil
}

// byName returns the account of a name, or one that nobody can sign in to.
func (s *Service) byName(ctx context.Context, name string) (Technician, error) {
	asked := name
	if CheckName(name) != nil {
		asked = "-" // so that the store is asked, as for every name; what comes of it does not count
	}
	t, err := s.store.Technician(ctx, s.domain, asked)
	switch {
	case errors.Is(err, ErrUnknown) || err == nil && t.Name != name:
		return Technician{}, nil
	case err != nil:
		return Technician{}, fmt.Errorf("look up technician: %w", err)
	}
	return t, nil
}

// begin makes a sign-in, and ends the one that the browser had.
func (s *Service) begin(ctx context.Context, t Technician, method string, b Browser) (cookie string, p Principal, err error) {
	held, err := s.held(ctx, t.Roles)
	if err != nil {
		return "", Principal{}, err
	}
	now := s.clock()
	cookie = newSecret()
	in := SignIn{Hash: hashOf(cookie), Technician: t.ID, Method: method, Remote: b.From.String(), Created: now, Seen: now, Expires: now.Add(s.cfg.Lifetime)}
	if err := s.store.CreateSignIn(ctx, in); err != nil {
		return "", Principal{}, fmt.Errorf("sign in: %w", err)
	}
	if err := s.audit.Record(ctx, Entry{Actor: t.actor(), Action: ActionLogin, Subject: t.Name, Detail: map[string]any{"method": method, "remote": in.Remote}}); err != nil {
		_, errUndo := s.store.DeleteSignIn(ctx, in.Hash) // nobody is let in of whom the audit knows nothing
		return "", Principal{}, errors.Join(fmt.Errorf("sign in: %w", err), errUndo)
	}
	s.metrics.signIns.WithLabelValues(method).Inc()
	if isSecret(b.Cookie) {
		if _, err := s.store.DeleteSignIn(ctx, hashOf(b.Cookie)); err != nil {
			s.log.Warn("the sign-in before goes on", telemetry.Cause(err)) // until it is idle
		}
		s.tellChanged()
	}
	return cookie, Principal{Technician: t, Held: held, SignIn: in}, nil
}

// Authenticate returns who holds this cookie, and notes that it is used. Errors: ErrNotSignedIn, also where the time is over or the technician was disabled; any other is
// the store's.
func (s *Service) Authenticate(ctx context.Context, cookie string) (Principal, error) {
	if !isSecret(cookie) {
		return Principal{}, ErrNotSignedIn
	}
	p, err := s.Check(ctx, hashOf(cookie))
	if now := s.clock(); err == nil && now.Sub(p.SignIn.Seen) >= touchEach {
		if err := s.store.TouchSignIn(ctx, p.SignIn.Hash, now); err != nil {
			s.log.Warn("it is not noted that a sign-in is used", telemetry.Cause(err)) // it may seem idle too early
		}
		p.SignIn.Seen = now
	}
	return p, err
}

// Check is Authenticate for those who act for somebody over a longer time: it does not count as use.
func (s *Service) Check(ctx context.Context, hash [32]byte) (Principal, error) {
	in, t, err := s.store.SignIn(ctx, hash)
	if err != nil {
		return Principal{}, err
	}
	if now := s.now(); !t.Enabled || t.Domain != s.domain || !now.Before(in.Expires) || now.Sub(in.Seen) >= s.cfg.Idle {
		return Principal{}, ErrNotSignedIn
	}
	held, err := s.held(ctx, t.Roles)
	if err != nil {
		return Principal{}, err
	}
	return Principal{Technician: t, Held: held, SignIn: in}, nil
}

// SignOut ends a sign-in.
func (s *Service) SignOut(ctx context.Context, p Principal) error {
	had, err := s.store.DeleteSignIn(ctx, p.SignIn.Hash)
	if err != nil {
		return fmt.Errorf("sign out: %w", err)
	}
	s.tellChanged()
	if had {
		s.record(ctx, Entry{Actor: p.actor(), Action: ActionLogout, Subject: p.Name})
	}
	return nil
}

// ChangePassword has somebody choose a new one; the other sign-ins of the account end. Errors: ErrCredentials for a wrong old one, ErrNoPassword, ErrInvalid, *Wait, ErrBusy.
func (s *Service) ChangePassword(ctx context.Context, p Principal, old, password string, from netip.Addr) error {
	if p.Password == "" {
		return ErrNoPassword
	}
	if err := CheckPassword(password); err != nil {
		return err
	}
	if _, err := s.checkPassword(ctx, p.Name, old, from); err != nil {
		return err
	}
	_, err := s.change(ctx, p.ID, Patch{Password: &password}, p.actor(), &p.SignIn.Hash)
	return err
}

// Idle returns how long somebody stays signed in without doing anything.
func (s *Service) Idle() time.Duration { return s.cfg.Idle }

func hashOf(secret string) [32]byte { return sha256.Sum256([]byte(secret)) }

// isSecret reports whether text has the form of what newSecret makes, so that nothing else costs a look-up.
func isSecret(text string) bool {
	if len(text) != base64.RawURLEncoding.EncodedLen(secretBytes) {
		return false
	}
	_, err := base64.RawURLEncoding.Strict().DecodeString(text)
	return err == nil && !strings.ContainsAny(text, "\r\n")
}
