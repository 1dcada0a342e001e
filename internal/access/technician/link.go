package technician

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// LinkLife is how long a link can be used.
const LinkLife = 60 * time.Second

// CreateLink makes what signs the technician with this id or name in once within LinkLife; by is the actor of the audit. Errors: ErrUnknown, ErrDisabled.
func (s *Service) CreateLink(ctx context.Context, idOrName, by string) (token string, l Link, err error) {
	t, err := s.Technician(ctx, idOrName)
	switch {
	case err != nil:
		return "", Link{}, err
	case !t.Enabled:
		return "", Link{}, ErrDisabled
	}
	token = newSecret()
	l = Link{Hash: hashOf(token), Technician: t.ID, Domain: s.domain, Expires: s.clock().Add(LinkLife)}
	if err := s.store.CreateLink(ctx, l); err != nil {
		return "", Link{}, fmt.Errorf("make a link: %w", err)
	}
	s.record(ctx, Entry{Actor: by, Action: ActionLinked, Subject: t.Name})
	return token, l, nil
}

// SignInByLink is SignIn with a link, which is used up by it. Where another technician is signed in with the browser's cookie it returns *Other and leaves the link alone,
// unless replace is set: so nobody can be signed in as somebody else unawares. Errors: ErrLink, *Other, *Wait.
func (s *Service) SignInByLink(ctx context.Context, token string, replace bool, b Browser) (cookie string, p Principal, err error) {
	source := sourceOf(b.From)
	failures, wait := s.throttle.begin(s.now(), "", source)
	if wait > 0 {
		s.metrics.refused.WithLabelValues("waits").Inc()
		return "", Principal{}, &Wait{After: wait}
	}
	t, err := s.takeLink(ctx, token, replace, b)
	if errors.Is(err, ErrLink) {
		s.refused(ctx, b.From, "", "link", failures)
		return "", Principal{}, ErrLink
	}
	if err != nil {
		s.throttle.undo("", source)
		return "", Principal{}, err
	}
	s.throttle.succeeded(s.now(), "", source)
	return s.begin(ctx, t, MethodLink, b)
}

// Other says who is signed in; errors.Is finds ErrOther.
type Other struct{ Shown string }

// Error implements error.
func (o *Other) Error() string { return o.Shown + " is signed in with this browser" }

// Unwrap returns ErrOther.
func (o *Other) Unwrap() error { return ErrOther }

// takeLink uses a link up and returns whose it is.
func (s *Service) takeLink(ctx context.Context, token string, replace bool, b Browser) (Technician, error) {
	if !isSecret(token) {
		return Technician{}, ErrLink
	}
	hash := hashOf(token)
	l, err := s.store.Link(ctx, hash)
	if err != nil {
		return Technician{}, err
	}
	if err := s.checkOther(ctx, l.Technician, b.Cookie); err != nil && !replace {
		return Technician{}, err
	}
	if l, err = s.store.TakeLink(ctx, hash); err != nil {
		return Technician{}, err
	}
	t, err := s.Technician(ctx, l.Technician)
	if errors.Is(err, ErrUnknown) || err == nil && (!t.Enabled || l.Domain != s.domain || !s.now().Before(l.Expires)) {
		return Technician{}, ErrLink
	}
	return t, err
}

// checkOther returns *Other where the cookie is another technician's.
func (s *Service) checkOther(ctx context.Context, id, cookie string) error {
	if !isSecret(cookie) {
		return nil
	}
	p, err := s.Check(ctx, hashOf(cookie))
	if err != nil || p.ID == id { // where the store fails, so does what follows
		return nil
	}
	return &Other{Shown: p.Shown()}
}
