package deploy

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"signalbox/internal/client"
)

// TestThreeHosts: server, TURN and management server each on a host and with an address of their own. An endpoint becomes green and handles a push, and a technician's terminal on it
// comes up through the TURN host alone.
func TestThreeHosts(t *testing.T) {
	requireContainers(t)
	l := newLAN(t)
	s := newSite(t, l)
	l.host("turn", turnIP)
	server, turn, far := newEngine(t, l, "server"), newEngine(t, l, "turn"), newEngine(t, l, "endpoint")
	server.build("v1", runtime.GOARCH)
	server.give(turn, "signalbox:v1")
	server.give(far, "signalbox-agent:v1")
	env := map[string]string{
		"IMAGE_TAG": "v1", "COMPOSE_FILE": "compose.three-hosts.yaml", "ITSM_XMPP_IP": serverIP, "ITSM_TURN_SERVERS": turnIP, "CONTROL_DIR": control(t),
	}
	onTURN := maps.Clone(s.env)
	maps.Copy(onTURN, env)
	onTURN["COMPOSE_PROFILES"] = "turn"
	turn.settle(onTURN).compose("up", "-d")
	env["COMPOSE_PROFILES"] = "server"
	s.start(server, env)
	for e, want := range map[*engine]string{server: "signalbox", turn: "turn"} {
		if got := e.docker("ps", "--format", `{{.Label "com.docker.compose.service"}}`); got != want {
			t.Errorf("on %s runs %q, want %s alone", e.host, got, want)
		}
	}
	s.enrol(far)
	s.handled()
	s.terminal()
	await(t, patience, "the TURN host's container is healthy", func() bool { return turn.docker("ps", "--quiet", "--filter", "health=healthy") != "" })

	from, err := client.New("http://"+l.window("endpoint", serverIP+":8080"), s.token, client.Options{Tries: 1})
	must(t, err)
	t.Cleanup(from.Close)
	if _, err := from.Presence(t.Context(), endpointID); err == nil || !strings.Contains(err.Error(), "source_not_allowed") {
		t.Errorf("the API answers another host than the management server: %v", err)
	}
}

// control makes the certificates of the control connection, by the script that stands beside the files.
func control(t *testing.T) (folder string) {
	t.Helper()
	folder = t.TempDir()
	must(t, os.Chmod(folder, 0o755))
	out, err := exec.Command(filepath.Join("..", "..", "deploy", "compose", "turn-control.sh"), turnIP, folder).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return folder
}

// terminal is a technician beside the management server, with the command line: what is typed is done by a shell at the endpoint, and comes through TURN.
func (s *site) terminal() {
	s.t.Helper()
	cmd := exec.Command("nsenter", "--net=/run/netns/"+s.lan.name("management"), program(), "session", "attach", "--endpoint", endpointID, "--transport", "turn_only", "--consent", "none",
		"--technician", "ann", "--url", "http://"+serverIP+":8080", "--connect", serverIP+":443", "--ca-file", filepath.Join(s.certs, "ca.crt"), "terminal")
	cmd.Env = append(os.Environ(), "SIGNALBOX_API_TOKEN="+s.token)
	cmd.Stdin = strings.NewReader("echo word-$((1+1))\nexit\n")
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "word-2") {
		s.t.Errorf("the terminal: %v: %s", err, out)
	}
	page, err := s.api.Sessions(s.t.Context(), client.SessionFilter{Endpoint: endpointID})
	must(s.t, err)
	if len(page.Items) != 1 || page.Items[0].Path != "turn_udp" {
		s.t.Errorf("the sessions are %+v, want one that went by turn_udp", page.Items)
	}
}
