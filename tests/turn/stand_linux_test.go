package turn

import (
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"signalbox/internal/app"
	"signalbox/tests/crash/rig"
	"signalbox/tests/turn/rawturn"
)

// stand is the real program with its TURN process, on ports of its own. Its data, certificate and token are those of the site.
type stand struct {
	t       *testing.T
	site    *rig.Site
	server  *rig.Process
	serving int                 // id of the process serve
	at      string              // where TURN is reached over UDP that runs elsewhere; empty: serve has its own
	addrs   map[string][]string // by listener
	http    *http.Client
}

// settings are what a test may change of its stand.
type settings struct {
	turn   string   // further lines of the section turn; a session may have 64 allocations unless they say so
	listen []string // of listen.turn; empty: a free port on loopback
	files  int      // RLIMIT_NOFILE of both processes; 0: as ours
	at     string   // where TURN is reached over UDP that runs elsewhere; empty: serve has its own
}

const configText = `domain: %s
data_dir: %q
certs: {dir: %q}
listen:
  tls: [%q]
  xmpp: []
  api: [%q]
  turn: [%s]
xmpp: {shutdown_timeout: 2s}
events: {flapping_sessions: 0}
drain: {period: 1s}
log: {level: info, format: console}
turn:
  secret_file: %q
  %s
`

// secretText is the secret of every stand's credentials.
const secretText = "5c81bb4f1b5bfae2b2b3ae1e9f8a1c55"

// programs builds the programs, once for all tests, into a directory of TestMain.
var programs = sync.OnceValues(func() (rig.Programs, error) { return rig.Build(os.Getenv(buildVariable)) })

const buildVariable = "TURN_BUILD_DIR"

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "signalbox-turn-")
	if err == nil {
		defer os.RemoveAll(dir)
		err = os.Setenv(buildVariable, dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

// newStand starts a server that runs until the test ends, and waits until its TURN process answers.
func newStand(t *testing.T, set settings) *stand {
	t.Helper()
	dir := t.TempDir()
	built, err := programs()
	must(t, err)
	site, err := rig.NewSite(built, dir, filepath.Join(dir, "data"))
	must(t, err)
	s := &stand{t: t, site: site, at: set.at, http: &http.Client{Timeout: patience}}
	t.Cleanup(s.http.CloseIdleConnections)
	must(t, os.WriteFile(filepath.Join(dir, "secret"), []byte(secretText+"\n"), 0o600))
	if !strings.Contains(set.turn, "session_allocations") {
		set.turn = "session_allocations: 64\n  " + set.turn
	}
	if set.listen == nil {
		set.listen = []string{"127.0.0.1:0"}
	}
	quoted, err := json.Marshal(set.listen)
	must(t, err)
	text := fmt.Sprintf(configText, rig.Domain, site.Data, filepath.Join(dir, "certs"), site.TLS, strings.TrimPrefix(site.API, "http://"),
		strings.Trim(string(quoted), "[]"), filepath.Join(dir, "secret"), strings.TrimSpace(set.turn))
	must(t, os.WriteFile(s.config(), []byte(text), 0o600)) // in place of the site's own
	must(t, site.MakeToken())
	t.Cleanup(s.stop)
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
	s.server, err = rig.Start("server", s.log(), nil, "/bin/sh", "-c", script, "sh", pidFile, limit, built.Server, "serve", "--config", s.config())
	must(s.t, err)
	api, err := s.site.Client()
	must(s.t, err)
	s.t.Cleanup(api.Close)
	must(s.t, rig.Await(s.t.Context(), s.server, "the server to be ready", func() (bool, error) {
		text, err := os.ReadFile(filepath.Join(s.site.Data, app.ReadyFile))
		if err != nil || json.Unmarshal(text, &s.addrs) != nil {
			return false, nil // not yet
		}
		r, err := api.Ready(s.t.Context())
		return err == nil && r.Ready, nil
	}))
	text, err := os.ReadFile(pidFile)
	must(s.t, err)
	s.serving, err = strconv.Atoi(strings.TrimSpace(string(text)))
	must(s.t, err)
	must(s.t, rig.Await(s.t.Context(), s.server, "TURN to answer", func() (bool, error) { return s.answers() == nil, nil }))
}

// answers asks the TURN process for a Binding.
func (s *stand) answers() error {
	c, err := rawturn.Dial(s.t.Context(), rawturn.Server{Network: "udp", Addr: s.turn(), Local: source()})
	if err != nil {
		return err
	}
	defer c.Close()
	_, err = c.Ask(rawturn.New(rawturn.Binding).Encode(), 200*time.Millisecond)
	return err
}

// turn is the first address of UDP and TCP: where the port is left open, both get the same.
func (s *stand) turn() string {
	s.t.Helper()
	if s.at != "" {
		return s.at
	}
	if len(s.addrs["turn_udp"]) == 0 || s.addrs["turn_udp"][0] != s.addrs["turn_tcp"][0] {
		s.t.Fatalf("no listener turn in %v", s.addrs)
	}
	return s.addrs["turn_udp"][0]
}

func (s *stand) stop() {
	if s.server == nil {
		return
	}
	if s.t.Failed() {
		s.t.Log(s.server.Tail())
	}
	if err := s.server.Stop(patience); err != nil {
		s.t.Error(err)
	}
	text, err := os.ReadFile(s.log())
	must(s.t, err)
	for line := range strings.Lines(string(text)) { // of both processes
		if strings.HasPrefix(line, "panic:") || strings.HasPrefix(line, "fatal error:") || strings.Contains(line, "DATA RACE") {
			s.t.Errorf("the log has %q, see there:\n%s", line, text[max(0, len(text)-20_000):])
			break
		}
	}
}

// child is the id of the TURN process, 0: there is none now.
func (s *stand) child() int {
	all, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, path := range all {
		text, err := os.ReadFile(path)
		if err != nil {
			continue // it ended
		}
		var parent int
		fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
		if _, err := fmt.Sscan(fields[1], &parent); err == nil && parent == s.serving && fields[0] != "Z" {
			pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(path)))
			return pid
		}
	}
	return 0
}

// call speaks HTTP with the API, fails unless the answer has this status, and reads it into what is given.
func (s *stand) call(t *testing.T, method, path, body string, want int, into any) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, s.site.API+path, strings.NewReader(body))
	must(t, err)
	req.Header.Set("Authorization", "Bearer "+s.site.Token)
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := s.http.Do(req)
	must(t, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	must(t, err)
	if resp.StatusCode != want {
		t.Fatalf("%s %s: status %d, want %d: %s", method, path, resp.StatusCode, want, text)
	}
	if into != nil {
		must(t, json.Unmarshal(text, into))
	}
}

// opened is a TURN session as the API shows it.
type opened struct {
	ID    string
	Sides map[string]struct {
		Username, Credential string
		URLs                 []string
	}
}

// open opens a session for ten minutes.
func (s *stand) open(t *testing.T, allow ...string) pair {
	t.Helper()
	body, err := json.Marshal(map[string]any{"ttl": 600, "allow_peers": append([]string{}, allow...)})
	must(t, err)
	return pairOf(t, s, string(body))
}

// pairOf opens a session as the body says.
func pairOf(t *testing.T, s *stand, body string) pair {
	t.Helper()
	var o opened
	s.call(t, "POST", "/v1/turn/sessions", body, http.StatusCreated, &o)
	account := func(side string) rawturn.Account {
		return rawturn.Account{Username: o.Sides[side].Username, Password: o.Sides[side].Credential}
	}
	return pair{id: o.ID, a: account("a"), b: account("b")}
}

// end ends a session.
func (s *stand) end(t *testing.T, id string) {
	t.Helper()
	s.call(t, "DELETE", "/v1/turn/sessions/"+id, "", http.StatusOK, nil)
}

// target is the stand as rows see it.
func (s *stand) target() *target {
	cfg := s.site.ClientTLS()
	return &target{
		addrs:   map[string]string{"udp": s.turn(), "tcp": s.turn(), "tls": s.site.TLS},
		tls:     &tls.Config{ServerName: rig.Domain, RootCAs: cfg.RootCAs},
		secret:  secretText,
		open:    func(t *testing.T) pair { return s.open(t) },
		end:     s.end,
		process: s.child,
	}
}

// probe is the stand as helpers of rows see it.
func (s *stand) probe() *probe { return &probe{T: s.t, target: s.target(), wait: rawturn.Patience} }

// outsideAddrs are addresses of this machine that are not for itself alone, one of each family; six may be missing.
func outsideAddrs(t *testing.T) (four, six netip.Addr) {
	t.Helper()
	all, err := net.InterfaceAddrs()
	must(t, err)
	for _, a := range all {
		p, err := netip.ParsePrefix(a.String())
		if err != nil {
			continue
		}
		switch ip := p.Addr().Unmap(); {
		case !ip.IsGlobalUnicast():
		case ip.Is4() && !four.IsValid():
			four = ip
		case ip.Is6() && !six.IsValid():
			six = ip
		}
	}
	if !four.IsValid() {
		t.Skip("LEFT OUT: attacks on TURN with peers beyond the session: this machine has loopback alone")
	}
	return four, six
}

// outside returns the setting that puts relays on addresses that are not loopback, so that peers beyond the session exist: of both families where there are both.
func outside(t *testing.T) string {
	t.Helper()
	four, six := outsideAddrs(t)
	if !six.IsValid() {
		return outside4(t)
	}
	return fmt.Sprintf("relay_ip: [%s, %q]\n", four, six)
}

// outside4 is outside with IPv4 alone.
func outside4(t *testing.T) string {
	t.Helper()
	four, _ := outsideAddrs(t)
	return fmt.Sprintf("relay_ip: [%s]\n", four)
}
