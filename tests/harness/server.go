// Package harness runs the real server in the test's process, with real certificates, a real database file and real sockets on loopback.
package harness

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap/zaptest"

	"signalbox/certs"
	"signalbox/internal/access"
	"signalbox/internal/app"
	"signalbox/internal/config"
	"signalbox/internal/store"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
)

// Domain is the JID domain of every harness server.
const Domain = "xmpp.signalbox.test"

// Server is one data directory with a certificate, and the server that runs on it.
type Server struct {
	Config config.Config
	CAFile string // PEM of the CA that signed the server's certificate
	Token  string // API token with scope admin
	Next   []byte // another certificate bundle for the same names, which CAFile covers too

	TURNProgram []string // with its arguments: is started as TURN process where the configuration asks for one; this process's program has no such command

	t       *testing.T
	roots   *x509.CertPool
	clients clientCA
	addrs   map[string][]string
	stop    context.CancelFunc
	ended   chan error

	asking   sync.Mutex
	contract *contract // guarded by asking; nil: nobody asked the API yet
}

// Start makes a data directory and runs a server on it until the test ends. Changes are applied to its configuration.
func Start(t *testing.T, changes ...func(*config.Config)) *Server {
	t.Helper()
	s := New(t, changes...)
	s.Run()
	t.Cleanup(s.Stop)
	return s
}

// New makes a data directory, a certificate and a token, and starts nothing.
func New(t *testing.T, changes ...func(*config.Config)) *Server {
	t.Helper()
	dir := t.TempDir()
	s := &Server{t: t, Config: Config(dir), CAFile: filepath.Join(dir, "ca.crt")}
	s.makeCertificate()
	s.makeClientCA()
	for _, listener := range []*[]string{&s.Config.Listen.TLS, &s.Config.Listen.XMPP, &s.Config.Listen.API} {
		*listener = []string{HoldPort(t)}
	}
	for _, change := range changes {
		change(&s.Config)
	}
	s.makeToken()
	return s
}

// Config returns a configuration on free loopback ports with everything in dir.
func Config(dir string) config.Config {
	cfg := config.Default()
	cfg.Domain = Domain
	cfg.DataDir = filepath.Join(dir, "data")
	cfg.Certs.Dir = filepath.Join(dir, "certs")
	cfg.Listen.TLS = []string{"127.0.0.1:0"}
	cfg.Listen.XMPP = []string{"127.0.0.1:0"}
	cfg.Listen.API = []string{"127.0.0.1:0"}
	cfg.Listen.TURN = nil
	cfg.XMPP.ShutdownTimeout = 2 * time.Second
	cfg.Drain.Period = time.Second
	cfg.Events.FlappingSessions = 0 // tests log in as often as they like
	return cfg
}

func (s *Server) makeCertificate() {
	s.t.Helper()
	options := certs.CAOptions{Names: []string{Domain, "localhost", "127.0.0.1"}}
	ca, bundle, err := certs.MakeCA(options)
	s.must(err)
	nextCA, next, err := certs.MakeCA(options)
	s.must(err)
	ca, s.Next = append(ca, nextCA...), next
	s.must(os.MkdirAll(s.Config.Certs.Dir, 0o755))
	s.must(os.WriteFile(filepath.Join(s.Config.Certs.Dir, Domain+".pem"), bundle, 0o600))
	s.must(os.WriteFile(s.CAFile, ca, 0o644))
	s.roots = x509.NewCertPool()
	s.roots.AppendCertsFromPEM(ca)
}

// makeToken makes a token as the command line does: on the store itself.
func (s *Server) makeToken() {
	s.t.Helper()
	path, err := store.Locate(s.Config.Store.URL, s.Config.DataDir)
	s.must(err)
	st, err := store.Open(s.t.Context(), path, s.Config.Store.Config, zap.NewNop(), prometheus.NewRegistry())
	s.must(err)
	ctx, cancel := context.WithCancel(s.t.Context())
	done := make(chan error, 1)
	go func() { done <- st.Run(ctx) }()
	s.Token, _, err = access.New(st, time.Now).Create(s.t.Context(), "harness", []access.Scope{access.ScopeAdmin})
	s.must(err)
	cancel()
	s.must(<-done)
	s.must(st.Close())
}

// Run runs a server on the directory. It is called again after Stop.
func (s *Server) Run() {
	s.t.Helper()
	log := zaptest.NewLogger(s.t, zaptest.Level(zap.WarnLevel))
	a, err := app.New(s.t.Context(), s.Config, app.Version{Version: "test"}, log)
	s.must(err)
	a.SetTURNProgram(s.TURNProgram...)
	ctx, stop := context.WithCancel(context.Background())
	s.addrs, s.stop, s.ended = a.Addrs(), stop, make(chan error, 1)
	go func() { s.ended <- a.Run(ctx) }()
}

// TryRun reports why a server on the directory cannot be built; one that can is given up again.
func (s *Server) TryRun() error {
	s.t.Helper()
	a, err := app.New(s.t.Context(), s.Config, app.Version{Version: "test"}, zap.NewNop())
	if err != nil {
		return err
	}
	return a.Close()
}

// KeepPorts has the next Run listen where this one does. Meanwhile nobody else gets these ports, see HoldPort.
func (s *Server) KeepPorts() {
	s.Config.Listen.TLS, s.Config.Listen.XMPP, s.Config.Listen.API = s.addrs["tls"], s.addrs["xmpp"], s.addrs["api"]
}

// Stop ends the server as a signal does, and waits for it.
func (s *Server) Stop() {
	s.t.Helper()
	if s.stop == nil {
		return
	}
	s.stop()
	s.stop = nil
	if err := <-s.ended; err != nil {
		s.t.Errorf("server ended with %v", err)
	}
}

// Addr returns the first address of a listener: tls, xmpp, xmpp_plaintext, turn_udp, turn_tcp or api.
func (s *Server) Addr(listener string) string {
	s.t.Helper()
	if len(s.addrs[listener]) == 0 {
		s.t.Fatalf("no listener %q in %v", listener, s.addrs)
	}
	return s.addrs[listener][0]
}

// URL returns the base URL of the API. Every answer is held against the API's description on its way, see contract.
func (s *Server) URL() string {
	s.t.Helper()
	direct := "http://" + s.Addr("api")
	s.asking.Lock()
	defer s.asking.Unlock()
	if s.contract == nil || s.contract.target.String() != direct {
		s.contract = newContract(s.t, direct)
	}
	return s.contract.server.URL
}

// TLS returns the client configuration of an endpoint.
func (s *Server) TLS() *tls.Config {
	return &tls.Config{ServerName: Domain, RootCAs: s.roots, NextProtos: []string{"xmpp-client"}, MinVersion: tls.VersionTLS12}
}

func (s *Server) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}
