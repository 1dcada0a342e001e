package tests

import (
	"bytes"
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest"

	"signalbox/internal/agent"
	"signalbox/internal/agent/capability/system"
	"signalbox/internal/agent/capability/terminal"
	"signalbox/internal/channel"
	"signalbox/internal/channel/client"
	"signalbox/internal/channel/wsconn"
	"signalbox/internal/identity"
	"signalbox/internal/signalling"
	"signalbox/tests/harness"
)

// screen is what a terminal has shown.
type screen struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write implements io.Writer.
func (s *screen) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(b)
}

// String returns all of it.
func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// await waits until the terminal shows a text.
func (s *screen) await(t *testing.T, text string) {
	t.Helper()
	harness.Await(t, func() bool { return strings.Contains(s.String(), text) }, func() string { return "the terminal shows " + s.String() })
}

// leg asks for a channel over the relay, and opens the technician's end of it.
func leg(t *testing.T, s *harness.Server, tech *harness.Stream, session, name string) channel.Conn {
	t.Helper()
	signal(tech, "<relay xmlns='"+signalling.Namespace+"' id='"+session+"' channel='"+name+"' number='1'/>")
	conf := s.TLS()
	conf.NextProtos = []string{"http/1.1"}
	web := &http.Client{Transport: &http.Transport{DialTLSContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&tls.Dialer{Config: conf}).DialContext(ctx, "tcp", s.Addr("tls"))
	}}}
	conn, err := wsconn.Dial(t.Context(), inner(nextOf(t, tech, "relay"), "url='", "'"), web)
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

// TestRemoteSessionWithAgent: a technician types into a terminal of a real agent over the relay, and goes on in it after a restart of the server.
func TestRemoteSessionWithAgent(t *testing.T) {
	t.Parallel()
	s, h := harness.Start(t), newHandlers(t)
	s.KeepPorts()
	s.Stop()
	s.Config.XMPP.WebSocketURL = "wss://" + s.Addr("tls") + "/xmpp-websocket" // the name of the domain is in no DNS
	s.Run()
	register(t, s, "pc-1")
	key, err := identity.Load(filepath.Join(s.Config.DataDir, "identity.key"))
	if err != nil {
		t.Fatal(err)
	}
	cfg := h.agentConfig(s, "pc-1", s.Addr("tls"))
	cfg.ServerKey = key.Public().String()
	a, err := agent.New(cfg, "test", zaptest.NewLogger(t, zaptest.Level(zap.ErrorLevel)), agent.WithCapabilities(terminal.New([]string{"/bin/sh"}), system.New("test")))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { _ = a.Run(ctx) })
	t.Cleanup(running.Wait)
	t.Cleanup(cancel)
	s.AwaitPresence(t, "pc-1", "online")

	r := openRemote(t, s, `{"endpoint":"pc-1","technician":{"id":"ann"},"kinds":["terminal"],"consent":{"mode":"none"},"transport":"websocket_only"}`)
	tech, state := seatOf(t, s, r.ID, r.Token)
	awaitRemote(t, s, r.ID, "connecting")
	term, err := client.OpenTerminal(t.Context(), leg(t, s, tech, r.ID, channel.Terminal), channel.TerminalOpen{Cols: 80, Rows: 24})
	if err != nil {
		t.Fatal(err)
	}
	var before screen
	running.Go(func() { _, _, _ = term.Copy(t.Context(), &before) })
	if err := term.Type(t.Context(), []byte("n=6; echo says $((n*7))\n")); err != nil {
		t.Fatal(err)
	}
	before.await(t, "says 42")
	awaitRemote(t, s, r.ID, "active")

	s.Stop()
	s.Run()
	tech, _ = seatOf(t, s, r.ID, "reattach:"+inner(state, "reattach='", "'"))
	awaitRemote(t, s, r.ID, "active")
	term, err = client.OpenTerminal(t.Context(), leg(t, s, tech, r.ID, channel.Terminal), channel.TerminalOpen{Cols: 80, Rows: 24, Terminal: term.Opened().Terminal})
	if err != nil {
		t.Fatal(err)
	}
	var after screen
	running.Go(func() { _, _, _ = term.Copy(t.Context(), &after) })
	after.await(t, "says 42") // scrolled back
	if err := term.Type(t.Context(), []byte("echo knows $((n+1))\n")); err != nil {
		t.Fatal(err)
	}
	after.await(t, "knows 7")
	s.Call(t, "DELETE", "/v1/sessions/"+r.ID, "", http.StatusOK)
	if got := awaitRemote(t, s, r.ID, "ended"); got.Path != "relay" {
		t.Errorf("it went over %q", got.Path)
	}
}
