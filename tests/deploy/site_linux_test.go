package deploy

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"signalbox/certs"
	"signalbox/internal/client"
)

const (
	endpointID = "pc-1"
	// container is the user of our images.
	container = 65532
)

// site is an installation with an endpoint, and a management server beside it.
type site struct {
	t          *testing.T
	lan        *lan
	management *management
	certs      string // folder with the bundle, as operators have it
	env        map[string]string
	server     *files
	api        *client.Client
	token      string
}

// newSite makes everything that an operator brings: names, addresses, certificates. The caller starts the server.
func newSite(t *testing.T, l *lan) *site {
	t.Helper()
	s := &site{t: t, lan: l, certs: t.TempDir()}
	l.host("management", managementIP)
	l.host("server", serverIP)
	l.host("endpoint", endpointIP)
	must(t, os.Chmod(s.certs, 0o755))
	ca, bundle, err := certs.MakeCA(certs.CAOptions{Names: []string{domain, "*." + baseDomain}})
	must(t, err)
	must(t, os.WriteFile(filepath.Join(s.certs, "ca.crt"), ca, 0o644))
	must(t, os.WriteFile(filepath.Join(s.certs, baseDomain+".pem"), bundle, 0o600))
	must(t, os.Chown(filepath.Join(s.certs, baseDomain+".pem"), container, container))
	s.management = newManagement(t, l, s.certs)
	s.env = map[string]string{
		"TIGASE_DOMAIN": baseDomain, "ITSM_WEB_HOST": managementName, "ITSM_WEB_IP": managementIP,
		"CERTS_DIR": s.certs, "SIGNALBOX_EVENTS_CA_FILE": "/etc/signalbox/certs/management.crt",
	}
	return s
}

// start is what the operator does on the server: docker-compose up, and a token for the management server.
func (s *site) start(e *engine, more map[string]string) {
	s.t.Helper()
	maps.Copy(s.env, more)
	s.server = e.settle(s.env)
	s.server.compose("up", "-d")
	s.awaitHealth("healthy")
	s.token = s.server.compose("exec", "-T", "signalbox", "signalbox", "token", "create", "--name", "management", "--scope", "admin")
	var err error
	s.api, err = client.New("http://"+s.lan.window("management", serverIP+":8080"), s.token, client.Options{Tries: 1})
	must(s.t, err)
	s.t.Cleanup(s.api.Close)
}

// awaitHealth waits until the engine says that of the server's container, by its health check.
func (s *site) awaitHealth(want string) {
	s.t.Helper()
	await(s.t, patience, "the container is "+want, func() bool {
		return s.server.docker("inspect", "--format", "{{.State.Health.Status}}", s.id()) == want
	})
}

// id returns the server's container.
func (s *site) id() string { return s.server.compose("ps", "-q", "signalbox") }

// endpoint is an endpoint in a container.
type endpoint struct {
	*engine
	config  string // folder of its configuration
	effects string // file with the id of each push that its handler took
}

// shell is the image of an endpoint whose handlers and terminals have a shell.
const shell = `FROM signalbox-agent:v1
COPY busybox /bin/sh
ENV SHELL=/bin/sh
`

// handler answers every push with ok, and leaves a line of each.
const handler = `
handlers:
  demo.*: {command: [/bin/sh, -c, 'echo "$SIGNALBOX_PUSH_ID" >>/var/lib/signalbox-agent/effects']}
`

// enrol makes an endpoint in a container of its own, as an administrator does, and waits until it is green for the management server.
func (s *site) enrol(e *engine) *endpoint {
	s.t.Helper()
	s.buildShell(e)
	root := s.t.TempDir()
	must(s.t, os.Chmod(root, 0o755))
	p := &endpoint{engine: e, config: filepath.Join(root, "config"), effects: filepath.Join(root, "state", "effects")}
	for _, dir := range []string{p.config, filepath.Dir(p.effects)} {
		must(s.t, os.Mkdir(dir, 0o700))
		must(s.t, os.Chown(dir, container, container))
	}
	place := []string{"--network", "host", "--add-host", domain + ":" + serverIP, "--volume", p.config + ":/etc/signalbox-agent", "--volume", filepath.Dir(p.effects) + ":/var/lib/signalbox-agent",
		"--volume", filepath.Join(s.certs, "ca.crt") + ":/ca.crt:ro", "endpoint"}
	made, err := s.api.CreateEnrolment(s.t.Context(), client.NewEnrolment{Endpoint: endpointID})
	must(s.t, err)
	enroll := e.command("docker", append(append([]string{"run", "--rm", "--interactive"}, place...), "enroll", "--server", domain, "--token", "-", "--ca-file", "/ca.crt",
		"--config-dir", "/etc/signalbox-agent", "--state-dir", "/var/lib/signalbox-agent")...)
	enroll.Stdin = strings.NewReader(made.Token)
	e.output(enroll)
	f, err := os.OpenFile(filepath.Join(p.config, "agent.yaml"), os.O_APPEND|os.O_WRONLY, 0)
	must(s.t, err)
	_, err = f.WriteString(handler)
	must(s.t, err)
	must(s.t, f.Close())
	e.docker(append([]string{"run", "--detach", "--name", "agent"}, place...)...)
	await(s.t, patience, "the endpoint is green", func() bool {
		presence, err := s.api.Presence(s.t.Context(), endpointID)
		return err == nil && presence.State == "online" && s.management.heard("endpoint.online", endpointID) == 1
	})
	return p
}

// buildShell builds the endpoint's image on an engine that has the agent's.
func (s *site) buildShell(e *engine) {
	s.t.Helper()
	dir := s.t.TempDir()
	where, err := exec.LookPath("busybox")
	must(s.t, err)
	text, err := os.ReadFile(where)
	must(s.t, err)
	must(s.t, os.WriteFile(filepath.Join(dir, "busybox"), text, 0o755))
	must(s.t, os.WriteFile(filepath.Join(dir, "Dockerfile"), []byte(shell), 0o600))
	e.docker("build", "--quiet", "--tag", "endpoint", dir)
}

// count returns how often the handler took each push.
func (p *endpoint) count() map[string]int {
	p.t.Helper()
	text, err := os.ReadFile(p.effects)
	must(p.t, err)
	counts := map[string]int{}
	for id := range strings.FieldsSeq(string(text)) {
		counts[id]++
	}
	return counts
}

// push is a push of these tests.
func push() client.NewPush {
	return client.NewPush{To: endpointID, Type: "demo.push", Ack: "handled", IdempotencyKey: client.NewIdempotencyKey()}
}

// handled posts a push and waits until it is handled.
func (s *site) handled() {
	s.t.Helper()
	r, err := s.api.SendPush(s.t.Context(), push())
	must(s.t, err)
	s.awaitHandled(r.ID)
}

// awaitHandled waits until a push has its final state, which it has once.
func (s *site) awaitHandled(id string) {
	s.t.Helper()
	var got client.Push
	await(s.t, patience, "push "+id+" is handled", func() bool {
		var err error
		got, err = s.api.Push(s.t.Context(), id)
		return err == nil && got.State == "handled"
	})
	n := 0
	for _, change := range got.History {
		if change.State == "handled" {
			n++
		}
	}
	if n != 1 {
		s.t.Errorf("push %s became handled %d times: %v", id, n, fmt.Sprint(got.History))
	}
}
