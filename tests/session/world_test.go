package session

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest"

	"signalbox/internal/agent"
	"signalbox/internal/agent/capability"
	"signalbox/internal/agent/capability/files"
	"signalbox/internal/agent/capability/processes"
	"signalbox/internal/agent/capability/system"
	"signalbox/internal/agent/capability/terminal"
	"signalbox/internal/agent/enrol"
	"signalbox/internal/agent/remote"
	"signalbox/internal/channel"
	"signalbox/internal/client"
	"signalbox/internal/config"
	"signalbox/internal/signalling"
	"signalbox/internal/viewer"
	"signalbox/tests/beside"
	"signalbox/tests/harness"
	"signalbox/tests/harness/turnchild"
)

func TestMain(m *testing.M) {
	if ran, status := turnchild.Run(); ran {
		os.Exit(status)
	}
	os.Exit(m.Run())
}

// host is the domain of the server: a name that everybody finds.
const host = "localhost"

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// world is a server and the endpoint pc-1.
type world struct {
	t      *testing.T
	folder string // that technicians get at files of; empty: all
	server *harness.Server
	agent  *agent.Agent
	user   user
	roots  *x509.CertPool
}

// user is remote.Consent: one who notes what is asked, and allows it.
type user chan remote.Question

func (user) Desktop(context.Context) string { return signalling.DesktopActive }

func (u user) Ask(_ context.Context, q remote.Question) remote.Answer {
	u <- q
	return signalling.ConsentAllowed
}

func (user) Notify(remote.Notice) (done func()) { return func() {} }

// newWorld runs both until the test ends; withTURN: the server relays by TURN, too.
func newWorld(t *testing.T, withTURN bool) *world { return newConfinedWorld(t, withTURN, "") }

// newConfinedWorld is newWorld where technicians get at files in a folder alone.
func newConfinedWorld(t *testing.T, withTURN bool, folder string) *world {
	t.Helper()
	change := func(c *config.Config) {
		c.Domain = host
		must(t, os.Rename(filepath.Join(c.Certs.Dir, harness.Domain+".pem"), filepath.Join(c.Certs.Dir, host+".pem"))) // it is for both names
	}
	w := &world{t: t, folder: folder, user: make(user, 1)}
	if withTURN {
		at, err := beside.Address()
		if err != nil {
			t.Skipf("LEFT OUT: remote sessions over TURN: %v", err)
		}
		w.server = harness.StartTURN(t, change, func(c *config.Config) { c.TURN.Own.RelayIP = []string{at.String()} })
	} else {
		w.server = harness.Start(t, change)
	}
	pem, err := os.ReadFile(w.server.CAFile)
	must(t, err)
	w.roots = x509.NewCertPool()
	w.roots.AppendCertsFromPEM(pem)
	w.runAgent()
	return w
}

// runAgent enrols pc-1 and runs its agent.
func (w *world) runAgent() {
	t := w.t
	t.Helper()
	_, answer := w.server.Call(t, http.MethodPost, "/v1/enrolments", `{"endpoint":"pc-1"}`, http.StatusCreated)
	var made struct{ Token string }
	must(t, json.Unmarshal([]byte(answer), &made))
	done, err := enrol.Run(t.Context(), enrol.Options{
		Server: net.JoinHostPort(host, port(w.server.Addr("tls"))), Token: made.Token, ConfigDir: filepath.Join(t.TempDir(), "config"), CAFile: w.server.CAFile, Proxy: "direct",
		Interception: agent.InterceptionDeny,
	})
	must(t, err)
	cfg, err := agent.Load(done.Config, nil)
	must(t, err)
	cfg.Remote.Loopback = true
	all, err := files.New(w.folder)
	must(t, err)
	w.agent, err = agent.New(cfg, "test", zaptest.NewLogger(t, zaptest.Level(zap.FatalLevel)), agent.WithConsent(w.user),
		agent.WithCapabilities([]capability.Capability{terminal.New(nil), all, processes.New(), system.New("test")}...))
	must(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- w.agent.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("agent ended with %v", err)
		}
	})
	w.server.AwaitPresence(t, "pc-1", "online")
}

func port(address string) string {
	_, p, _ := net.SplitHostPort(address)
	return p
}

// technician is a viewer in a session of its own.
type technician struct {
	*viewer.Viewer
	w     *world
	api   *client.Client
	id    string // of the session
	ended chan error
	relay *lossy
}

// opens opens a session, and returns what lets its technician in.
func (w *world) opens(transport string, consent client.NewConsent) (*client.Client, client.SessionGrant) {
	t := w.t
	t.Helper()
	api, err := client.New(w.server.URL(), w.server.Token, client.Options{})
	must(t, err)
	t.Cleanup(api.Close)
	grant, err := api.OpenSession(t.Context(), client.NewSession{
		Endpoint: "pc-1", Technician: client.Technician{ID: "ann", Name: "Ann"}, Kinds: []string{channel.Terminal, channel.Files, channel.Processes}, Transport: transport, Consent: &consent,
	})
	must(t, err)
	return api, grant
}

// attach opens a session without consent and attaches to it, after changes.
func (w *world) attach(transport string, change ...func(*viewer.Config)) *technician {
	t := w.t
	t.Helper()
	api, grant := w.opens(transport, client.NewConsent{Mode: signalling.ModeNone})
	relay := &lossy{}
	relayed := &http.Transport{TLSClientConfig: w.tls("http/1.1"), DialContext: relay.dial}
	signalled := &http.Transport{TLSClientConfig: w.tls("http/1.1")}
	t.Cleanup(relayed.CloseIdleConnections)
	t.Cleanup(signalled.CloseIdleConnections)
	cfg := viewer.Config{
		Session: grant.ID, Token: grant.Token, HTTP: &http.Client{Transport: relayed}, Loopback: true, Dial: w.dialTURN,
		Call: viewer.WebSocket(grant.SignallingURL, &http.Client{Transport: signalled}),
	}
	for _, c := range change {
		c(&cfg)
	}
	a := &technician{Viewer: viewer.New(cfg), w: w, api: api, id: grant.ID, ended: make(chan error, 1), relay: relay}
	ctx, stop := context.WithCancel(context.Background())
	over := make(chan struct{})
	go func() {
		defer close(over)
		a.ended <- a.Run(ctx)
	}()
	t.Cleanup(func() {
		stop()
		<-over
	})
	return a
}

func (w *world) tls(protocol string) *tls.Config {
	return &tls.Config{RootCAs: w.roots, ServerName: host, NextProtos: []string{protocol}, MinVersion: tls.VersionTLS12}
}

func (w *world) dialTURN(ctx context.Context, address string, secure bool) (net.Conn, error) {
	if !secure {
		return new(net.Dialer).DialContext(ctx, "tcp", address)
	}
	return (&tls.Dialer{Config: w.tls("stun.turn")}).DialContext(ctx, "tcp", address)
}

// open opens a channel.
func (a *technician) open(name string) channel.Conn {
	a.w.t.Helper()
	ctx, cancel := context.WithTimeout(a.w.t.Context(), time.Minute)
	defer cancel()
	c, err := a.Open(ctx, name)
	if err != nil {
		a.w.t.Fatalf("open %s: %v", name, err)
	}
	return c
}

// awaitRecord waits until the server's record of the session is as wanted.
func (a *technician) awaitRecord(what string, is func(client.Session) bool) {
	a.w.t.Helper()
	var last client.Session
	var err error
	harness.Await(a.w.t, func() bool {
		last, err = a.api.Session(a.w.t.Context(), a.id)
		return err == nil && is(last)
	}, func() string { return fmt.Sprintf("the session is %+v, %v; want %s", last, err, what) })
}

// lossy dials, and can cut all that it has dialled.
type lossy struct {
	mu  sync.Mutex
	all []net.Conn
}

func (l *lossy) dial(ctx context.Context, network, address string) (net.Conn, error) {
	c, err := new(net.Dialer).DialContext(ctx, network, address)
	if err == nil {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.all = append(l.all, c)
	}
	return c, err
}

func (l *lossy) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range l.all {
		_ = c.Close() // some have ended
	}
	l.all = nil
}
