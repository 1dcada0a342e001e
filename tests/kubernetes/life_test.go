package kubernetes

import (
	"bytes"
	"crypto/tls"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"signalbox/internal/app"
	"signalbox/tests/harness"
)

// The paths of the probes.
const (
	livez  = "/livez"
	readyz = "/readyz"
)

// process is a program that runs with the configuration of a pod.
type process struct {
	cmd   *exec.Cmd
	ended chan struct{}
	err   error // of its end, once ended is closed

	mu  sync.Mutex
	out bytes.Buffer
}

// Write takes what the program says.
func (p *process) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.out.Write(b)
}

func (p *process) said() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.out.String()
}

// start runs the command of a pod, with its file and environment, and what differs on this machine: key=value.
func start(t *testing.T, m manifests, differs ...string) *process {
	t.Helper()
	file, env := m.configured(t)
	args := append(m.workload(t).Spec.Template.Spec.Containers[0].Args, "--config", file)
	for _, d := range differs {
		args = append(args, "--set", d)
	}
	return launch(t, env, append([]string{program}, args...))
}

// launch runs a command until the test ends.
func launch(t *testing.T, env, line []string) *process {
	t.Helper()
	p := &process{cmd: exec.Command(line[0], line[1:]...), ended: make(chan struct{})}
	p.cmd.Env, p.cmd.Stdout, p.cmd.Stderr = env, p, p
	must(t, p.cmd.Start())
	go func() { // ended by the clean-up, which waits for it
		defer close(p.ended)
		p.err = p.cmd.Wait()
	}()
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		<-p.ended
		if t.Failed() {
			t.Logf("%q said:\n%s", line, p.said())
		}
	})
	return p
}

// site is a server of an overlay with its TURN process, each in a process of its own.
type site struct {
	secrets secrets
	server  *process
	dir     string
	addrs   map[string][]string
	client  *http.Client // asks as the kubelet does: over TLS, and whatever the certificate says
	token   string
}

// startSite starts both with Secrets as a cluster mounts them, on free ports of loopback.
func startSite(t *testing.T) *site {
	t.Helper()
	s := &site{secrets: makeSecrets(t, t.TempDir()), dir: t.TempDir(), client: &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}}
	t.Cleanup(s.client.CloseIdleConnections)
	control := harness.HoldPort(t)
	start(t, load(t, "turn"), append(s.secrets.control(), "turn.control.listen="+control, "listen.turn=127.0.0.1:0", "turn.relay_ip=127.0.0.1", "turn.public_ip=127.0.0.1")...)
	differs := append(s.secrets.control(), "turn.control.url=tls://"+control, "data_dir="+filepath.Join(s.dir, "data"), "certs.dir="+s.secrets.certificates,
		"api.tls.cert_file="+filepath.Join(s.secrets.api, "tls.crt"), "api.tls.key_file="+filepath.Join(s.secrets.api, "tls.key"),
		"domain="+harness.Domain, "listen.tls=127.0.0.1:0", "listen.xmpp=127.0.0.1:0", "listen.api=127.0.0.1:0", "listen.trusted_proxies="+harness.Balancer, "drain.period=4s")
	s.token = s.makeToken(t, differs)
	s.server = start(t, load(t, "overlays/load-balancer"), differs...)
	s.await(t, func() bool {
		text, err := os.ReadFile(filepath.Join(s.dir, "data", app.ReadyFile))
		return err == nil && json.Unmarshal(text, &s.addrs) == nil
	}, "is not up")
	return s
}

// makeToken makes a token as an operator does in the pod.
func (s *site) makeToken(t *testing.T, differs []string) string {
	t.Helper()
	file, env := load(t, "overlays/load-balancer").configured(t)
	args := []string{"token", "create", "--name", "test", "--scope", "admin", "--config", file}
	for _, d := range differs {
		args = append(args, "--set", d)
	}
	cmd := exec.CommandContext(t.Context(), program, args...)
	cmd.Env = env
	out, err := cmd.Output()
	must(t, err)
	return strings.TrimSpace(string(out))
}

// await looks until something is true of the server, as long as that runs.
func (s *site) await(t *testing.T, ok func() bool, problem string) {
	t.Helper()
	gone := func() bool {
		select {
		case <-s.server.ended:
			return true
		default:
			return false
		}
	}
	harness.Await(t, func() bool { return ok() || gone() }, func() string { return "the server " + problem })
	if !ok() {
		t.Fatalf("the server ended: %v", s.server.err)
	}
}

// ask asks the API and returns the status; 0: nobody answers.
func (s *site) ask(t *testing.T, method, path, body string) (status int, answer string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, "https://"+s.addrs["api"][0]+path, strings.NewReader(body))
	must(t, err)
	req.Header.Set("Authorization", "Bearer "+s.token)
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := s.client.Do(req)
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	must(t, err)
	return resp.StatusCode, string(text)
}

func (s *site) want(t *testing.T, method, path, body string, want int) string {
	t.Helper()
	status, answer := s.ask(t, method, path, body)
	if status != want {
		t.Fatalf("%s %s = %d, want %d: %s", method, path, status, want, answer)
	}
	return answer
}

// connect opens the shared port as a load balancer does for a client, with the PROXY protocol or without.
func (s *site) connect(t *testing.T, header string) (*tls.Conn, error) {
	t.Helper()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(harness.Balancer)}}
	c, err := d.DialContext(t.Context(), "tcp", s.addrs["tls"][0])
	must(t, err)
	t.Cleanup(func() { _ = c.Close() })
	_, err = io.WriteString(c, header)
	must(t, err)
	client := tls.Client(c, &tls.Config{ServerName: harness.Domain, RootCAs: s.secrets.roots, NextProtos: []string{"xmpp-client"}})
	return client, client.HandshakeContext(t.Context())
}

const proxied = "PROXY TCP4 203.0.113.9 203.0.113.5 4711 443\r\n"

// TestLife: the pods of the manifests as processes. The probes get what they ask for, the load balancer's header is read, TURN is controlled from another process, a renewed
// Secret is taken; a drain and the end of the pod are red for the readiness probe and for no other, and the program ends by itself with status 0.
func TestLife(t *testing.T) {
	s := startSite(t)
	s.want(t, "GET", livez, "", http.StatusOK)
	s.want(t, "GET", readyz, "", http.StatusOK)
	s.await(t, func() bool {
		_, metrics := s.ask(t, "GET", "/metrics", "")
		return strings.Contains(metrics, "\nsignalbox_turn_control_up 1\n") && strings.Contains(metrics, "\nsignalbox_turn_sessions 0\n")
	}, "does not control the TURN process")

	s.want(t, "POST", "/v1/endpoints", `{"id":"pc-1","secret":"s3cret-1"}`, http.StatusCreated)
	c, err := s.connect(t, proxied)
	must(t, err)
	before := c.ConnectionState().PeerCertificates[0]
	pc := harness.NewStream(t, "pc-1", c)
	pc.Login("pc-1", "s3cret-1", "agent")
	pc.Send("<presence/>")
	if shown := s.want(t, "GET", "/v1/endpoints/pc-1/presence", "", http.StatusOK); !strings.Contains(shown, `"203.0.113.9`) {
		t.Errorf("the client's address is not that of the PROXY header: %s", shown)
	}
	if _, err := s.connect(t, ""); err == nil {
		t.Error("a connection of the load balancer without its header was taken")
	}

	s.secrets.renew(t)
	s.await(t, func() bool {
		c, err := s.connect(t, proxied)
		return err == nil && !c.ConnectionState().PeerCertificates[0].Equal(before)
	}, "does not take the renewed certificate")

	s.want(t, "POST", "/v1/drain", `{"period":300,"reason":"node"}`, http.StatusAccepted)
	s.want(t, "GET", readyz, "", http.StatusServiceUnavailable)
	s.want(t, "GET", livez, "", http.StatusOK)
	if metrics := s.want(t, "GET", "/metrics", "", http.StatusOK); !strings.Contains(metrics, `signalbox_app_ready{check="drain"} 0`) {
		t.Error("the metric of readiness does not say that the server drains")
	}
	s.want(t, "DELETE", "/v1/drain", "", http.StatusOK)
	s.want(t, "GET", readyz, "", http.StatusOK)

	must(t, s.server.cmd.Process.Signal(syscall.SIGTERM))
	s.await(t, func() bool { status, _ := s.ask(t, "GET", readyz, ""); return status == http.StatusServiceUnavailable }, "stays ready while it ends")
	s.want(t, "GET", livez, "", http.StatusOK)
	for item := pc.Next(); !strings.Contains(item, "<system-shutdown"); item = pc.Next() {
		if item == "(closed)" || item == "(end)" {
			t.Fatal("the endpoint is cut off without a word")
		}
	}
	pc.Close()
	<-s.server.ended
	if s.server.err != nil {
		t.Errorf("the server ended with %v", s.server.err)
	}
}
