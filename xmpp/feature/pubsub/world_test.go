package pubsub

import (
	"context"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.uber.org/zap"

	"signalbox/internal/account"
	"signalbox/internal/endpoint"
	"signalbox/internal/store"
	"signalbox/xmpp/feature"
	"signalbox/xmpp/scan"
)

// client is an account's client that keeps what it is sent; one that is gone gets nothing.
type client struct {
	key   endpoint.Key
	gone  bool
	sent  []string
	state feature.State
}

func (c *client) Key() endpoint.Key     { return c.key }
func (c *client) JID() string           { return c.key.JID() + "/r" }
func (c *client) State() *feature.State { return &c.state }
func (c *client) Send(raw []byte) bool {
	if !c.gone {
		c.sent = append(c.sent, string(raw))
	}
	return !c.gone
}
func (c *client) SendMessage(raw []byte, _ *feature.Copies) bool { return c.Send(raw) }
func (c *client) SendPresence(from string, raw []byte)           { c.Send(raw) }

// world is a service on a real store, with accounts pc-1 to pc-4: the owner, a contact that gets its presence, a stranger, and somebody who is shut out.
type world struct {
	t        testing.TB
	accounts *account.Service
	pep      *Service
	set      *feature.Set
	clients  map[string]*client
}

func newWorld(t testing.TB) *world {
	t.Helper()
	s, err := store.Open(context.Background(), filepath.Join(t.TempDir(), store.FileName), store.Default(), zap.NewNop(), nil)
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
	accounts, err := account.New(account.Default(), s.Accounts())
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, accounts: accounts, clients: map[string]*client{}}
	w.pep = New(accounts, w, zap.NewNop())
	w.set = feature.NewSet(nil, w.pep.Feature(), feature.ClientCaps(w, w.pep.Wanted))
	for _, id := range []string{"pc-1", "pc-2", "pc-3", "pc-4"} {
		k := endpoint.Key{Domain: "x.test", ID: id}
		if err := s.CreateEndpoint(ctx, endpoint.Endpoint{Key: k, Enabled: true}, endpoint.Secret{}); err != nil {
			t.Fatal(err)
		}
		w.clients[id] = &client{key: k}
	}
	for _, id := range []string{"pc-2", "pc-4"} {
		w.hears(id, "pc-1")
	}
	return w
}

// hears gives the first the presence of the second.
func (w *world) hears(id, of string) {
	w.t.Helper()
	a, b := w.clients[id].key, w.clients[of].key
	if _, err := w.accounts.Send(context.Background(), a, b.JID(), account.Subscribe, []byte("<presence/>")); err != nil {
		w.t.Fatal(err)
	}
	if _, err := w.accounts.Send(context.Background(), b, a.JID(), account.Subscribed, []byte("<presence/>")); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) Domain() string { return "x.test" }
func (w *world) Clients(k endpoint.Key) []feature.Client {
	if c := w.clients[k.ID]; c != nil && c.key == k {
		return []feature.Client{c}
	}
	return nil
}
func (w *world) Route(context.Context, string, []byte) {}

// ask asks the account of the owner in the name of an account.
func (w *world) ask(id string, set bool, payload string) feature.Answer {
	w.t.Helper()
	el, err := scan.ParseInStream([]byte("<iq>"+payload+"</iq>"), scan.Limits{Bytes: 1 << 20})
	if err != nil {
		w.t.Fatalf("%s: %v", payload, err)
	}
	return w.answer(w.clients[id], set, &el)
}

func (w *world) answer(c *client, set bool, el *scan.Stanza) feature.Answer {
	w.t.Helper()
	owner := w.clients["pc-1"].key
	to := feature.Another
	if c.key == owner {
		to = feature.Own
	}
	q := &feature.Query{Set: set, Stanza: el, From: c, To: to, Account: owner}
	for child := range el.Element().Children() {
		q.Payload = child
	}
	a := w.set.Answer(context.Background(), q)
	if len(a.Payload) > 0 { // every answer must stand in a stream of strict readers
		if _, err := scan.ParseInStream(a.Payload, wide); err != nil {
			w.t.Errorf("%s asks %s and gets %s: %v", c.JID(), el.Raw, a.Payload, err)
		}
	}
	return a
}

var wide = scan.Limits{Bytes: 8 << 20, Depth: 256, Attributes: 256, Namespaces: 256}

// did fails unless a request is answered with a result, and returns it.
func (w *world) did(id string, set bool, payload string) string {
	w.t.Helper()
	a := w.ask(id, set, payload)
	if a.Condition != "" {
		w.t.Fatalf("%s asks %s: %s %s", id, payload, a.Condition, a.Detail)
	}
	return string(a.Payload)
}

// publish publishes an item of the owner's, with options as fields of a form.
func (w *world) publish(node, id string, fields ...string) {
	w.t.Helper()
	w.did("pc-1", true, "<pubsub xmlns='"+nsPubSub+"'><publish node='"+node+"'><item id='"+id+"'><x xmlns='urn:x'/></item></publish><publish-options>"+
		submit(publishOptions, fields...)+"</publish-options></pubsub>")
}

// submit makes a form of names and values in turn.
func submit(formType string, fields ...string) string {
	b := "<x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE' type='hidden'><value>" + formType + "</value></field>"
	for pair := range slices.Chunk(fields, 2) {
		b += "<field var='pubsub#" + pair[0] + "'><value>" + pair[1] + "</value></field>"
	}
	return b + "</x>"
}

// available makes an account's client available with wishes for these nodes.
func (w *world) available(id string, nodes ...string) {
	w.t.Helper()
	c := w.clients[id]
	el, err := scan.ParseInStream([]byte("<presence><c xmlns='http://jabber.org/protocol/caps' node='n' ver='"+strings.Join(nodes, ",")+"'/></presence>"), scan.Limits{})
	if err != nil {
		w.t.Fatal(err)
	}
	c.State().SetPresence(feature.Presence{Available: true})
	w.set.Present(w.t.Context(), c, &el)
	asked, err := scan.ParseInStream([]byte(c.sent[len(c.sent)-1]), scan.Limits{})
	if err != nil {
		w.t.Fatal(err)
	}
	c.sent = nil
	features := ""
	for _, n := range nodes {
		features += "<feature var='" + n + "+notify'/>"
	}
	el, err = scan.ParseInStream([]byte("<iq type='result' id='"+string(asked.ID())+"'><query xmlns='http://jabber.org/protocol/disco#info'>"+features+"</query></iq>"), scan.Limits{})
	if err != nil {
		w.t.Fatal(err)
	}
	c.State().Answered(w.t.Context(), "x.test", &el)
}

// got returns what a client was sent since it was asked last, and checks that it is well-formed.
func (w *world) got(id string) []string {
	w.t.Helper()
	c := w.clients[id]
	defer func() { c.sent = nil }()
	for _, raw := range c.sent {
		if _, err := scan.ParseInStream([]byte(raw), wide); err != nil {
			w.t.Errorf("%s was sent %s: %v", id, raw, err)
		}
	}
	return c.sent
}
