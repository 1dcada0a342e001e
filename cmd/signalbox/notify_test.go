package main

import (
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"signalbox/internal/app"
)

// supervisor is a service manager: a socket on which the program says how it is.
type supervisor struct {
	socket *net.UnixConn

	mu    sync.Mutex
	lines []string // all that was said, in order
}

func newSupervisor(t *testing.T) *supervisor {
	t.Helper()
	socket, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(t.TempDir(), "notify"), Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	s := &supervisor{socket: socket}
	ended := make(chan struct{})
	go func() { // ends with the socket
		defer close(ended)
		buf := make([]byte, 64<<10)
		for {
			n, err := socket.Read(buf)
			if err != nil {
				return
			}
			s.mu.Lock()
			s.lines = append(s.lines, strings.Split(string(buf[:n]), "\n")...)
			s.mu.Unlock()
		}
	}()
	t.Cleanup(func() { socket.Close(); <-ended })
	return s
}

// count returns how many lines begin like this.
func (s *supervisor) count(prefix string) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.lines {
		if strings.HasPrefix(l, prefix) {
			n++
		}
	}
	return n
}

// await waits until n lines begin like this.
func (s *supervisor) await(t *testing.T, prefix string, n int) {
	t.Helper()
	if !eventually(func() bool { return s.count(prefix) >= n }) {
		s.mu.Lock()
		defer s.mu.Unlock()
		t.Fatalf("%q was not told %d times, in %q", prefix, n, s.lines)
	}
}

// index returns the place of the first such line, or -1.
func (s *supervisor) index(line string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Index(s.lines, line)
}

// TestServiceManager: the program tells on a socket that it is ready when it is, lives, reloads and stops.
func TestServiceManager(t *testing.T) {
	in, s := install(t), newSupervisor(t)
	if err := in.server.end(t, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	in.server = start(t, []string{"NOTIFY_SOCKET=" + s.socket.LocalAddr().String(), "WATCHDOG_USEC=600000"}, "signalbox", "serve", "--config", in.path("signalbox.yaml"))
	s.await(t, "READY=1", 1)
	if _, err := os.Stat(filepath.Join(in.dir, "data", app.ReadyFile)); err != nil {
		t.Errorf("the server says that it is ready, and not where it listens: %v", err)
	}
	s.await(t, "WATCHDOG=1", s.count("WATCHDOG=1")+3)
	s.await(t, "STATUS=ready; streams: 0", 1)
	if err := in.server.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	s.await(t, "RELOADING=1", 1)
	s.await(t, "READY=1", 2)

	if err := in.server.end(t, syscall.SIGTERM); err != nil {
		t.Errorf("the server ended with %v", err)
	}
	if stop := s.index("STOPPING=1"); stop < 0 || s.index("READY=1") > stop {
		t.Errorf("the end was told as line %d, after READY=1 in line %d", stop, s.index("READY=1"))
	}
	s.await(t, "EXTEND_TIMEOUT_USEC=", 1)
}

// TestTURNServiceManager: the TURN server that runs alone tells the same.
func TestTURNServiceManager(t *testing.T) {
	s, dir := newSupervisor(t), t.TempDir()
	writeFile(t, filepath.Join(dir, "rest.secret"), "the secret of another system, long enough")
	writeFile(t, filepath.Join(dir, "turn.yaml"), "domain: lab.example\nlisten: {turn: [\"127.0.0.1:0\"]}\nturn: {relay_ip: [127.0.0.1], rest_secret_file: rest.secret}\n")
	p := start(t, []string{"NOTIFY_SOCKET=" + s.socket.LocalAddr().String(), "WATCHDOG_USEC=600000"}, "signalbox", "turn", "--config", filepath.Join(dir, "turn.yaml"))
	s.await(t, "READY=1", 1)
	s.await(t, "STATUS=ready; sessions: 0, allocations: 0", 1)
	s.await(t, "WATCHDOG=1", s.count("WATCHDOG=1")+3)
	if err := p.end(t, syscall.SIGTERM); err != nil {
		t.Errorf("the TURN server ended with %v", err)
	}
	if stop := s.index("STOPPING=1"); stop < 0 || s.index("READY=1") > stop {
		t.Errorf("the end was told as line %d, after READY=1 in line %d", stop, s.index("READY=1"))
	}
}
