package im

import (
	"context"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"go.uber.org/zap"

	"signalbox/internal/account"
	"signalbox/internal/endpoint"
	"signalbox/internal/store"
	"signalbox/xmpp/feature"
	"signalbox/xmpp/scan"
)

// client keeps what it is sent. It implements feature.Client.
type client struct {
	key      endpoint.Key
	resource string
	state    feature.State

	mu   sync.Mutex
	sent []string
}

func (c *client) Key() endpoint.Key                              { return c.key }
func (c *client) JID() string                                    { return c.key.JID() + "/" + c.resource }
func (c *client) State() *feature.State                          { return &c.state }
func (c *client) SendMessage(raw []byte, _ *feature.Copies) bool { return c.Send(raw) }
func (c *client) SendPresence(_ string, raw []byte)              { c.Send(raw) }

func (c *client) Send(raw []byte) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sent = append(c.sent, string(raw))
	return true
}

// take returns what the client was sent since the last call.
func (c *client) take() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := strings.Join(c.sent, "")
	c.sent = nil
	return all
}

// pausing is a store in which something happens before a roster is read or a message is kept. It implements account.Store.
type pausing struct {
	account.Store
	pause func(endpoint.Key)
	queue func()
}

func (p *pausing) Queue(k endpoint.Key, size int, step func(account.Tx) error, done func(error)) {
	if f := p.queue; f != nil {
		p.queue = nil
		f()
	}
	p.Store.Queue(k, size, step, done)
}

func (p *pausing) Roster(ctx context.Context, k endpoint.Key) (account.Roster, error) {
	if p.pause != nil {
		p.pause(k)
	}
	return p.Store.Roster(ctx, k)
}

// world is a service on a real store with the accounts alice and bob, who get each other's presence, and carol, a stranger.
type world struct {
	*Service
	t     *testing.T
	store *pausing
	set   *feature.Set

	mu    sync.Mutex
	bound []*client
}

func newWorld(t *testing.T, change ...func(*account.Config)) *world {
	t.Helper()
	s, err := store.Open(t.Context(), filepath.Join(t.TempDir(), store.FileName), store.Default(), zap.NewNop(), nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	w := &world{t: t, store: &pausing{Store: s.Accounts()}}
	cfg := account.Default()
	for _, c := range change {
		c(&cfg)
	}
	accounts, err := account.New(cfg, w.store)
	if err != nil {
		t.Fatal(err)
	}
	if err := accounts.Load(ctx); err != nil {
		t.Fatal(err)
	}
	w.Service = New("x.test", Deps{Accounts: accounts, Directory: s, Clients: w.clientsOf}, zap.NewNop())
	w.set = feature.NewSet(nil, w.Roster(), feature.Blocking(accounts, w, w, zap.NewNop()), feature.LastActivity(accounts, w, zap.NewNop()),
		feature.Archive(accounts, zap.NewNop()), feature.MessageCarbons(w), feature.OfflineMessages(accounts, w, zap.NewNop()))
	w.SetFeatures(w.set)
	for _, id := range []string{"alice", "bob", "carol"} {
		if err := s.CreateEndpoint(ctx, endpoint.Endpoint{Key: key(id), Enabled: true}, endpoint.Secret{}); err != nil {
			t.Fatal(err)
		}
	}
	w.befriend("alice", "bob")
	w.befriend("bob", "alice")
	return w
}

func key(id string) endpoint.Key { return endpoint.Key{Domain: "x.test", ID: id} }

// befriend gives the first the presence of the second.
func (w *world) befriend(id, of string) {
	w.t.Helper()
	if _, err := w.accounts.Send(w.t.Context(), key(id), key(of).JID(), account.Subscribe, []byte("<presence/>")); err != nil {
		w.t.Fatal(err)
	}
	if _, err := w.accounts.Send(w.t.Context(), key(of), key(id).JID(), account.Subscribed, []byte("<presence/>")); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) clientsOf(k endpoint.Key) (all []feature.Client) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range w.bound {
		if c.key == k {
			all = append(all, c)
		}
	}
	return all
}

// bind binds a client, in place of one with its resource, which ends.
func (w *world) bind(id, resource string) *client {
	c := &client{key: key(id), resource: resource}
	w.mu.Lock()
	var old *client
	if i := slices.IndexFunc(w.bound, func(o *client) bool { return o.JID() == c.JID() }); i >= 0 {
		old = w.bound[i]
		w.bound = slices.Delete(w.bound, i, i+1)
	}
	w.bound = append(w.bound, c)
	w.mu.Unlock()
	if old != nil {
		w.Ended(old, nil)
	}
	return c
}

// end ends a client.
func (w *world) end(c *client) {
	w.mu.Lock()
	w.bound = slices.DeleteFunc(w.bound, func(o *client) bool { return o == c })
	w.mu.Unlock()
	w.Ended(c, nil)
}

// work does what waits in the background.
func (w *world) work() {
	for _, f := range w.later.take() {
		f(w.t.Context())
	}
}

// says lets a client send a presence or a message.
func (w *world) says(c *client, raw string) feature.Answer {
	w.t.Helper()
	el, err := scan.ParseInStream([]byte(raw), scan.Limits{Bytes: 1 << 20})
	if err != nil {
		w.t.Fatalf("%s: %v", raw, err)
	}
	to, ok := Address{Key: c.key}, true
	if len(el.To()) > 0 {
		if to, ok = w.parse(string(el.To())); !ok {
			w.t.Fatalf("%s: no address here", raw)
		}
	}
	switch {
	case el.Kind == scan.Message:
		return w.Message(c, &el, to)
	case len(el.To()) > 0:
		return w.Directed(c, &el, to)
	}
	return w.Presence(c, &el)
}

// asks lets a client send an iq to its own account.
func (w *world) asks(c *client, set bool, payload string) feature.Answer {
	w.t.Helper()
	el, err := scan.ParseInStream([]byte("<iq id='1'>"+payload+"</iq>"), scan.Limits{Bytes: 1 << 20})
	if err != nil {
		w.t.Fatalf("%s: %v", payload, err)
	}
	q := &feature.Query{Set: set, Stanza: &el, From: c, To: feature.Own, Account: c.key}
	defer q.Patience.Stop()
	for child := range el.Element().Children() {
		q.Payload = child
	}
	return w.set.Answer(&q.Patience, q)
}

// archived returns the archive of an account.
func (w *world) archived(id string) (all []string) {
	w.t.Helper()
	r, err := w.accounts.Query(w.t.Context(), key(id), account.Filter{}, account.Page{Max: 50})
	if err != nil {
		w.t.Fatal(err)
	}
	for _, m := range r.Messages {
		all = append(all, m.ID.String())
	}
	return all
}
