package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"signalbox/tests/harness"
)

// systemctl stands in for systemd's: it notes what it is asked, and knows the units that are there.
const systemctl = `#!/bin/sh
echo "$@" >>'DIR/asked'
unit=/etc/systemd/system/signalbox-agent.service
case $1 in
enable|disable|start|stop) [ -e $unit ] || { echo "Unit signalbox-agent.service does not exist." >&2; exit 1; } ;;
esac
case $1 in
--version) echo "systemd 252" ;;
start) touch 'DIR/started' ;;
stop) rm -f 'DIR/started' ;;
is-active) [ -e 'DIR/started' ] && echo active || { echo inactive; exit 3; } ;;
list-unit-files) [ -e $unit ] && echo "signalbox-agent.service enabled" || exit 1 ;;
esac
`

// computer is one that runs systemd, as far as the program sees it: nothing of it changes this machine.
type computer struct {
	t       *testing.T
	dir     string // of the stand-in; the folder units in it is that of systemd's units
	program string
	init    string // what makes it one that runs systemd
}

func newComputer(t *testing.T, program string) *computer {
	t.Helper()
	c := &computer{t: t, dir: t.TempDir(), program: program, init: "mkdir -p /run/systemd/system"}
	must(t, os.Mkdir(filepath.Join(c.dir, "units"), 0o755))
	must(t, os.WriteFile(filepath.Join(c.dir, "systemctl"), []byte(strings.ReplaceAll(systemctl, "DIR", c.dir)), 0o755))
	if out, err := c.command("true").CombinedOutput(); err != nil {
		t.Skipf("LEFT OUT: the agent as a service: it needs root for namespaces of mounts, unshare, and the folder /etc/systemd/system: %v: %s", err, out)
	}
	return c
}

// command is a command that sees the computer in place of this machine. Its first process is not systemd.
func (c *computer) command(args ...string) *exec.Cmd {
	script := "mount -t tmpfs none /run && " + c.init + ` && mount --bind "$0" /etc/systemd/system && exec "$@"`
	all := append([]string{"--mount", "--pid", "--fork", "--mount-proc", "sh", "-c", script, filepath.Join(c.dir, "units")}, args...)
	cmd := exec.CommandContext(c.t.Context(), "unshare", all...)
	cmd.Env = append(os.Environ(), "PATH="+c.dir+":"+os.Getenv("PATH"))
	return cmd
}

// runs runs the program, which has to end with a status and say something.
func (c *computer) runs(status int, says string, args ...string) {
	c.t.Helper()
	out, err := c.command(append([]string{c.program}, args...)...).CombinedOutput()
	code := 0
	if exit, ok := err.(*exec.ExitError); ok {
		code = exit.ExitCode()
	} else if err != nil {
		c.t.Fatal(err)
	}
	if code != status || !strings.Contains(string(out), says) {
		c.t.Fatalf("%v ended with %d, saying %q; want %d and %q", args, code, out, status, says)
	}
}

// asked returns what systemctl was asked to change since the last call, one after the other.
func (c *computer) asked() string {
	c.t.Helper()
	log := filepath.Join(c.dir, "asked")
	text, err := os.ReadFile(log)
	must(c.t, err)
	must(c.t, os.Remove(log))
	var changes []string
	for line := range strings.Lines(string(text)) {
		if what, _, _ := strings.Cut(strings.TrimSpace(line), " "); what != "--version" && what != "is-active" && what != "list-unit-files" {
			changes = append(changes, strings.TrimSpace(line))
		}
	}
	return strings.Join(changes, ", ")
}

func (c *computer) unit() string { return filepath.Join(c.dir, "units", serviceName+".service") }

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// enrolled enrols the computer at a server as pc-1 and returns the file of its configuration, whose path has a space.
func (c *computer) enrolled(s *harness.Server) string {
	c.t.Helper()
	return enrolled(c.t, c.program, s)
}

func enrolled(t *testing.T, program string, s *harness.Server) string {
	t.Helper()
	_, answer := s.Call(t, http.MethodPost, "/v1/enrolments", `{"endpoint":"pc-1"}`, http.StatusCreated)
	var made struct{ Token string }
	must(t, json.Unmarshal([]byte(answer), &made))
	folder := filepath.Join(t.TempDir(), "its configuration")
	args := []string{"enroll", "--server", s.Addr("tls"), "--token", made.Token, "--config-dir", folder, "--ca-file", s.CAFile, "--proxy", "direct"}
	if out, err := exec.CommandContext(t.Context(), program, args...).CombinedOutput(); err != nil {
		t.Fatalf("enroll: %v: %s", err, out)
	}
	return filepath.Join(folder, "agent.yaml")
}

const wantUnit = `[Unit]
Description=Signalbox agent: keeps this computer reachable for its management server
After=network-online.target
Wants=network-online.target
StartLimitIntervalSec=0

[Service]
Type=notify
ExecStart=%s "run" "--config" "%s"
WatchdogSec=2min
NotifyAccess=main
Restart=always
RestartSec=5
RestartPreventExitStatus=78
RuntimeDirectory=signalbox-agent
LimitNOFILE=8192
KillMode=mixed
TimeoutStopSec=60
ProtectClock=true
ProtectKernelLogs=true
RestrictRealtime=true
SystemCallArchitectures=native

[Install]
WantedBy=multi-user.target
`

// TestService runs the commands for the service manager on computers of their own.
func TestService(t *testing.T) {
	program := filepath.Join(t.TempDir(), "signalbox-agent")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, ".").CombinedOutput(); err != nil {
		t.Fatalf("build the program: %v: %s", err, out)
	}
	t.Run("comes and goes", func(t *testing.T) { comesAndGoes(t, program) })
	t.Run("systemd understands the unit", func(t *testing.T) { isUnderstood(t, program) })
	t.Run("no systemd", func(t *testing.T) { noSystemd(t, program) })
}

// comesAndGoes: install has the system run the agent now and at each start, by a unit whose command keeps an agent online; uninstall takes all of it back but the configuration.
func comesAndGoes(t *testing.T, program string) {
	c := newComputer(t, program)
	s := harness.Start(t)
	file := c.enrolled(s)
	c.runs(exitFailed, "no agent has run", "status", "--config", file)
	c.runs(exitOK, "", "install", "--config", file)
	if got, want := c.asked(), "enable signalbox-agent.service, daemon-reload, start signalbox-agent.service"; got != want {
		t.Errorf("install asks %s, want %s", got, want)
	}
	unit, err := os.ReadFile(c.unit())
	if want := fmt.Sprintf(wantUnit, c.program, file); err != nil || string(unit) != want {
		t.Errorf("the unit is, %v:\n%s\nwant:\n%s", err, unit, want)
	}
	c.runs(exitFailed, "is installed already: run \"signalbox-agent uninstall\" first", "install", "--config", file)
	c.servesAs(s, file, string(unit))
	c.asked()
	c.runs(exitOK, "", "uninstall")
	if got, want := c.asked(), "stop signalbox-agent.service, disable signalbox-agent.service, daemon-reload"; got != want {
		t.Errorf("uninstall asks %s, want %s", got, want)
	}
	if _, err := os.Stat(c.unit()); !os.IsNotExist(err) {
		t.Errorf("the unit after uninstall: %v", err)
	}
	if _, err := os.Stat(file); err != nil {
		t.Errorf("the configuration after uninstall: %v", err)
	}
	c.runs(exitFailed, "is not installed", "uninstall")
}

// servesAs runs the command of the unit as systemd does, and sees that status tells of it.
func (c *computer) servesAs(s *harness.Server, file, unit string) {
	c.t.Helper()
	_, line, _ := strings.Cut(unit, "\nExecStart=")
	line, _, _ = strings.Cut(line, "\n")
	var said bytes.Buffer
	cmd := exec.Command("sh", "-c", "exec "+line) // which reads these quotes as systemd does
	cmd.Stdout, cmd.Stderr = &said, &said
	must(c.t, cmd.Start())
	stop := func() error {
		_ = cmd.Process.Signal(syscall.SIGTERM) // as systemd does
		return cmd.Wait()
	}
	defer func() {
		if cmd.ProcessState == nil {
			_ = stop() // the test has failed
		}
	}()
	s.AwaitPresence(c.t, "pc-1", "online")
	harness.Await(c.t, func() bool { return exec.Command(c.program, "status", "--config", file).Run() == nil }, func() string { return "status does not say that it is online" })
	if err := stop(); err != nil {
		c.t.Errorf("it ended with %v, saying %s", err, said.String())
	}
	c.runs(exitFailed, "the agent does not run", "status", "--config", file)
}

// isUnderstood: systemd itself finds nothing wrong with the unit.
func isUnderstood(t *testing.T, program string) {
	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		t.Skip("LEFT OUT: the agent's unit read by systemd: systemd-analyze is not installed (Debian package systemd)")
	}
	c := newComputer(t, program)
	c.runs(exitOK, "", "install", "--config", c.enrolled(harness.Start(t)))
	out, err := exec.CommandContext(t.Context(), "systemd-analyze", "verify", "--man=no", "--recursive-errors=no", c.unit()).CombinedOutput()
	if err != nil || len(bytes.TrimSpace(out)) > 0 {
		t.Errorf("systemd-analyze: %v: %s", err, out)
	}
}

// noSystemd: where nothing is known that could run the agent, install says what to do and changes nothing.
func noSystemd(t *testing.T, program string) {
	c := newComputer(t, program)
	c.init = "true"
	c.runs(exitFailed, "does not run systemd: have whatever starts programs here run", "install", "--config", c.enrolled(harness.Start(t)))
	if _, err := os.Stat(c.unit()); !os.IsNotExist(err) {
		t.Errorf("the unit: %v", err)
	}
}
