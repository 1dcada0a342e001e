package webhook

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"signalbox/internal/telemetry"
	"strings"
	"time"
	"unicode"
)

// FieldError says what is wrong with one field of a request.
type FieldError struct {
	Field  string // as the API names it
	Detail string // what is wrong and what is allowed
}

// Error returns the field and the detail.
func (e *FieldError) Error() string { return e.Field + ": " + e.Detail }

// Draft is a webhook to be registered.
type Draft struct {
	URL         string
	Description string
	Types       []string
	Scheme      Scheme // how it is signed; empty: HMAC
	Insecure    bool   // http is allowed
	Disabled    bool
}

// Change changes a webhook; nil fields stay as they are.
type Change struct {
	URL         *string
	Description *string
	Types       *[]string
	Enabled     *bool
	Insecure    *bool
	NewKey      Scheme        // empty: none is added
	KeepKeys    time.Duration // how long the keys before a new one still sign
}

// Create registers a webhook, which gets what happens from now on, and returns it with its key. Errors: *FieldError, ErrTooMany.
func (s *Service) Create(ctx context.Context, n Draft) (Webhook, error) {
	now := time.Now().UTC()
	if n.Scheme == "" {
		n.Scheme = HMAC
	}
	w := Webhook{
		ID: newID("whk_", now), URL: n.URL, Description: n.Description, Types: n.Types, Enabled: !n.Disabled, Insecure: n.Insecure,
		Keys: []Key{NewKey(n.Scheme, now)}, Created: now, Updated: now,
	}
	if err := s.check(w); err != nil {
		return Webhook{}, err
	}
	s.changing.Lock()
	defer s.changing.Unlock()
	ctx, cancel := whole(ctx)
	defer cancel()
	var err error
	if w.Cursor, err = s.deps.Store.CreateWebhook(ctx, w); err != nil {
		return Webhook{}, fmt.Errorf("create webhook: %w", err)
	}
	s.start(w, snapshotStart)
	return w, nil
}

// check finds what is wrong with a webhook.
func (s *Service) check(w Webhook) error {
	u, err := url.Parse(w.URL)
	switch {
	case err != nil || u.Host == "" || u.Opaque != "" || len(w.URL) > MaxURLBytes:
		return &FieldError{"url", "it must be https://HOST/PATH, of 2048 bytes at most"}
	case u.Scheme == "http" && !w.Insecure:
		return &FieldError{"url", "http sends events in clear: use https, or set insecure_http to true"}
	case u.Scheme != "https" && u.Scheme != "http":
		return &FieldError{"url", "it must begin with https://"}
	case u.User != nil || u.Fragment != "":
		return &FieldError{"url", "it must have no user and no fragment: receivers know us by the signature"}
	case !validPort(u.Port()) || u.Hostname() == "":
		return &FieldError{"url", "its host or port is not one"}
	}
	if addr, err := netip.ParseAddr(u.Hostname()); err == nil {
		t, _ := s.target(w) // the URL was read above
		port := u.Port()
		if port == "" {
			port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
		}
		to, err := netip.ParseAddrPort(joinPort(addr, port))
		if err == nil {
			err = t.guard.check(to)
		}
		var forbidden *forbiddenError
		if errors.As(err, &forbidden) {
			return &FieldError{"url", "webhooks must not reach its address: " + forbidden.why}
		}
	}
	if len(w.Description) > MaxDescriptionBytes || strings.ContainsFunc(w.Description, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return &FieldError{"description", "it has at most 256 bytes, all printable"}
	}
	if err := CheckTypes(w.Types); err != nil {
		return &FieldError{"types", err.Error()}
	}
	return nil
}

func joinPort(a netip.Addr, port string) string {
	if a.Is6() {
		return "[" + a.String() + "]:" + port
	}
	return a.String() + ":" + port
}

func isUnknown(err error) bool { return errors.Is(err, ErrUnknown) }

// List returns all webhooks, that of the management server among them, with how they are doing.
func (s *Service) List(ctx context.Context) ([]Info, error) {
	all, err := s.deps.Store.Webhooks(ctx)
	if err != nil {
		return nil, fmt.Errorf("list webhooks: %w", err)
	}
	b, err := s.deps.Outbox.EventBounds(ctx)
	if err != nil {
		return nil, fmt.Errorf("list webhooks: %w", err)
	}
	infos := make([]Info, len(all))
	for i, w := range all {
		infos[i] = s.info(s.configured(w), b.Newest)
	}
	return infos, nil
}

// Webhook returns one, or ErrUnknown.
func (s *Service) Webhook(ctx context.Context, id string) (Info, error) {
	w, err := s.find(ctx, id)
	if err != nil {
		return Info{}, fmt.Errorf("find webhook: %w", err)
	}
	b, err := s.deps.Outbox.EventBounds(ctx)
	if err != nil {
		return Info{}, fmt.Errorf("find webhook: %w", err)
	}
	return s.info(w, b.Newest), nil
}

// Update applies c. It returns the webhook, and the key that c asked for, if it did. Errors: *FieldError, ErrUnknown, ErrConfigured.
func (s *Service) Update(ctx context.Context, id string, c Change) (Info, *Key, error) {
	if id == Management {
		return Info{}, nil, ErrConfigured
	}
	now := time.Now().UTC()
	var made *Key
	if c.NewKey != "" {
		k := NewKey(c.NewKey, now)
		made = &k
	}
	err := s.alter(ctx, id, func(w *Webhook) error {
		c.apply(w, now)
		if made != nil {
			w.Keys = rotate(w.Keys, *made, now, c.KeepKeys)
		}
		w.Updated = now
		return s.check(*w)
	})
	if err != nil {
		return Info{}, nil, err
	}
	in, err := s.Webhook(ctx, id)
	return in, made, err
}

func (c Change) apply(w *Webhook, now time.Time) {
	set(&w.URL, c.URL)
	set(&w.Description, c.Description)
	set(&w.Types, c.Types)
	set(&w.Insecure, c.Insecure)
	if c.Enabled != nil && *c.Enabled != w.Enabled {
		w.Enabled = *c.Enabled
		w.Disabled, w.Failures, w.Since, w.Next, w.Fault = "", 0, time.Time{}, time.Time{}, Fault{}
	}
	if c.URL != nil {
		w.Next = now // a new place is tried at once
	}
}

func set[T any](to *T, v *T) {
	if v != nil {
		*to = *v
	}
}

// whole returns a context for a change that is made as a whole, though whoever asked for it has gone: its sender begins with what is stored.
func whole(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), changeTimeout)
}

// changeTimeout bounds how long the store may take for a change.
const changeTimeout = 10 * time.Second

// again starts the sender of a webhook as it is stored, with the snapshot that was due. changing is held.
func (s *Service) again(ctx context.Context, id, snapshot string) {
	w, err := s.deps.Store.Webhook(context.WithoutCancel(ctx), id)
	switch {
	case err == nil:
		s.start(w, snapshot)
	case !isUnknown(err):
		s.log.Error("a webhook cannot be read: nothing is sent to it until the server is started again", telemetry.Webhook(id), telemetry.Cause(err))
	}
}

// alter changes what is stored of a webhook while nothing is sent to it.
func (s *Service) alter(ctx context.Context, id string, change func(*Webhook) error) error {
	s.changing.Lock()
	defer s.changing.Unlock()
	ctx, cancel := whole(ctx)
	defer cancel()
	before, err := s.deps.Store.Webhook(ctx, id)
	if err != nil {
		return fmt.Errorf("change webhook: %w", err)
	}
	snapshot := s.halt(id)
	after, err := s.deps.Store.ChangeWebhook(ctx, id, change)
	if err != nil {
		s.again(ctx, id, snapshot)
		return fmt.Errorf("change webhook: %w", err)
	}
	if after.Enabled && !before.Enabled {
		snapshot = snapshotStart
	}
	s.start(after, snapshot)
	return nil
}

// Delete removes a webhook with its log, or returns ErrUnknown or ErrConfigured.
func (s *Service) Delete(ctx context.Context, id string) error {
	if id == Management {
		return ErrConfigured
	}
	s.changing.Lock()
	defer s.changing.Unlock()
	ctx, cancel := whole(ctx)
	defer cancel()
	snapshot := s.halt(id)
	if err := s.deps.Store.DeleteWebhook(ctx, id); err != nil {
		s.again(ctx, id, snapshot)
		return fmt.Errorf("delete webhook: %w", err)
	}
	return nil
}

// Deliveries returns the log of attempts, the newest first, or ErrUnknown.
func (s *Service) Deliveries(ctx context.Context, id string, q DeliveryQuery) ([]Delivery, error) {
	if _, err := s.find(ctx, id); err != nil {
		return nil, fmt.Errorf("read deliveries: %w", err)
	}
	return s.deps.Store.WebhookDeliveries(ctx, id, q)
}
