package deploy

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"signalbox/tests/crash/rig"
)

// needed are the commands of the packages in PACKAGES of the Makefile, and of Debian's base.
var needed = []string{"ip", "nsenter", "unshare", "make", "openssl", "dockerd", "docker-compose", "busybox"}

// requireContainers leaves a test out where containers cannot run.
func requireContainers(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("LEFT OUT: containers: a container engine needs root")
	}
	for _, command := range needed {
		if _, err := exec.LookPath(command); err != nil {
			t.Skipf("LEFT OUT: containers: they need the command %s", command)
		}
	}
}

// engine is a container engine on a host of a lan. It ends with the test, and all that it started with it, however the test ends: it is the first process of a namespace.
type engine struct {
	t       *testing.T
	lan     *lan
	host    string
	dir     string
	process *rig.Process
}

// newEngine starts the engine of a host, whose network its containers have.
func newEngine(t *testing.T, l *lan, host string) *engine {
	t.Helper()
	e := &engine{t: t, lan: l, host: host, dir: t.TempDir()}
	var err error
	e.process, err = rig.Start("engine of "+host, e.path("log"), []string{"HOME=" + e.dir, "TMPDIR=" + e.dir}, "nsenter", "--net=/run/netns/"+l.name(host),
		"unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "dockerd", "--host", e.url(), "--data-root", e.path("data"), "--exec-root", e.path("exec"), "--pidfile", e.path("pid"),
		"--bridge", "none", "--iptables=false", "--ip6tables=false", "--ip-forward=false", "--ip-masq=false", "--oom-score-adjust", "0")
	must(t, err)
	t.Cleanup(e.end)
	must(t, rig.Await(t.Context(), e.process, "the engine of "+host, func() (bool, error) {
		return e.command("docker", "info").Run() == nil, nil
	}))
	return e
}

func (e *engine) path(name string) string { return filepath.Join(e.dir, name) }

func (e *engine) url() string { return "unix://" + e.path("sock") }

// end removes the containers, whose processes are not ours, and ends the engine.
func (e *engine) end() {
	if ids := strings.Fields(e.docker("ps", "--all", "--quiet")); len(ids) > 0 {
		if e.t.Failed() {
			for _, id := range ids {
				e.t.Log(e.logs(id))
			}
		}
		e.docker(append([]string{"rm", "--force"}, ids...)...)
	}
	e.process.End()
	if e.t.Failed() {
		e.t.Log(e.process.Tail())
	}
}

// logs returns the end of what a container said.
func (e *engine) logs(id string) string {
	out, _ := e.command("docker", "logs", "--tail", "40", id).CombinedOutput() // what cannot be had is not shown
	return fmt.Sprintf("--- container %s on %s\n%s", id, e.host, out)
}

// command returns a program that reaches this engine.
func (e *engine) command(program string, args ...string) *exec.Cmd {
	cmd := exec.Command(program, args...)
	if program == "docker" {
		cmd = exec.Command(docker(), args...)
	}
	cmd.Env = append(os.Environ(), "DOCKER_HOST="+e.url())
	return cmd
}

// docker is the client of the engine's own package, which other clients may stand before.
func docker() string {
	const packaged = "/usr/bin/docker"
	if _, err := os.Stat(packaged); err == nil {
		return packaged
	}
	return "docker"
}

// docker gives the engine an order, and returns what it wrote to standard output.
func (e *engine) docker(args ...string) string {
	e.t.Helper()
	return e.output(e.command("docker", args...))
}

// output runs a command to its end.
func (e *engine) output(cmd *exec.Cmd) string {
	e.t.Helper()
	out, err := cmd.Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		err = fmt.Errorf("%w: %s", err, exit.Stderr)
	}
	if err != nil {
		e.t.Fatalf("on %s: %s: %v", e.host, strings.Join(cmd.Args, " "), err)
	}
	return strings.TrimSpace(string(out))
}

// give hands images to another engine.
func (e *engine) give(to *engine, images ...string) {
	e.t.Helper()
	saved := e.output(e.command("docker", append([]string{"save", "--output", e.path("images.tar")}, images...)...))
	if saved != "" {
		e.t.Log(saved)
	}
	to.docker("load", "--quiet", "--input", e.path("images.tar"))
}

// files is a folder of deploy/compose on a host.
type files struct {
	*engine
	dir string
}

// settle copies the files that stand in deploy/compose to the host, as an operator does, with an .env.
func (e *engine) settle(env map[string]string) *files {
	e.t.Helper()
	f := &files{engine: e, dir: e.t.TempDir()}
	for _, name := range []string{"compose.yaml", "compose.three-hosts.yaml"} {
		text, err := os.ReadFile(filepath.Join("..", "..", "deploy", "compose", name))
		must(e.t, err)
		must(e.t, os.WriteFile(filepath.Join(f.dir, name), text, 0o600))
	}
	f.write(env)
	return f
}

// write writes the .env.
func (f *files) write(env map[string]string) {
	f.t.Helper()
	var text bytes.Buffer
	for name, value := range env {
		fmt.Fprintf(&text, "%s=%s\n", name, value)
	}
	must(f.t, os.WriteFile(filepath.Join(f.dir, ".env"), text.Bytes(), 0o600))
}

// compose is docker-compose in that folder.
func (f *files) compose(args ...string) string {
	f.t.Helper()
	cmd := f.command("docker-compose", args...)
	cmd.Dir = f.dir
	return f.output(cmd)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
