package feature

import (
	"context"
	"slices"
	"testing"

	"signalbox/internal/endpoint"
	"signalbox/xmpp/scan"
)

// fakeClient is a client that keeps what it is sent; gone ones get nothing.
type fakeClient struct {
	key   endpoint.Key
	gone  bool
	sent  []string
	state State
}

func newFake(id string) *fakeClient { return &fakeClient{key: endpoint.Key{Domain: "x.test", ID: id}} }

func (c *fakeClient) Key() endpoint.Key { return c.key }
func (c *fakeClient) JID() string       { return c.key.JID() + "/r" }
func (c *fakeClient) State() *State     { return &c.state }
func (c *fakeClient) Send(raw []byte) bool {
	if !c.gone {
		c.sent = append(c.sent, string(raw))
	}
	return !c.gone
}
func (c *fakeClient) SendMessage(raw []byte, _ *Copies) bool { return c.Send(raw) }
func (c *fakeClient) SendPresence(from string, raw []byte)   { c.Send(raw) }

// take returns what was sent and forgets it.
func (c *fakeClient) take() []string {
	defer func() { c.sent = nil }()
	return c.sent
}

// fakeHost is a server with these clients, which keeps what it is to route.
type fakeHost struct {
	clients []Client
	routed  []string
}

func (h *fakeHost) Domain() string { return "x.test" }
func (h *fakeHost) Clients(k endpoint.Key) []Client {
	return slices.DeleteFunc(slices.Clone(h.clients), func(c Client) bool { return c.Key() != k })
}
func (h *fakeHost) Route(_ context.Context, to string, raw []byte) {
	h.routed = append(h.routed, to+" "+string(raw))
}

func parsed(t testing.TB, raw string) *scan.Stanza {
	t.Helper()
	st, err := scan.ParseInStream([]byte(raw), scan.Limits{Bytes: 1 << 20})
	if err != nil {
		t.Fatalf("%s: %v", raw, err)
	}
	return &st
}
