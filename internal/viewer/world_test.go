package viewer

import (
	"context"
	"encoding/json"
	"errors"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"
	"go.uber.org/zap"

	agent "signalbox/internal/agent/remote"

	"signalbox/internal/agent/capability"
	"signalbox/internal/channel"
	"signalbox/internal/channel/wsconn"
	"signalbox/internal/signalling"
	"signalbox/relay"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const session = "ses_06d5wq2k40000"

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// echo is a capability that sends back what it gets.
type echo string

func (e echo) Name() string                                { return string(e) }
func (e echo) Supported() error                            { return nil }
func (e echo) Open(capability.Session) capability.Instance { return e }
func (e echo) Close()                                      {}

func (e echo) Serve(ctx context.Context, c channel.Conn) error {
	for {
		m, err := c.Receive(ctx)
		if err == nil {
			err = c.Send(ctx, m)
		}
		if err != nil {
			return err
		}
	}
}

// world is a real endpoint and a real relay, between which and the viewer stands a server in the hands of a test.
type world struct {
	t         *testing.T
	manager   *agent.Manager
	relay     *relay.Server
	tls       *httptest.Server
	transport string

	checks   atomic.Int32 // for signs of life
	mu       sync.Mutex
	deaf     bool // candidates are lost
	lossy    bool // offers are
	away     bool // calls fail
	accepted bool
	calls    int
	secret   string
	line     *fakeLine
	asked    []string // channels, over the relay
	offers   []int    // numbers of connections
	peer     int      // of the last connection, as the server says it
}

func newWorld(t *testing.T, transport string) *world {
	t.Helper()
	w := &world{t: t, transport: transport}
	var err error
	w.relay, err = relay.New(relay.Default(), nil, zap.NewNop(), prometheus.NewRegistry())
	must(t, err)
	w.relay.Open(session, 0, func() {})
	w.tls = httptest.NewTLSServer(w.relay)
	cfg := agent.DefaultConfig()
	cfg.Loopback = true
	w.manager = agent.New(cfg, agent.Options{
		Open: func(text string, _ time.Time) (g signalling.Grant, err error) {
			return g, json.Unmarshal([]byte(text), &g)
		},
		Capabilities: []capability.Capability{echo(channel.Terminal), echo(channel.Files)}, Consent: agent.Nobody{},
		Relay: func(ctx context.Context, url string) (channel.Conn, error) {
			return wsconn.Dial(ctx, url, w.tls.Client())
		},
	}, zap.NewNop())
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { w.manager.Run(ctx) })
	running.Go(func() {
		if err := w.relay.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() {
		stop()
		running.Wait()
		w.tls.Close()
	})
	w.manager.Online(w.fromEndpoint)
	return w
}

func (w *world) beginning() string {
	return "wss" + strings.TrimPrefix(w.tls.URL, "https") + relay.Path
}

// offer has the endpoint accept the session.
func (w *world) offer() {
	w.t.Helper()
	text, err := json.Marshal(signalling.Grant{
		ID: session, Kinds: []string{channel.Terminal, channel.Files}, Consent: signalling.ConsentMode{Mode: signalling.ModeNone}, Transport: w.transport,
		Issued: time.Now(), Expires: time.Now().Add(time.Hour), RelayHosts: []string{w.beginning()},
	})
	must(w.t, err)
	must(w.t, w.manager.Take(signalling.Offer{About: signalling.About{ID: session}, Grant: string(text)}))
}

// fromEndpoint hands on what the endpoint says.
func (w *world) fromEndpoint(m signalling.Message) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if _, ok := m.(signalling.Accept); ok {
		w.accepted = true
	}
	_, candidate := m.(signalling.Candidate)
	if _, path := m.(signalling.Path); !path && !(candidate && w.deaf) {
		w.sayLocked(m)
	}
}

func (w *world) sayLocked(m signalling.Message) {
	if w.line != nil {
		w.line.out <- m
	}
}

// call is the Call of the viewer.
func (w *world) call(_ context.Context, a signalling.Attach) (Line, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.calls++
	switch {
	case w.away:
		return nil, errors.New("connection refused")
	case a.ID != session || a.Token != "t0ken" && (w.secret == "" || a.Reattach != w.secret):
		return nil, &RefusedError{Why: "refused"}
	}
	w.secret += "s"
	w.line = &fakeLine{world: w, out: make(chan signalling.Message, 1000), over: make(chan error, 1)}
	state := "requested"
	if w.accepted {
		state = "connecting"
	}
	w.sayLocked(signalling.State{About: signalling.About{ID: session}, State: state, Transport: w.transport, Reattach: w.secret, Peer: w.peer})
	return w.line, nil
}

// cut loses the line; away: the server stays away.
func (w *world) cut(away bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.away = away
	w.line.over <- errors.New("connection reset")
	w.line = nil
}

// counts returns how often the viewer called, the channels over the relay and the connections that were offered.
func (w *world) counts() (calls int, asked []string, offers []int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.calls, w.asked, w.offers
}

// fakeLine is a Line. It implements Line.
type fakeLine struct {
	world *world
	out   chan signalling.Message
	over  chan error
}

func (l *fakeLine) Send(_ context.Context, m signalling.Message) error {
	w := l.world
	if err := signalling.Allowed(m, signalling.FromTechnician); err != nil {
		w.t.Errorf("the viewer says %#v: %v", m, err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.line != l {
		return errors.New("broken pipe")
	}
	switch m := m.(type) {
	case signalling.Relay:
		w.asked = append(w.asked, m.Channel)
		ours, theirs, err := w.relay.Pair(session)
		if err != nil {
			return err
		}
		to := m
		m.URL, to.URL = w.beginning()+ours, w.beginning()+theirs
		w.sayLocked(m)
		return w.manager.Take(to)
	case signalling.Candidate:
		if w.deaf {
			return nil
		}
	case signalling.SDP:
		w.offers = append(w.offers, m.Peer)
		if w.lossy {
			return nil
		}
	case signalling.Path:
		return nil
	case signalling.End:
		w.sayLocked(m)
		_ = w.manager.Take(m) // the session may not have begun
		return nil
	}
	return w.manager.Take(m)
}

func (l *fakeLine) Receive(ctx context.Context) (signalling.Message, error) {
	select {
	case m := <-l.out:
		return m, nil
	case err := <-l.over:
		return nil, err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

func (l *fakeLine) Check(context.Context) { l.world.checks.Add(1) }

func (l *fakeLine) Close() error { return nil }

// run runs a viewer; ended gets what Run returns, once.
func (w *world) run(change ...func(*Config)) (v *Viewer, ended <-chan error) {
	w.t.Helper()
	cfg := Config{Session: session, Token: "t0ken", Call: w.call, HTTP: w.tls.Client(), Loopback: true}
	for _, c := range change {
		c(&cfg)
	}
	v = New(cfg)
	ctx, stop := context.WithCancel(context.Background())
	result, over := make(chan error, 1), make(chan struct{})
	go func() {
		defer close(over)
		result <- v.Run(ctx)
	}()
	w.t.Cleanup(func() {
		stop()
		<-over
	})
	return v, result
}

// open opens a channel.
func (w *world) open(v *Viewer, name string) channel.Conn {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), time.Minute)
	defer cancel()
	c, err := v.Open(ctx, name)
	must(w.t, err)
	w.t.Cleanup(func() { _ = c.Close() })
	return c
}

// echoes has a channel send back what it gets.
func (w *world) echoes(c channel.Conn, text string) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), time.Minute)
	defer cancel()
	must(w.t, c.Send(ctx, channel.Message{Data: []byte(text)}))
	m, err := c.Receive(ctx)
	if err != nil || string(m.Data) != text {
		w.t.Fatalf("the echo of %q is %q, %v", text, m.Data, err)
	}
}

// await waits until something is so.
func await(t *testing.T, what string, is func() bool) {
	t.Helper()
	look, limit := time.NewTicker(10*time.Millisecond), time.NewTimer(time.Minute)
	defer look.Stop()
	defer limit.Stop()
	for !is() {
		select {
		case <-look.C:
		case <-limit.C:
			t.Fatal(what)
		}
	}
}
