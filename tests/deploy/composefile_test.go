package deploy

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"
)

// service is what is looked at of a service in a compose file.
type service struct {
	Logging struct {
		Driver  string
		Options map[string]string
	}
	Volumes []string
}

// TestComposeFiles: with nothing but the names of .env, each service bounds its log as a Tigase installation does, and the server takes its bundles from where they lie there. docker-compose
// reads the files, so that nothing is lost in one that knows less of YAML than we do.
func TestComposeFiles(t *testing.T) {
	if _, err := exec.LookPath("docker-compose"); err != nil {
		t.Skip("LEFT OUT: compose files: they need the command docker-compose")
	}
	for file, services := range map[string]int{"compose.yaml": 1, "compose.three-hosts.yaml": 2} {
		t.Run(file, func(t *testing.T) {
			got := effective(t, file)
			if len(got) != services {
				t.Fatalf("there are %d services, want %d", len(got), services)
			}
			for name, s := range got {
				if diff := cmp.Diff(map[string]string{"max-size": "200m", "max-file": "5", "compress": "true"}, s.Logging.Options); diff != "" || s.Logging.Driver != "json-file" {
					t.Errorf("the log of %s goes to %q: %s", name, s.Logging.Driver, diff)
				}
			}
			if bundles := "/opt/tigase/certs:/etc/signalbox/certs:ro"; !slices.Contains(got["signalbox"].Volumes, bundles) {
				t.Errorf("the volumes of the server are %q, want %s among them", got["signalbox"].Volumes, bundles)
			}
		})
	}
}

// effective returns the services of a file in deploy/compose as docker-compose understands them. No engine is asked.
func effective(t *testing.T, file string) map[string]service {
	t.Helper()
	dir := t.TempDir()
	text, err := os.ReadFile(filepath.Join("..", "..", "deploy", "compose", file))
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{file: string(text), ".env": "TIGASE_DOMAIN=itsm.local\nITSM_XMPP_IP=10.0.5.2\nITSM_WEB_IP=10.0.5.1\nITSM_TURN_SERVERS=10.0.5.3\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), "docker-compose", "--file", file, "config")
	cmd.Dir, cmd.Env = dir, []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir}
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %v: %s", cmd.Args, err, &said)
	}
	var read struct{ Services map[string]service }
	if err := yaml.Unmarshal(out, &read); err != nil {
		t.Fatal(err)
	}
	return read.Services
}
