package webhook

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"signalbox/internal/telemetry"
)

// Test sends one message of type webhook.test now, also to a webhook that is disabled, and returns what came of it. If it was taken, what waits is sent at once.
func (s *Service) Test(ctx context.Context, id string) (Delivery, error) {
	w, err := s.find(ctx, id)
	if err != nil {
		return Delivery{}, fmt.Errorf("test webhook: %w", err)
	}
	t, err := s.target(w)
	if err != nil {
		return Delivery{}, fmt.Errorf("test webhook: %w", err)
	}
	d, err := ping(ctx, t, w.Keys, w.ID)
	if err != nil {
		return Delivery{}, fmt.Errorf("test webhook: %w", err)
	}
	s.metrics.counter(id)(answer{fault: d.Fault, took: d.Took})
	if err := s.deps.Store.SaveWebhookProgress(ctx, id, Progress{Deliveries: []Delivery{d}}); err != nil {
		s.log.Warn("a test is not in the log of deliveries", telemetry.Webhook(id), telemetry.Cause(err))
	}
	if d.OK() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if r := s.senders[id]; r != nil {
			poke(r.kick)
		}
	}
	return d, nil
}

// ping sends one message of type webhook.test.
func ping(ctx context.Context, t target, keys []Key, id string) (Delivery, error) {
	now := time.Now().UTC()
	m, err := encode(newID("tst_", now), Test, now, map[string]json.RawMessage{}, map[string]any{"webhook": id})
	if err != nil {
		return Delivery{}, err
	}
	c := t.client()
	defer c.CloseIdleConnections()
	a, err := t.send(ctx, c, keys, m)
	if err != nil {
		return Delivery{}, err
	}
	return Delivery{At: now, Event: m.id, Type: string(Test), Attempt: 1, Status: a.status, Took: a.took, Fault: a.fault}, nil
}

// PingManagement sends one message of type webhook.test to the management server of the configuration, as the server would, and returns what came of it.
func PingManagement(ctx context.Context, cfg Config, keys []Key) (Delivery, error) {
	roots, err := LoadRoots(cfg.CAFile)
	if err != nil {
		return Delivery{}, err
	}
	u, err := cfg.management()
	if err != nil {
		return Delivery{}, err
	}
	return ping(ctx, target{url: u, address: cfg.Address, guard: guard{any: true}, roots: roots, timeout: cfg.Timeout, idle: 1}, keys, Management)
}
