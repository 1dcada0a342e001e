package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"signalbox/tests/harness"
	"signalbox/tests/logind"
)

// Users of the computer who are neither root nor the agent's own.
const (
	atConsole = 65534 // logged in at the text console
	bySSH     = 65533
)

// loggedIn is who is there.
func loggedIn() []logind.Login {
	return []logind.Login{{UID: atConsole, Type: "tty", Seat: "seat0"}, {UID: bySSH, Type: "tty", Remote: true}}
}

// openDir is a directory with a short name that all users can enter.
func openDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "agent-")
	must(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	must(t, os.Chmod(dir, 0o755))
	return dir
}

// endpoint is an agent that runs as one of the system does, in a mount namespace that has /run and /var/lib of its own.
type endpoint struct {
	t       *testing.T
	program string
	process *exec.Cmd
	said    bytes.Buffer // to be read when it has ended
}

func startEndpoint(t *testing.T, program, config, bus string) *endpoint {
	t.Helper()
	e := &endpoint{t: t, program: program}
	const script = `mount -t tmpfs none /run && mount -t tmpfs none /var/lib && umask 077 && exec "$@"`
	e.process = exec.Command("unshare", "--mount", "sh", "-c", script, "sh", program, "run", "--config", config, "--state-dir", "/var/lib/signalbox-agent")
	e.process.Env = append(os.Environ(), "DBUS_SYSTEM_BUS_ADDRESS="+bus)
	e.process.Stdout, e.process.Stderr = &e.said, &e.said
	must(t, e.process.Start())
	t.Cleanup(func() {
		if e.process.ProcessState == nil {
			_ = e.stop()
		}
	})
	return e
}

func (e *endpoint) stop() error {
	_ = e.process.Process.Signal(syscall.SIGTERM)
	return e.process.Wait()
}

// as runs the program as a user of the endpoint, without anything that says where the agent is.
func (e *endpoint) as(uid string, args ...string) (said string, code int) {
	e.t.Helper()
	enter := []string{"--mount=/proc/" + pid(e.process) + "/ns/mnt", "--setuid", uid, "--setgid", uid, e.program}
	out, err := exec.CommandContext(e.t.Context(), "nsenter", append(enter, args...)...).CombinedOutput()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		e.t.Fatal(err)
	} else if exit != nil {
		code = exit.ExitCode()
	}
	return string(out), code
}

func pid(cmd *exec.Cmd) string { return strconv.Itoa(cmd.Process.Pid) }

// named returns what a user of this machine is called.
func named(t *testing.T, uid string) string {
	t.Helper()
	u, err := user.LookupId(uid)
	must(t, err)
	return u.Username
}

// opened opens a remote session that nobody is asked for or told of, and returns its id.
func opened(t *testing.T, s *harness.Server) string {
	t.Helper()
	_, answer := s.Call(t, http.MethodPost, "/v1/sessions",
		`{"endpoint":"pc-1","technician":{"id":"ann","name":"Ann"},"kinds":["terminal"],"consent":{"mode":"none"},"notify_user":false,"transport":"websocket_only"}`, http.StatusCreated)
	var made struct{ ID string }
	must(t, json.Unmarshal([]byte(answer), &made))
	return made.ID
}

// TestUserEndsSession: without a word to any user a session runs, and the server cannot be reached; whoever is logged in at the computer sees and ends it all the same, root as well, and nobody else. When the server is
// back it knows who ended it.
func TestUserEndsSession(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("LEFT OUT: users who end remote sessions: it needs root for namespaces of mounts and to become other users")
	}
	bus, program := logind.Start(t, loggedIn), filepath.Join(openDir(t), "signalbox-agent")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, ".").CombinedOutput(); err != nil {
		t.Fatalf("build the program: %v: %s", err, out)
	}
	s := harness.Start(t)
	s.KeepPorts()
	config := enrolled(t, program, s)
	e := startEndpoint(t, program, config, bus)
	s.AwaitPresence(t, "pc-1", "online")
	first, second := opened(t, s), opened(t, s)
	listed := func(uid string, want ...string) {
		t.Helper()
		harness.Await(t, func() bool {
			said, code := e.as(uid, "session", "list", "-o", "json")
			var all []struct {
				ID       string
				Accepted bool
			}
			if code != exitOK || json.Unmarshal([]byte(said), &all) != nil || len(all) != len(want) {
				return false
			}
			for i, one := range all {
				if one.ID != want[i] || !one.Accepted {
					return false
				}
			}
			return true
		}, func() string { return "the sessions are not " + strings.Join(want, ", ") })
	}
	console, ssh := strconv.Itoa(atConsole), strconv.Itoa(bySSH)
	listed("0", first, second)
	s.Stop()
	listed(console, first, second)
	for _, args := range [][]string{{"list"}, {"end", first}} {
		if said, code := e.as(ssh, append([]string{"session"}, args...)...); code != exitFailed || !strings.Contains(said, "a login by ssh does not count") || strings.Contains(said, "Ann") {
			t.Errorf("session %v by ssh ended with %d, saying %s", args, code, said)
		}
	}
	if said, code := e.as(console, "session", "end", first, "--config", config); code != exitConfig || !strings.Contains(said, "leave --config out") {
		t.Errorf("a configuration that the user cannot read: %d, %s", code, said)
	}
	if said, code := e.as(console, "session", "end", first); code != exitOK {
		t.Errorf("the user's end ended with %d, saying %s", code, said)
	}
	listed(console, second)
	if said, code := e.as("0", "session", "end", second); code != exitOK {
		t.Errorf("root's end ended with %d, saying %s", code, said)
	}
	listed("0")
	s.Run()
	for id, by := range map[string]string{first: named(t, console), second: named(t, "0")} {
		harness.Await(t, func() bool {
			_, answer := s.Call(t, http.MethodGet, "/v1/sessions/"+id, "", http.StatusOK)
			return strings.Contains(answer, `"user_ended"`) && strings.Contains(answer, "the user "+by+" at the endpoint ended it")
		}, func() string { return "the server does not know that " + by + " ended " + id })
	}
	must(t, e.stop())
	if said := e.said.String(); !strings.Contains(said, "the user "+named(t, console)+" at the endpoint ended it") {
		t.Errorf("the log does not name the user: %s", said)
	}
}
