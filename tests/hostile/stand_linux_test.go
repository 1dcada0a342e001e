package hostile

import (
	"cmp"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"signalbox/internal/app"
	"signalbox/internal/client"
	"signalbox/tests/crash/rig"
)

// stand is one server process with its endpoints. Its time limits are as short as they may be, so that attacks meet them.
type stand struct {
	t       *testing.T
	site    *rig.Site
	process *rig.Process
	pid     int
	api     *client.Client
	tls     *tls.Config         // without a cache of sessions: every login pays for a whole handshake
	addrs   map[string][]string // tls, xmpp
	chatty  bool                // logs at level debug
	login   time.Duration       // xmpp.login_timeout

	mu      sync.Mutex
	secrets map[string]string // by endpoint
}

// settings are what a test may change of its stand.
type settings struct {
	files int           // RLIMIT_NOFILE; 0: as ours
	tls   []string      // further addresses for listen.tls
	log   string        // level; empty: info
	login time.Duration // xmpp.login_timeout, and three and one and a half times those of the steps before it; 0: usualLogin
}

const usualLogin = 6 * time.Second

const configText = `domain: %s
data_dir: %q
certs: {dir: %q}
listen:
  tls: [%s]
  xmpp: ["127.0.0.1:0"]
  api: [%q]
  turn: []
  first_byte_timeout: %s
  handshake_timeout: %s
xmpp:
  login_timeout: %s
  stanza_timeout: 5s
  ping_after: 4s
  liveness: 10s
  write_timeout: 2s
  queue_bytes: 262144
  resume_timeout: 5s
  shutdown_timeout: 2s
events: {flapping_sessions: 0}
drain: {period: 1s}
log: {level: %s, format: console}
`

// newStand starts a server that runs until the test ends.
func newStand(t *testing.T, set settings) *stand {
	t.Helper()
	dir := t.TempDir()
	built, err := programs()
	must(t, err)
	site, err := rig.NewSite(built, dir, filepath.Join(dir, "data"))
	must(t, err)
	s := &stand{t: t, site: site, tls: site.ClientTLS(), secrets: map[string]string{}, chatty: set.log == "debug", login: cmp.Or(set.login, usualLogin)}
	addrs := fmt.Sprintf("%q", site.TLS)
	for _, a := range set.tls {
		addrs += fmt.Sprintf(", %q", a)
	}
	text := fmt.Sprintf(configText, rig.Domain, site.Data, filepath.Join(dir, "certs"), addrs, strings.TrimPrefix(site.API, "http://"),
		s.login/3, 2*s.login/3, s.login, cmp.Or(set.log, "info"))
	must(t, os.WriteFile(s.config(), []byte(text), 0o600)) // in place of the site's own
	must(t, site.MakeToken())
	s.launch(built, set.files)
	return s
}

func (s *stand) config() string { return filepath.Join(s.site.Dir, "signalbox.yaml") }

func (s *stand) log() string { return filepath.Join(s.site.Dir, "server.log") }

// launch starts the server by a shell, which tells its process id and can take descriptors away.
func (s *stand) launch(built rig.Programs, files int) {
	s.t.Helper()
	pidFile, limit := filepath.Join(s.site.Dir, "pid"), "-"
	if files > 0 {
		limit = strconv.Itoa(files)
	}
	const script = `echo $$ >"$1"; if [ "$2" != - ]; then ulimit -n "$2" || exit 1; fi; shift 2; exec "$@"`
	var err error
	s.process, err = rig.Start("server", s.log(), nil, "/bin/sh", "-c", script, "sh", pidFile, limit, built.Server, "serve", "--config", s.config())
	must(s.t, err)
	s.t.Cleanup(s.stop)
	s.api, err = s.site.Client()
	must(s.t, err)
	s.t.Cleanup(s.api.Close)
	must(s.t, rig.Await(s.t.Context(), s.process, "the server to be ready", func() (bool, error) {
		text, err := os.ReadFile(filepath.Join(s.site.Data, app.ReadyFile))
		if err != nil || json.Unmarshal(text, &s.addrs) != nil {
			return false, nil // not yet
		}
		r, err := s.api.Ready(s.t.Context())
		return err == nil && r.Ready, nil
	}))
	text, err := os.ReadFile(pidFile)
	must(s.t, err)
	s.pid, err = strconv.Atoi(strings.TrimSpace(string(text)))
	must(s.t, err)
}

// stop ends the server as an operator does: it must end well after every attack, and have said little.
func (s *stand) stop() {
	if err := s.process.Stop(rig.Patience); err != nil {
		s.t.Error(err)
	}
	s.checkLog()
	if s.t.Failed() {
		s.t.Log(s.process.Tail())
	}
}

// mostLines is how much a server may log during one test: strangers must not fill its disk.
const mostLines = 40

func (s *stand) checkLog() {
	text, err := os.ReadFile(s.log())
	if err != nil {
		s.t.Error(err)
		return
	}
	if n := strings.Count(string(text), "\n"); n > mostLines && !s.chatty {
		s.t.Errorf("the server logged %d lines, at most %d", n, mostLines)
	}
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "panic:") || strings.HasPrefix(line, "fatal error:") || strings.Contains(line, "http: panic") {
			s.t.Errorf("the server said %s", line)
		}
	}
	for id, secret := range s.secrets {
		if strings.Contains(string(text), secret) {
			s.t.Errorf("the secret of %s is in the log", id)
		}
	}
}

// addr returns the first address of a listener.
func (s *stand) addr(listener string) string { return s.addrs[listener][0] }

// register makes endpoints with secrets that the server makes, which are cheap to check, and returns their ids.
func (s *stand) register(prefix string, n int) []string {
	s.t.Helper()
	ids, failed, next := make([]string, n), make(chan error, n), make(chan int, n)
	for i := range ids {
		ids[i] = fmt.Sprintf("%s-%d", prefix, i)
		next <- i
	}
	close(next)
	for range min(n, 8) {
		go func() { // ends when all are made; every outcome is taken below
			for i := range next {
				e, err := s.api.CreateEndpoint(s.t.Context(), client.NewEndpoint{ID: ids[i]})
				s.mu.Lock()
				s.secrets[ids[i]] = e.Secret
				s.mu.Unlock()
				failed <- err
			}
		}()
	}
	for range ids {
		must(s.t, <-failed)
	}
	return ids
}

func (s *stand) secret(id string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.secrets[id]
}

// dialer connects from an address of loopback, so that attackers and honest endpoints are different sources.
func dialer(source string) *net.Dialer {
	return dialerWith(source, unix.SOL_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1)
}

// dialerWith sets an option on its sockets as well. The kernel chooses their ports when they connect: earlier it would find too few.
func dialerWith(source string, level, option, value int) *net.Dialer {
	control := func(_, _ string, raw syscall.RawConn) error {
		var errSet error
		errRaw := raw.Control(func(fd uintptr) {
			errSet = errors.Join(unix.SetsockoptInt(int(fd), unix.SOL_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1), unix.SetsockoptInt(int(fd), level, option, value))
		})
		return errors.Join(errRaw, errSet)
	}
	return &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(source)}, Control: control}
}

// The sources.
const (
	honestSource  = "127.0.0.1"
	hostileSource = "127.0.0.66"
)
