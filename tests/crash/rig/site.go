// Package rig runs the real programs as processes that can be killed, and plays the endpoints whose answers a crash must not take back.
package rig

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"signalbox/certs"
	"signalbox/internal/app"
	"signalbox/internal/client"
)

// Domain is the JID domain of every site.
const Domain = "xmpp.signalbox.test"

// Patience is how long something may take that must come; only what fails waits it out.
const Patience = 30 * time.Second

// Programs are the paths of the two programs.
type Programs struct{ Server, Agent string }

// Build builds the programs into dir as they are shipped.
func Build(dir string) (Programs, error) {
	cmd := exec.Command("go", "build", "-o", dir+string(filepath.Separator), "signalbox/cmd/signalbox", "signalbox/cmd/signalbox-agent")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return Programs{}, fmt.Errorf("build the programs: %w: %s", err, out)
	}
	return Programs{Server: filepath.Join(dir, "signalbox"), Agent: filepath.Join(dir, "signalbox-agent")}, nil
}

// Site is one installation: configuration, certificate, token. Its server can be started, killed and started again, on the same ports.
type Site struct {
	Dir   string // of all but the data
	Data  string // data_dir
	Token string // API token with scope admin
	CA    string // PEM file of the CA that signed the server's certificate
	API   string // URL
	TLS   string // host:port for endpoints

	programs Programs
	config   string
	roots    *x509.CertPool
}

// NewSite makes an installation in dir, with its data in data. Neither the window of pushes nor any limit on one endpoint is in the way of a load.
func NewSite(programs Programs, dir, data string) (*Site, error) {
	s := &Site{Dir: dir, Data: data, CA: filepath.Join(dir, "ca.crt"), programs: programs, config: filepath.Join(dir, "signalbox.yaml")}
	ca, bundle, err := certs.MakeCA(certs.CAOptions{Names: []string{Domain, "localhost", "127.0.0.1"}})
	if err != nil {
		return nil, err
	}
	s.roots = x509.NewCertPool()
	s.roots.AppendCertsFromPEM(ca)
	err = errors.Join(os.MkdirAll(filepath.Join(dir, "certs"), 0o700),
		os.WriteFile(filepath.Join(dir, "certs", Domain+".pem"), bundle, 0o600), os.WriteFile(s.CA, ca, 0o600))
	if err != nil {
		return nil, err
	}
	ports, err := freePorts(2)
	if err != nil {
		return nil, err
	}
	s.TLS, s.API = ports[0], "http://"+ports[1]
	text := fmt.Sprintf(configText, Domain, data, filepath.Join(dir, "certs"), ports[0], ports[1])
	return s, os.WriteFile(s.config, []byte(text), 0o600)
}

const configText = `domain: %s
data_dir: %q
certs: {dir: %q}
listen:
  tls: [%q]
  xmpp: []
  api: [%q]
  turn: []
push: {queue_count: 10000, queue_bytes: 1073741824}
xmpp: {stanzas_per_second: 100000, bytes_per_second: 1073741824, shutdown_timeout: 2s}
events: {flapping_sessions: 0}
drain: {period: 1s}
log: {level: warn, format: console}
`

// freePorts returns addresses on loopback that nobody listens on, from below the ports that clients get: a client of somebody else would take one while the
// server is down.
func freePorts(n int) (addrs []string, err error) {
	for tries := 0; len(addrs) < n && tries < 1000; tries++ {
		addr := fmt.Sprintf("127.0.0.1:%d", 15000+rand.IntN(15000))
		l, err := net.Listen("tcp", addr)
		if err != nil {
			continue
		}
		defer l.Close()
		addrs = append(addrs, addr)
	}
	if len(addrs) < n {
		return nil, errors.New("no free ports on loopback")
	}
	return addrs, nil
}

// Through returns the same installation as its endpoints find it behind another address.
func (s *Site) Through(addr string) *Site {
	behind := *s
	behind.TLS = addr
	return &behind
}

// MakeToken makes the token, which makes the database too.
func (s *Site) MakeToken() error {
	cmd := exec.Command(s.programs.Server, "token", "create", "--config", s.config, "--name", "rig", "--scope", "admin")
	out, err := cmd.Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return fmt.Errorf("make a token: %w: %s", err, exit.Stderr)
	}
	s.Token = strings.TrimSpace(string(out))
	return err
}

// ClientTLS returns the TLS configuration of an endpoint.
func (s *Site) ClientTLS() *tls.Config {
	return &tls.Config{ServerName: Domain, RootCAs: s.roots, NextProtos: []string{"xmpp-client"}}
}

// Client returns a client of the API that repeats nothing by itself.
func (s *Site) Client() (*client.Client, error) {
	return client.New(s.API, s.Token, client.Options{Tries: 1})
}

const (
	serverLog = "server.log"
	agentLog  = "agent.log"
)

// Tails returns the end of what the programs said.
func (s *Site) Tails() string {
	return Tail(filepath.Join(s.Dir, serverLog)) + "\n" + Tail(filepath.Join(s.Dir, agentLog))
}

// Server is a server that runs, or did.
type Server struct {
	*Process
	site *Site
	data string
}

// Launch starts the server on the site's data, and does not wait until it is ready.
func (s *Site) Launch() (*Server, error) { return s.LaunchOn(s.Data) }

// LaunchOn starts the server on other data.
func (s *Site) LaunchOn(data string) (*Server, error) {
	if err := os.Remove(filepath.Join(data, app.ReadyFile)); err != nil && !os.IsNotExist(err) {
		return nil, err // that of a server that was killed
	}
	p, err := Start("server", filepath.Join(s.Dir, serverLog), nil, s.programs.Server, "serve", "--config", s.config, "--set", "data_dir="+data)
	if err != nil {
		return nil, err
	}
	return &Server{p, s, data}, nil
}

// AwaitReady waits until the server says where it listens and that it is ready.
func (s *Server) AwaitReady(ctx context.Context) error {
	api, err := s.site.Client()
	if err != nil {
		return err
	}
	defer api.Close()
	return Await(ctx, s.Process, "the server to be ready", func() (bool, error) {
		text, err := os.ReadFile(filepath.Join(s.data, app.ReadyFile))
		if err != nil {
			return false, nil // not yet
		}
		var addrs map[string][]string
		if err := json.Unmarshal(text, &addrs); err != nil || len(addrs["tls"]) == 0 || len(addrs["api"]) == 0 {
			return false, fmt.Errorf("%s holds %q: %w", app.ReadyFile, text, err)
		}
		r, err := api.Ready(ctx)
		return err == nil && r.Ready, nil
	})
}

// Errors returns the lines of level error that the servers logged: they were killed, which is no error of theirs.
func (s *Site) Errors() (found []string) {
	text, err := os.ReadFile(filepath.Join(s.Dir, serverLog))
	if err != nil {
		return []string{err.Error()}
	}
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); len(f) > 1 && f[1] == "error" || strings.HasPrefix(line, "panic:") || strings.HasPrefix(line, "fatal error:") {
			found = append(found, strings.TrimSpace(line))
		}
	}
	return found
}

// Await looks until it is true or fails, ctx is done, p, which may be nil, ended, or Patience is over.
func Await(ctx context.Context, p *Process, what string, look func() (bool, error)) error {
	const period = 2 * time.Millisecond
	ticks, end := time.NewTicker(period), time.NewTimer(Patience)
	defer ticks.Stop()
	defer end.Stop()
	var ended <-chan struct{}
	if p != nil {
		ended = p.Ended()
	}
	for {
		if ok, err := look(); ok || err != nil {
			return err
		}
		select {
		case <-ticks.C:
		case <-ctx.Done():
			return fmt.Errorf("wait for %s: %w", what, ctx.Err())
		case <-ended:
			return fmt.Errorf("wait for %s: %w", what, p.Alive())
		case <-end.C:
			return fmt.Errorf("%s did not come within %v", what, Patience)
		}
	}
}
