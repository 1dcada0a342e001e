package remote

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"go.uber.org/zap"

	"signalbox/internal/agent/capability"
	"signalbox/internal/channel"
	"signalbox/internal/signalling"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// world is a manager, with the server's side in the hands of a test.
type world struct {
	*Manager
	t    *testing.T
	said chan signalling.Message

	mu    sync.Mutex
	legs  map[string]channel.Conn // what the relay gives for a URL
	asked []string                // URLs
}

var errForged = errors.New("the grant is not signed by this server")

// openGrant is signalling.Open with grants whose signature is the word "signed".
func openGrant(text string, now time.Time) (signalling.Grant, error) {
	var g struct {
		Signature string
		Grant     signalling.Grant
	}
	switch err := json.Unmarshal([]byte(text), &g); {
	case err != nil || g.Signature != "signed":
		return signalling.Grant{}, errForged
	case g.Grant.Endpoint != "pc-1@example.org":
		return signalling.Grant{}, errors.New("the grant is for another endpoint")
	case !now.Before(g.Grant.Expires):
		return signalling.Grant{}, errors.New("the grant has expired")
	}
	return g.Grant, nil
}

func seal(g signalling.Grant, signature string) string {
	b, err := json.Marshal(map[string]any{"Signature": signature, "Grant": g})
	if err != nil {
		panic(err)
	}
	return string(b)
}

func newWorld(t *testing.T, cfg Config, consent Consent, caps ...capability.Capability) *world {
	t.Helper()
	w := &world{t: t, said: make(chan signalling.Message, 1000), legs: map[string]channel.Conn{}}
	if consent == nil {
		consent = Nobody{}
	}
	if caps == nil {
		caps = []capability.Capability{&echo{name: channel.Terminal}, &echo{name: channel.Files}, &echo{name: channel.System}}
	}
	w.Manager = New(cfg, Options{Open: openGrant, Capabilities: caps, Consent: consent, Relay: w.relay}, zap.NewNop())
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.Run(ctx)
	}()
	t.Cleanup(func() {
		stop()
		<-done
	})
	w.online()
	return w
}

func (w *world) online() { w.Online(func(m signalling.Message) { w.said <- m }) }

func (w *world) relay(_ context.Context, url string) (channel.Conn, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.asked = append(w.asked, url)
	if c, ok := w.legs[url]; ok {
		return c, nil
	}
	return nil, errors.New("no such ticket")
}

// grant returns one that is good for an hour, after changes.
func grant(changes ...func(*signalling.Grant)) signalling.Grant {
	g := signalling.Grant{
		ID: "ses_1", Endpoint: "pc-1@example.org", Technician: signalling.Technician{ID: "t1", Name: "Ada"}, Kinds: []string{channel.Terminal, channel.Files},
		Consent: signalling.ConsentMode{Mode: signalling.ModeNone}, Transport: signalling.TransportAuto, Issued: time.Now(), Expires: time.Now().Add(time.Hour),
		RelayHosts: []string{"wss://example.org/relay/"},
	}
	for _, c := range changes {
		c(&g)
	}
	return g
}

func (w *world) offer(g signalling.Grant) {
	w.t.Helper()
	must(w.t, w.Take(signalling.Offer{About: signalling.About{ID: g.ID}, Grant: seal(g, "signed")}))
}

// hear returns the next message that is no report of the way.
func (w *world) hear() signalling.Message {
	w.t.Helper()
	limit := time.NewTimer(3 * time.Hour) // virtual, or the test's own end
	defer limit.Stop()
	for {
		select {
		case m := <-w.said:
			if _, report := m.(signalling.Path); !report {
				return m
			}
		case <-limit.C:
			w.t.Fatal("the endpoint says nothing")
		}
	}
}

// begin has a session accepted.
func (w *world) begin(g signalling.Grant) {
	w.t.Helper()
	w.offer(g)
	for {
		switch m := w.hear().(type) {
		case signalling.Consent:
		case signalling.Accept:
			return
		default:
			w.t.Fatalf("the endpoint says %#v instead of Accept", m)
		}
	}
}

// ends takes the next message, which must be the end of the session for a reason.
func (w *world) ends(reason string) {
	w.t.Helper()
	if m, ok := w.hear().(signalling.End); !ok || m.Reason != reason || m.ID != "ses_1" {
		w.t.Errorf("the endpoint says %#v, want the end for %s", m, reason)
	}
}

// echo is a capability that sends back what it gets.
type echo struct {
	name   string
	no     error // why it is not supported
	mu     sync.Mutex
	opened []capability.Session
	closed int
}

func (e *echo) Name() string     { return e.name }
func (e *echo) Supported() error { return e.no }

func (e *echo) Open(s capability.Session) capability.Instance {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.opened = append(e.opened, s)
	return e
}

// count returns how often it was opened.
func (e *echo) count() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.opened)
}

func (e *echo) Serve(ctx context.Context, c channel.Conn) error {
	for {
		m, err := c.Receive(ctx)
		if err != nil {
			return err
		}
		if err := c.Send(ctx, m); err != nil {
			return err
		}
	}
}

func (e *echo) Close() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.closed++
}

// pipe is a channel in memory.
type pipe struct {
	in, out chan channel.Message
	over    chan struct{}
	once    *sync.Once
}

func newPipe() (a, b *pipe) {
	x, y, over, once := make(chan channel.Message), make(chan channel.Message), make(chan struct{}), &sync.Once{}
	return &pipe{x, y, over, once}, &pipe{y, x, over, once}
}

func (p *pipe) Receive(ctx context.Context) (channel.Message, error) {
	select {
	case m := <-p.in:
		return m, nil
	case <-p.over:
		return channel.Message{}, io.EOF
	case <-ctx.Done():
		return channel.Message{}, ctx.Err()
	}
}

func (p *pipe) Send(ctx context.Context, m channel.Message) error {
	select {
	case p.out <- m:
		return nil
	case <-p.over:
		return io.ErrClosedPipe
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (p *pipe) Close() error {
	p.once.Do(func() { close(p.over) })
	return nil
}

// open has a channel served through the relay, and returns the technician's end.
func (w *world) open(name string) *pipe {
	w.t.Helper()
	here, there := newPipe()
	w.mu.Lock()
	url := "wss://example.org/relay/" + string(rune('a'+len(w.legs)))
	w.legs[url] = there
	w.mu.Unlock()
	must(w.t, w.Take(signalling.Relay{About: signalling.About{ID: "ses_1"}, Channel: name, Number: 1, URL: url}))
	return here
}

// send opens a channel through the relay and sends something after a while.
func (w *world) send(name string, after time.Duration) {
	w.t.Helper()
	c := w.open(name)
	<-time.After(after)
	must(w.t, c.Send(w.t.Context(), channel.Message{Data: []byte("x")}))
	_, err := c.Receive(w.t.Context())
	must(w.t, err)
}
