package webhook

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"go.uber.org/zap"

	"signalbox/internal/events"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// memory is an outbox and a store of webhooks, which fails on demand.
type memory struct {
	mu      sync.Mutex
	list    []events.Event
	deleted int64
	hooks   map[string]Webhook
	log     map[string][]Delivery
	aside   map[string]map[int64]Aside
	broken  bool   // nothing is stored
	refused int    // how often nothing was stored
	listed  func() // called when the webhooks have been read; nil: nothing is
	wake    chan struct{}
}

var errBroken = errors.New("disk on fire")

func newMemory() *memory {
	return &memory{hooks: map[string]Webhook{}, log: map[string][]Delivery{}, aside: map[string]map[int64]Aside{}, wake: make(chan struct{}, 1)}
}

// add writes events as old as age.
func (m *memory) add(age time.Duration, all ...events.Event) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, e := range all {
		e.Seq, e.At = m.newest()+1, time.Now().Add(-age)
		if e.Data == nil {
			e.Data = json.RawMessage("{}")
		}
		m.list = append(m.list, e)
	}
	poke(m.wake)
}

func (m *memory) newest() int64 { return m.deleted + int64(len(m.list)) }

// forget deletes the first n events.
func (m *memory) forget(n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.list, m.deleted = m.list[n:], m.deleted+int64(n)
}

func (m *memory) breaks(is bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.broken = is
}

func (m *memory) ReadEvents(_ context.Context, after int64, limit int) ([]events.Event, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if after < m.deleted || after > m.newest() {
		return nil, events.ErrGone
	}
	rest := m.list[after-m.deleted:]
	return slices.Clone(rest[:min(limit, len(rest))]), nil
}

func (m *memory) EventBounds(context.Context) (events.Bounds, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return events.Bounds{Deleted: m.deleted, Newest: m.newest()}, nil
}

func (m *memory) CreateWebhook(_ context.Context, w Webhook) (int64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	w.Cursor = m.newest()
	m.hooks[w.ID] = w
	return w.Cursor, nil
}

func (m *memory) ChangeWebhook(_ context.Context, id string, change func(*Webhook) error) (Webhook, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	w, ok := m.hooks[id]
	switch {
	case !ok:
		return w, ErrUnknown
	case m.broken:
		return w, errBroken
	}
	if err := change(&w); err != nil {
		return w, err
	}
	m.hooks[id] = w
	return w, nil
}

func (m *memory) DeleteWebhook(_ context.Context, id string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, ok := m.hooks[id]; !ok {
		return ErrUnknown
	}
	delete(m.hooks, id)
	return nil
}

func (m *memory) Webhook(_ context.Context, id string) (Webhook, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	w, ok := m.hooks[id]
	if !ok {
		return w, ErrUnknown
	}
	return w, nil
}

func (m *memory) Webhooks(context.Context) (all []Webhook, _ error) {
	m.mu.Lock()
	for _, w := range m.hooks {
		all = append(all, w)
	}
	listed := m.listed
	m.mu.Unlock()
	if listed != nil {
		listed()
	}
	return all, nil
}

func (m *memory) SaveWebhookProgress(_ context.Context, id string, p Progress) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	w, ok := m.hooks[id]
	switch {
	case m.broken:
		m.refused++
		return errBroken
	case !ok:
		return nil
	}
	m.log[id] = append(m.log[id], p.Deliveries...)
	if m.aside[id] == nil {
		m.aside[id] = map[int64]Aside{}
	}
	for _, a := range p.Aside {
		m.aside[id][a.Seq] = a
	}
	for _, seq := range p.Settled {
		delete(m.aside[id], seq)
	}
	if p.State != nil {
		w.State, w.Enabled = *p.State, w.Enabled && !p.Disable
		m.hooks[id] = w
	}
	return nil
}

func (m *memory) WebhookDeliveries(_ context.Context, id string, _ DeliveryQuery) ([]Delivery, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.log[id]), nil
}

func (m *memory) WebhookAside(_ context.Context, id string) (all []Aside, _ error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, a := range m.aside[id] {
		all = append(all, a)
	}
	slices.SortFunc(all, func(a, b Aside) int { return int(a.Seq - b.Seq) })
	return all, nil
}

func (m *memory) ReviveWebhookAside(context.Context, string) (int, error) { return 0, nil }

// rig is a service on a memory with a receiver on loopback.
type rig struct {
	*memory
	*Service
	url    string
	stop   func()
	mu     sync.Mutex
	answer func(payload) int
	got    []string // "type endpoint seq" of what was taken, in its order
}

func newRig(t *testing.T, edit ...func(*Config)) *rig {
	t.Helper()
	r := &rig{memory: newMemory(), answer: func(payload) int { return http.StatusOK }}
	srv := httptest.NewServer(http.HandlerFunc(r.receive))
	t.Cleanup(srv.Close)
	r.url = srv.URL
	cfg := Default()
	cfg.WebhookAllow = []string{"127.0.0.0/8"}
	cfg.Retries = append(slices.Repeat([]string{"5ms"}, 12), slices.Repeat([]string{"1s"}, 20)...) // none of these tests gets to its end
	for _, e := range edit {
		e(&cfg)
	}
	var err error
	r.Service, err = New(cfg, Deps{Store: r.memory, Outbox: r.memory, Wake: r.wake, DataDir: filepath.Join(t.TempDir())}, zap.NewNop(), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.halted() })
	return r
}

// run starts the service; halted ends it.
func (r *rig) run() {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = r.Run(ctx) // has no error of its own
	}()
	r.stop = func() {
		cancel()
		<-ended
	}
}

func (r *rig) halted() {
	if r.stop != nil {
		r.stop()
		r.stop = nil
	}
}

func (r *rig) receive(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	var p payload
	if err != nil || json.Unmarshal(body, &p) != nil {
		return // the service stopped in between
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	status := r.answer(p)
	if status/100 == 2 {
		text := string(p.Type)
		for _, name := range []string{"endpoint", "seq", "reason"} {
			if v, ok := p.Data[name]; ok {
				text += " " + strings.Trim(string(v), `"`)
			}
		}
		r.got = append(r.got, text)
	}
	w.WriteHeader(status)
}

func (r *rig) answers(f func(payload) int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answer = f
}

func (r *rig) taken() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.got)
}

// hook registers the receiver.
func (r *rig) hook(t *testing.T, types ...string) Webhook {
	t.Helper()
	w, err := r.Create(t.Context(), Draft{URL: r.url, Types: types, Insecure: true})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// await waits until ok is true.
func await(t *testing.T, ok func() bool, problem func() string) {
	t.Helper()
	look := time.NewTicker(2 * time.Millisecond)
	defer look.Stop()
	end := time.After(time.Minute)
	for !ok() {
		select {
		case <-look.C:
		case <-end:
			t.Fatal(problem())
		}
	}
}

func (r *rig) awaitTaken(t *testing.T, n int) []string {
	t.Helper()
	await(t, func() bool { return len(r.taken()) >= n }, func() string { return fmt.Sprintf("taken were %q, want %d", r.taken(), n) })
	return r.taken()
}

func event(t events.Type, endpoint string) events.Event {
	return events.Event{Type: t, Endpoint: endpoint}
}
