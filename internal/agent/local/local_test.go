package local

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"go.uber.org/zap/zaptest"
)

// agent is one with a session, ses_1.
type agent struct {
	mu    sync.Mutex
	asked int    // how often it was asked for sessions
	ended string // which, and by whom
}

var running = []Session{{ID: "ses_1", Technician: "Ann", Kinds: []string{"terminal"}, Began: time.Unix(1, 0).UTC(), Expires: time.Unix(2, 0).UTC(), Accepted: true}}

// seen returns how often the agent was asked, and what was ended.
func (a *agent) seen() (asked int, ended string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.asked, a.ended
}

func (a *agent) LocalSessions() []Session {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.asked++
	return running
}

func (a *agent) EndRemoteSession(id, user string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.ended = id + " by " + user
	return id == "ses_1"
}

// place is a directory that all users can enter, for a socket.
func place(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "socket-") // paths of sockets are short
	must(t, err)
	must(t, os.Chmod(dir, 0o755))
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// serve serves an agent until the test ends, or what it returns is called.
func serve(t *testing.T, path string, a Agent, present ...uint32) (stop func()) {
	t.Helper()
	return serveFor(t, path, a, func(context.Context) ([]uint32, error) { return present, nil })
}

func serveFor(t *testing.T, path string, a Agent, present func(context.Context) ([]uint32, error)) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- Serve(ctx, Options{Path: path, Agent: a, Present: present, Log: zaptest.NewLogger(t)})
	}()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	for again := time.Now().Add(time.Minute); ; {
		_, err := Sessions(t.Context(), path)
		if err == nil {
			return stop
		}
		if time.Now().After(again) {
			t.Fatal(err)
		}
	}
}

// The socket of an agent that was killed is replaced; all can open it, in a directory that all can enter; it goes with the agent.
func TestSocket(t *testing.T) {
	dir := place(t)
	path := filepath.Join(dir, "run", SocketName)
	if _, err := Sessions(t.Context(), path); err == nil || !strings.Contains(err.Error(), "no agent answers at "+path) {
		t.Errorf("Sessions without an agent: %v", err)
	}
	a := &agent{}
	stop := serve(t, path, a)
	for name, mode := range map[string]os.FileMode{path: 0o666, filepath.Dir(path): 0o755} {
		if info, err := os.Stat(name); err != nil || info.Mode().Perm() != mode {
			t.Errorf("%s is %v, %v, want %v", name, info.Mode(), err, mode)
		}
	}
	all, err := Sessions(t.Context(), path)
	if diff := cmp.Diff(running, all); err != nil || diff != "" {
		t.Errorf("sessions: %v, (-want +got):\n%s", err, diff)
	}
	err = End(t.Context(), path, "ses_1")
	if _, ended := a.seen(); err != nil || ended != "ses_1 by "+userName(uint32(os.Getuid())) {
		t.Errorf("End = %v, ended %q", err, ended)
	}
	for _, id := range []string{"ses_2", "../sessions", "a b", "\x00"} {
		if err := End(t.Context(), path, id); !errors.Is(err, ErrUnknown) {
			t.Errorf("End(%q) = %v, want ErrUnknown", id, err)
		}
	}
	if err := Serve(t.Context(), Options{Path: path, Agent: a}); err == nil || !strings.Contains(err.Error(), "another agent answers") {
		t.Errorf("a second agent at the same place: %v", err)
	}
	stop()
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket is left: %v", err)
	}
	leave(t, path)
	serve(t, path, a)
}

// leave leaves a socket as an agent does that is killed.
func leave(t *testing.T, path string) {
	t.Helper()
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path})
	must(t, err)
	l.SetUnlinkOnClose(false)
	must(t, l.Close())
}

// What is no socket is not removed, and a place that cannot be made is named with what to do.
func TestNoPlace(t *testing.T) {
	dir := place(t)
	file := filepath.Join(dir, "file")
	must(t, os.WriteFile(file, []byte("precious"), 0o600))
	for path, want := range map[string]string{
		file:                                 "is no socket: set local_socket",
		filepath.Join(file, "sock"):          "set local_socket",
		filepath.Join(dir, "a", "b", "sock"): "set local_socket to a place that the agent's user can make",
		filepath.Join(dir, strings.Repeat("x", MaxPath)): "set local_socket to a shorter one",
	} {
		if err := Serve(t.Context(), Options{Path: path}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Serve at %s: %v, want %q", path, err, want)
		}
	}
	if text, err := os.ReadFile(file); err != nil || string(text) != "precious" {
		t.Errorf("the file has %q, %v", text, err)
	}
}

// A user's bytes are bounded as well.
func TestLongRequest(t *testing.T) {
	path := filepath.Join(place(t), SocketName)
	serve(t, path, &agent{})
	if err := End(t.Context(), path, strings.Repeat("x", 64<<10)); err == nil || errors.Is(err, ErrUnknown) {
		t.Errorf("End = %v, want a refusal", err)
	}
	if err := End(t.Context(), path, "ses_1"); err != nil {
		t.Errorf("End after that = %v", err)
	}
}

func TestPlace(t *testing.T) {
	for _, tt := range []struct{ configured, state, want string }{
		{"/run/x.sock", "/var/lib/signalbox-agent", "/run/x.sock"},
		{"", "/var/lib/signalbox-agent", filepath.Join(runningDir, "signalbox-agent", SocketName)},
		{"", "/var/lib/other/", filepath.Join(runningDir, "other", SocketName)},
		{"", "/etc/signalbox-agent/state", filepath.Join(runningDir, "signalbox-agent", SocketName)},
		{"", "/etc/signalbox-agent", "/etc/signalbox-agent/" + SocketName},
		{"", "/var/lib", "/var/lib/" + SocketName},
		{"", "/etc/state", "/etc/state/" + SocketName},
		{"", "/var/lib/signalbox-agent/deeper", "/var/lib/signalbox-agent/deeper/" + SocketName},
		{"", "/home/ann/.agent", "/home/ann/.agent/" + SocketName},
		{"", "state", "state/" + SocketName},
	} {
		if got := Place(tt.configured, tt.state); got != tt.want {
			t.Errorf("Place(%q, %q) = %q, want %q", tt.configured, tt.state, got, tt.want)
		}
	}
	for path, ok := range map[string]bool{"/run/a.sock": true, "a.sock": false, "@abstract": false, "/run/a\x00b": false, "/" + strings.Repeat("x", MaxPath): false, "/" + strings.Repeat("x", MaxPath-1): true} {
		if err := CheckPath(path); (err == nil) != ok {
			t.Errorf("CheckPath(%q) = %v", path, err)
		}
	}
}

func TestMain(m *testing.M) {
	if mode := os.Getenv(asGuest); mode != "" {
		os.Exit(beGuest(mode, os.Args[1:]))
	}
	goleak.VerifyTestMain(m)
}
