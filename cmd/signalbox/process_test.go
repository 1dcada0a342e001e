package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"signalbox/internal/app"
)

// process is a program that runs until the test ends.
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

// start runs a program with the given environment beside a plain one.
func start(t *testing.T, env []string, name string, args ...string) *process {
	t.Helper()
	p := &process{cmd: exec.Command(program(name), args...), ended: make(chan struct{})}
	p.cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "TMPDIR=" + t.TempDir()}, env...)
	p.cmd.Stdout, p.cmd.Stderr = p, p
	p.cmd.WaitDelay = scriptTimeout // a program that it left behind may hold its output
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { // ended and waited for by the clean-up
		defer close(p.ended)
		p.err = p.cmd.Wait()
	}()
	t.Cleanup(func() {
		p.end(t, syscall.SIGKILL)
		if t.Failed() {
			t.Logf("%s %s said:\n%s", name, strings.Join(args, " "), p.said())
		}
	})
	return p
}

// end sends a signal and waits until the program is gone.
func (p *process) end(t *testing.T, s os.Signal) error {
	t.Helper()
	_ = p.cmd.Process.Signal(s) // if it is gone, so much the better
	<-p.ended
	return p.err
}

// must runs a program to its end and returns what it wrote to standard output.
func must(t *testing.T, env []string, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(program(name), args...)
	cmd.Env = append(os.Environ(), env...)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %s: %v", name, strings.Join(args, " "), err)
	}
	return strings.TrimSpace(string(out))
}

// installation is a server that runs, with one endpoint, and how to reach it.
type installation struct {
	dir    string
	token  string
	server *process
	env    []string // for commands over the API
	tls    string   // address
}

const labConfig = `domain: lab.example
data_dir: data
certs: {dir: certs}
listen: {tls: ["127.0.0.1:0"], xmpp: [], turn: [], api: ["127.0.0.1:0"]}
xmpp: {shutdown_timeout: 1s}
`

func install(t *testing.T) *installation {
	t.Helper()
	in := &installation{dir: t.TempDir()}
	writeFile(t, in.path("signalbox.yaml"), labConfig)
	writeFile(t, in.path("secret.txt"), "s3cret-of-pc-1")
	must(t, nil, "signalbox", "certs", "make-ca", "lab.example", "--dir", in.path("certs"))
	in.token = must(t, nil, "signalbox", "token", "create", "--name", "test", "--scope", "admin", "--config", in.path("signalbox.yaml"))
	in.serve(t)
	must(t, in.env, "signalbox", "endpoint", "create", "pc-1", "--secret-file", in.path("secret.txt"))
	return in
}

func (in *installation) path(name string) string { return filepath.Join(in.dir, name) }

// serve starts the server and waits until it says where it listens.
func (in *installation) serve(t *testing.T) {
	t.Helper()
	ready := filepath.Join(in.dir, "data", app.ReadyFile)
	if err := os.Remove(ready); err != nil && !os.IsNotExist(err) {
		t.Fatal(err) // of a server that was killed
	}
	in.server = start(t, nil, "signalbox", "serve", "--config", in.path("signalbox.yaml"))
	var addrs map[string][]string
	if !eventually(func() bool {
		text, err := os.ReadFile(ready)
		return err == nil && json.Unmarshal(text, &addrs) == nil
	}) {
		t.Fatal("the server is not ready")
	}
	in.tls = addrs["tls"][0]
	in.env = []string{"SIGNALBOX_API_URL=http://" + addrs["api"][0], "SIGNALBOX_API_TOKEN=" + in.token}
}

func writeFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
