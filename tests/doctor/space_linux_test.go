package doctor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"
)

// Addresses in the network of a test. Nobody has dark, and what is sent there is lost.
const (
	serverAddr = "203.0.113.1"
	frontAddr  = "203.0.113.2"
	proxyAddr  = "203.0.113.3"
	turnAddr   = "203.0.113.4"
	dark       = "203.0.113.200"
)

// namePrefix begins the names of all namespaces; the process that made it follows, and a number.
const namePrefix = "sbdoctor-"

var made atomic.Int64

// space is a network namespace with all addresses of a test, its own DNS server and its own limits.
type space struct {
	t    *testing.T
	name string
}

// newSpace makes one, or leaves the test out.
func newSpace(t *testing.T) *space {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("LEFT OUT: injected faults: they need root for a network namespace")
	}
	for _, command := range []string{"ip", "nft"} {
		if _, err := exec.LookPath(command); err != nil {
			t.Skipf("LEFT OUT: injected faults: they need the command %s", command)
		}
	}
	s := &space{t, fmt.Sprint(namePrefix, os.Getpid(), "-", made.Add(1))}
	if err := ip("netns", "add", s.name); err != nil {
		t.Skipf("LEFT OUT: injected faults: %v", err)
	}
	t.Cleanup(func() {
		must(t, errors.Join(ip("netns", "del", s.name), os.RemoveAll(filepath.Join("/etc/netns", s.name))))
	})
	must(t, errors.Join(ip("-n", s.name, "link", "set", "lo", "up"), ip("-n", s.name, "link", "add", "lan", "type", "bridge")))
	for _, addr := range []string{serverAddr, frontAddr, proxyAddr, turnAddr} {
		must(t, ip("-n", s.name, "addr", "add", addr+"/24", "dev", "lan"))
	}
	must(t, ip("-n", s.name, "link", "set", "lan", "up"))
	s.sysctl("net.ipv4.ip_local_port_range", "20000 49151")
	s.sysctl("net.core.somaxconn", "4096")
	must(t, os.MkdirAll(filepath.Join("/etc/netns", s.name), 0o755))
	must(t, os.WriteFile(filepath.Join("/etc/netns", s.name, "resolv.conf"), []byte("nameserver "+serverAddr+"\noptions timeout:1 attempts:2\n"), 0o644))
	return s
}

// ip runs the command ip of iproute2.
func ip(args ...string) error { return run(nil, "ip", args...) }

func run(stdin io.Reader, program string, args ...string) error {
	cmd := exec.Command(program, args...)
	cmd.Stdin = stdin
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s %s: %w: %s", program, strings.Join(args, " "), err, out)
	}
	return nil
}

// in returns a program with its arguments as it is started in the namespace.
func (s *space) in(program string, args ...string) (string, []string) {
	return "ip", append([]string{"netns", "exec", s.name, program}, args...)
}

// sysctl sets a limit of the namespace.
func (s *space) sysctl(key, value string) {
	s.t.Helper()
	program, args := s.in("sh", "-c", `echo "$1" >"$2"`, "sh", value, "/proc/sys/"+strings.ReplaceAll(key, ".", "/"))
	must(s.t, run(nil, program, args...))
}

// limited sets a limit until the test ends.
func (s *space) limited(t *testing.T, key, value, usual string) {
	t.Helper()
	s.sysctl(key, value)
	t.Cleanup(func() { s.sysctl(key, usual) })
}

// firewall has the machine treat what comes in by a rule until the test ends, such as "tcp dport 5222 drop".
func (s *space) firewall(t *testing.T, rule string) {
	t.Helper()
	program, args := s.in("nft", "-f", "-")
	must(t, run(strings.NewReader("table inet box {\n\tchain in {\n\t\ttype filter hook input priority filter\n\t\t"+rule+"\n\t}\n}\n"), program, args...))
	t.Cleanup(func() {
		program, args := s.in("nft", "delete", "table", "inet", "box")
		must(t, run(nil, program, args...))
	})
}

// within runs work on a thread that is in the namespace: a socket stays in that of the thread which made it.
func (s *space) within(work func() error) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	ours, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		return err
	}
	defer ours.Close()
	theirs, err := os.Open("/run/netns/" + s.name)
	if err != nil {
		return err
	}
	defer theirs.Close()
	if err := unix.Setns(int(theirs.Fd()), unix.CLONE_NEWNET); err != nil {
		return err
	}
	err = work()
	return errors.Join(err, unix.Setns(int(ours.Fd()), unix.CLONE_NEWNET))
}

// listen opens a port in the namespace until the test ends.
func (s *space) listen(t *testing.T, addr string) (l net.Listener) {
	t.Helper()
	must(t, s.within(func() (err error) {
		l, err = (&net.ListenConfig{}).Listen(context.Background(), "tcp", addr)
		return err
	}))
	t.Cleanup(func() { _ = l.Close() })
	return l
}

func (s *space) dial(addr string) (c net.Conn, err error) {
	err = s.within(func() (err error) {
		c, err = (&net.Dialer{FallbackDelay: -1}).Dial("tcp", addr)
		return err
	})
	return c, err
}
