package control

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

// patience bounds waits that end long before where all is well.
const patience = 30 * time.Second

// eventually waits for a condition; false: it did not become true.
func eventually(done func() bool) bool {
	for end := time.Now().Add(patience); time.Now().Before(end); {
		if done() {
			return true
		}
		<-time.After(10 * time.Millisecond)
	}
	return false
}

// site is a client with a child, and where clients of TURN reach that.
type site struct {
	*Client
	udp, tcp string
	stop     func()
}

// openSockets opens one socket of each kind on loopback.
func openSockets(t *testing.T, dir string) (s *Sockets, udp, tcp string) {
	t.Helper()
	s = &Sockets{}
	t.Cleanup(func() { must(t, s.Close()) })
	c, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	must(t, err)
	udp = c.LocalAddr().String()
	must(t, s.AddUDP(c))
	l, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	must(t, err)
	tcp = l.Addr().String()
	must(t, s.AddTCP(l))
	must(t, s.AddStreams(dir))
	return s, udp, tcp
}

// newSite returns a site whose child is this test binary.
func newSite(t *testing.T, program string) *site {
	t.Helper()
	sockets, udp, tcp := openSockets(t, t.TempDir())
	c := newClient(t, nil)
	c.UseChild(Settings{Realm: "test"}, sockets)
	c.SetProgram(os.Args[0], program)
	return &site{Client: c, udp: udp, tcp: tcp}
}

func startSite(t *testing.T) *site {
	t.Helper()
	s := newSite(t, fakeProgram)
	s.stop = run(t, s.Client)
	return s
}

// ask sends a datagram and returns the child's process id and the ids of its sessions. Datagrams that nobody answers are sent again.
func (s *site) ask(t *testing.T) (pid int, sessions string) {
	t.Helper()
	c, err := net.Dial("udp", s.udp)
	must(t, err)
	defer c.Close()
	buf := make([]byte, 2048)
	n := 0
	if !eventually(func() bool {
		_, _ = c.Write([]byte("x"))
		_ = c.SetReadDeadline(time.Now().Add(200 * time.Millisecond))
		n, err = c.Read(buf)
		return err == nil
	}) {
		t.Fatal("no TURN process answers")
	}
	first, rest, _ := strings.Cut(string(buf[:n]), " ")
	pid, err = strconv.Atoi(first)
	must(t, err)
	return pid, rest[:strings.Index(rest, "]")+1]
}

// TestKilledChild: kill -9 of the child loses none of its sessions nor its sockets, what waits in them included, and new sessions work at once.
func TestKilledChild(t *testing.T) {
	s := newSite(t, fakeProgram)
	core, logs := observer.New(zap.WarnLevel)
	s.log = zap.New(core)
	s.stop = run(t, s.Client)
	for _, id := range []string{"a", "b"} {
		must(t, s.Open(t.Context(), session(id)))
	}
	first, open := s.ask(t)
	if open != "[a b]" {
		t.Errorf("sessions %s", open)
	}
	for range 3 {
		before, _ := s.ask(t)
		must(t, syscall.Kill(before, syscall.SIGKILL))
		waiting, err := net.Dial("tcp", s.tcp) // also while no child is there
		must(t, err)
		defer waiting.Close()
		must(t, waiting.SetReadDeadline(time.Now().Add(patience)))
		if !eventually(func() bool { pid, _ := s.ask(t); return pid != before }) {
			t.Fatal("the child does not come back")
		}
		if _, err := bufio.NewReader(waiting).ReadString('\n'); err != nil {
			t.Errorf("what waited for the child got %v", err)
		}
	}
	must(t, s.Open(t.Context(), session("c")))
	last, open := s.ask(t)
	if open != "[a b c]" || last == first {
		t.Errorf("sessions %s in process %d, want all in another one than %d", open, last, first)
	}
	if got := counterValue(t, s.metrics.losses); got != 3 {
		t.Errorf("%v losses were counted, want 3", got)
	}
	if said := logs.FilterMessageSnippet("the TURN process is gone").All(); len(said) != 3 {
		t.Errorf("%d losses were logged, want 3: %v", len(said), said)
	}
}

// TestChildEndsWithUs: the child, which ignores signals that can be ignored, ends with its control connection, and is waited for.
func TestChildEndsWithUs(t *testing.T) {
	s := startSite(t)
	pid, _ := s.ask(t)
	s.stop()
	if err := syscall.Kill(pid, 0); !errors.Is(err, syscall.ESRCH) {
		t.Errorf("the child after the end of Run: %v, want that there is none", err)
	}
	if _, err := os.Stat(s.child.sockets.streams); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("its socket after the end of Run: %v, want that there is none", err)
	}
}

// TestNoOrphan: a server is killed; its TURN process ends, and so does the hold on the ports.
func TestNoOrphan(t *testing.T) {
	cmd := exec.Command(os.Args[0], serveProgram, t.TempDir())
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	line, err := bufio.NewReader(out).ReadString('\n')
	must(t, err)
	s := &site{udp: strings.TrimSpace(line)}
	child, _ := s.ask(t)
	must(t, cmd.Process.Kill())
	_ = cmd.Wait()
	if !eventually(func() bool {
		c, err := net.ListenPacket("udp", s.udp)
		if err == nil {
			_ = c.Close()
		}
		return err == nil
	}) {
		t.Errorf("process %d holds %s after its server was killed", child, s.udp)
	}
}

// runFakeServe is a server that has nothing but a TURN process. It says where that is reached.
func runFakeServe() error {
	c, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.ParseIP(own)})
	if err != nil {
		return err
	}
	fmt.Println(c.LocalAddr())
	sockets := &Sockets{}
	client, err := New(Default(), "node", zap.NewNop(), prometheus.NewRegistry())
	if err = errors.Join(err, sockets.AddUDP(c), sockets.AddStreams(os.Args[2])); err != nil {
		return err
	}
	client.UseChild(Settings{}, sockets)
	client.SetProgram(os.Args[0], fakeProgram)
	return client.Run(context.Background())
}

// TestChildThatDoesNotStart: each of these is tried again, and the end of the server ends the try.
func TestChildThatDoesNotStart(t *testing.T) {
	for _, tt := range []struct {
		name    string
		program []string
	}{
		{"ends", []string{os.Args[0], denyProgram}},
		{"is not there", []string{filepath.Join(t.TempDir(), "none")}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newSite(t, "")
			s.SetProgram(tt.program...)
			s.stop = run(t, s.Client)
			if !eventually(func() bool { return counterValue(t, s.metrics.losses) >= 2 }) {
				t.Error("it is not tried again")
			}
			if !errors.Is(s.Away(), ErrAway) {
				t.Error("it counts as there")
			}
			s.stop()
		})
	}
}

// TestChildThatHangsIsKilled: one that does not take its settings does not keep the server from ending.
func TestChildThatHangsIsKilled(t *testing.T) {
	file := filepath.Join(t.TempDir(), "pid")
	s := newSite(t, "")
	s.SetProgram(os.Args[0], hangProgram, file)
	s.stop = run(t, s.Client)
	pid := 0
	if !eventually(func() bool {
		text, _ := os.ReadFile(file)
		pid, _ = strconv.Atoi(string(text))
		return pid != 0
	}) {
		t.Fatal("the child does not start")
	}
	if s.Away() == nil {
		t.Error("it counts as there")
	}
	s.stop()
	if err := syscall.Kill(pid, 0); !errors.Is(err, syscall.ESRCH) {
		t.Errorf("the child after the end of Run: %v, want that there is none", err)
	}
}

func TestInheritWithoutAParent(t *testing.T) {
	cmd := exec.Command(os.Args[0], fakeProgram)
	out, err := cmd.CombinedOutput()
	if err == nil || !strings.Contains(string(out), "signalbox serve starts this command") {
		t.Errorf("a child that nobody started says %q, %v", out, err)
	}
}

func TestSocketInADeepDirectory(t *testing.T) {
	dir := filepath.Join(t.TempDir(), strings.Repeat("d", 120))
	must(t, os.Mkdir(dir, 0o700))
	s := &Sockets{}
	must(t, s.AddStreams(dir))
	c, err := net.Dial("unix", s.streams)
	must(t, err)
	must(t, c.Close())
	info, err := os.Stat(s.streams)
	must(t, err)
	if info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, want 0600", info.Mode())
	}
	made := s.dir
	must(t, s.Close())
	must(t, s.Close())
	if _, err := os.Stat(made); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%s stays", made)
	}
}

// TestSocketOfAKilledServer: what it left does not keep the next one from starting.
func TestSocketOfAKilledServer(t *testing.T) {
	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, "turn.sock"), nil, 0o600))
	s := &Sockets{}
	must(t, s.AddStreams(dir))
	must(t, s.Close())
}

func TestChildHasNoSecretsInItsEnvironment(t *testing.T) {
	got := childEnvironment([]string{"PATH=/bin", "SIGNALBOX_API_TOKEN=x", "GOMAXPROCS=2", "TZ=UTC", "HOME=/root", "GOTRACEBACK=all"})
	if strings.Join(got, " ") != "GOMAXPROCS=2 TZ=UTC GOTRACEBACK=all" {
		t.Errorf("environment %q", got)
	}
}
