package deploy

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

// Addresses of the hosts, as the documents of such installations have them.
const (
	managementIP = "10.0.5.1"
	serverIP     = "10.0.5.2"
	turnIP       = "10.0.5.3"
	endpointIP   = "10.0.5.4"
)

// lan is a network of hosts, each a network namespace, around one that is their switch.
type lan struct {
	t      *testing.T
	prefix string
	made   []string
}

// namePrefix begins the names of all namespaces; the process that made it follows, and a number.
const namePrefix = "sbd-"

var made atomic.Int64

// newLAN makes a network without hosts, or leaves the test out.
func newLAN(t *testing.T) *lan {
	t.Helper()
	l := &lan{t: t, prefix: fmt.Sprint(namePrefix, os.Getpid(), "-", made.Add(1), "-")}
	t.Cleanup(l.remove)
	if err := l.space("switch"); err != nil {
		t.Skipf("LEFT OUT: containers: no network namespaces here: %v", err)
	}
	must(t, ip("-n", l.name("switch"), "link", "add", "switch", "type", "bridge"))
	must(t, ip("-n", l.name("switch"), "link", "set", "switch", "up"))
	return l
}

func (l *lan) name(host string) string { return l.prefix + host }

func (l *lan) space(name string) error {
	if err := ip("netns", "add", l.name(name)); err != nil {
		return err
	}
	l.made = append(l.made, l.name(name))
	return ip("-n", l.name(name), "link", "set", "lo", "up")
}

// host adds a host with an address.
func (l *lan) host(name, addr string) {
	l.t.Helper()
	must(l.t, l.space(name))
	here, middle := l.name(name), l.name("switch")
	must(l.t, ip("-n", here, "link", "add", "eth0", "type", "veth", "peer", "name", name, "netns", middle))
	must(l.t, ip("-n", middle, "link", "set", name, "master", "switch", "up"))
	must(l.t, ip("-n", here, "addr", "add", addr+"/24", "dev", "eth0"))
	must(l.t, ip("-n", here, "link", "set", "eth0", "up"))
	must(l.t, ip("-n", here, "route", "add", "default", "dev", "eth0"))
}

// remove takes all hosts away.
func (l *lan) remove() {
	for _, name := range l.made {
		if err := ip("netns", "del", name); err != nil {
			l.t.Error(err)
		}
	}
}

// sink removes the namespaces of tests that were killed.
func sink() error {
	all, err := filepath.Glob("/run/netns/" + namePrefix + "*")
	for _, path := range all {
		name := filepath.Base(path)
		pid, _, _ := strings.Cut(strings.TrimPrefix(name, namePrefix), "-")
		if _, gone := os.Stat("/proc/" + pid); os.IsNotExist(gone) {
			err = errors.Join(err, ip("netns", "del", name))
		}
	}
	return err
}

// ip runs the command ip of iproute2.
func ip(args ...string) error {
	if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
		return fmt.Errorf("ip %s: %w: %s", strings.Join(args, " "), err, out)
	}
	return nil
}

// on does something on a host. A socket stays in the namespace of the thread that made it.
func (l *lan) on(host string, do func() error) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	ours, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		return err
	}
	defer ours.Close()
	theirs, err := os.Open("/run/netns/" + l.name(host))
	if err != nil {
		return err
	}
	defer theirs.Close()
	if err := unix.Setns(int(theirs.Fd()), unix.CLONE_NEWNET); err != nil {
		return err
	}
	return errors.Join(do(), unix.Setns(int(ours.Fd()), unix.CLONE_NEWNET))
}

// listen listens on a host.
func (l *lan) listen(host, addr string) (in net.Listener, err error) {
	err = l.on(host, func() (err error) {
		in, err = net.Listen("tcp", addr)
		return err
	})
	return in, err
}

// window lets this process reach an address as a host does, at one of its own, which it returns, until the test ends.
func (l *lan) window(host, addr string) string {
	l.t.Helper()
	in, err := net.Listen("tcp", "127.0.0.1:0")
	must(l.t, err)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			near, err := in.Accept()
			if err != nil {
				return
			}
			go l.pass(ctx, near, host, addr)
		}
	}()
	l.t.Cleanup(func() {
		cancel()
		_ = in.Close() // which ends the loop
		<-ended
	})
	return in.Addr().String()
}

// pass hands a connection on. Where nobody listens it ends.
func (l *lan) pass(ctx context.Context, near net.Conn, host, addr string) {
	defer near.Close()
	var far net.Conn
	err := l.on(host, func() (err error) {
		far, err = (&net.Dialer{FallbackDelay: -1}).DialContext(ctx, "tcp", addr)
		return err
	})
	if err != nil {
		return
	}
	defer far.Close()
	defer context.AfterFunc(ctx, func() { _, _ = near.Close(), far.Close() })()
	back := make(chan struct{})
	go func() {
		defer close(back)
		_, _ = io.Copy(near, far)
		_ = near.Close()
	}()
	_, _ = io.Copy(far, near)
	_ = far.Close()
	<-back
}
