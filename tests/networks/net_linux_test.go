package networks

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

// Addresses. The middle is the internet of a test; each party is in it, or at home behind a router of its own.
const (
	serverAddr = "203.0.113.1"
	middleBits = "/24"
)

// party is where somebody stands.
type party struct {
	name   string // of the network namespace
	port   string // end of its wire, or of its router's, in the middle
	router string // namespace of its router; empty: it is in the middle
}

// nets are the network namespaces of one case: nothing of them is seen in that of the machine.
type nets struct {
	t      *testing.T
	prefix string
	middle string // a switch
	made   []string
}

// namePrefix begins the names of all namespaces; the process that made it follows, and a number.
const namePrefix = "sbn-"

var made atomic.Int64

// newNets makes the middle, or leaves the test out.
func newNets(t *testing.T) *nets {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("LEFT OUT: sessions through networks: they need root for network namespaces")
	}
	for _, command := range []string{"ip", "nft"} {
		if _, err := exec.LookPath(command); err != nil {
			t.Skipf("LEFT OUT: sessions through networks: they need the command %s", command)
		}
	}
	n := &nets{t: t, prefix: fmt.Sprint(namePrefix, os.Getpid(), "-", made.Add(1), "-")}
	t.Cleanup(n.remove)
	middle, err := n.space("middle")
	if err == nil {
		err = ip("-n", middle, "link", "add", "switch", "type", "bridge")
	}
	if err != nil {
		t.Skipf("LEFT OUT: sessions through networks: %v", err)
	}
	must(t, ip("-n", middle, "link", "set", "switch", "up"))
	n.middle = middle
	return n
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

// space makes a namespace.
func (n *nets) space(name string) (string, error) {
	full := n.prefix + name
	if err := ip("netns", "add", full); err != nil {
		return "", err
	}
	n.made = append(n.made, full)
	return full, ip("-n", full, "link", "set", "lo", "up")
}

// remove takes all namespaces away, and the wires with them.
func (n *nets) remove() {
	for _, name := range n.made {
		if err := ip("netns", "del", name); err != nil {
			n.t.Error(err)
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

// wire joins a namespace to another by a wire, and gives its end an address.
func wire(from, end, addr, to, port string) error {
	err := ip("-n", from, "link", "add", end, "type", "veth", "peer", "name", port, "netns", to)
	if err == nil {
		err = ip("-n", from, "addr", "add", addr, "dev", end)
	}
	return errors.Join(err, ip("-n", from, "link", "set", end, "up"), ip("-n", to, "link", "set", port, "up"))
}

// plug puts a namespace into the middle.
func (n *nets) plug(name, port, addr string) {
	n.t.Helper()
	must(n.t, wire(name, "wan", addr+middleBits, n.middle, port))
	must(n.t, ip("-n", n.middle, "link", "set", port, "master", "switch"))
}

// open makes a party in the middle.
func (n *nets) open(name, addr string) party {
	n.t.Helper()
	space, err := n.space(name)
	must(n.t, err)
	n.plug(space, name, addr)
	return party{name: space, port: name}
}

// home makes a party behind a router that translates as one of the two does, with further rules.
func (n *nets) home(name, addr, inside, translates, rules string) party {
	n.t.Helper()
	router, err := n.space(name + "-router")
	must(n.t, err)
	space, err := n.space(name)
	must(n.t, err)
	n.plug(router, name, addr)
	must(n.t, wire(router, "lan", inside+".1/24", space, "lan"))
	must(n.t, ip("-n", space, "addr", "add", inside+".2/24", "dev", "lan"))
	must(n.t, ip("-n", space, "route", "add", "default", "via", inside+".1"))
	must(n.t, run(nil, "ip", "netns", "exec", router, "sh", "-c", "echo 1 >/proc/sys/net/ipv4/ip_forward"))
	must(n.t, run(strings.NewReader(fmt.Sprintf(translation, translates)+rules), "ip", "netns", "exec", router, "nft", "-f", "-"))
	return party{name: space, port: name, router: router}
}

// Rules of routers. What was not asked for from inside does not come in, as with any router of a home. Most of these keep the port of a socket, so that it has one address for
// everybody; with those of large networks it has another one for each receiver.
const (
	samePort    = "masquerade"
	otherPorts  = "masquerade fully-random"
	translation = `
table ip box {
	chain translate {
		type nat hook postrouting priority srcnat
		oifname "wan" %s
	}
	chain own {
		type filter hook input priority filter
		iifname "wan" ct state { new, invalid, untracked } drop
	}
	chain inwards {
		type filter hook forward priority filter - 1
		iifname "wan" ct state { new, invalid, untracked } drop
	}
}
`
	withoutUDP = `
table ip blocked {
	chain through {
		type filter hook forward priority filter
		meta l4proto udp drop
	}
}
`
	only443 = `
table ip blocked {
	chain through {
		type filter hook forward priority filter
		oifname "wan" tcp dport != 443 drop
		meta l4proto != tcp drop
	}
}
`
)

// leg takes a party's wire away, or puts it back. Behind a router the party itself does not notice.
func (n *nets) leg(p party, state string) {
	n.t.Helper()
	must(n.t, ip("-n", n.middle, "link", "set", p.port, state))
}

// move gives a party another address in the middle, or its router. The party behind that does not notice.
func (n *nets) move(p party, addr string) {
	n.t.Helper()
	space := p.name
	if p.router != "" {
		space = p.router
	}
	must(n.t, ip("-n", space, "addr", "flush", "dev", "wan"))
	must(n.t, ip("-n", space, "addr", "add", addr+middleBits, "dev", "wan"))
}

// dial connects from within a namespace. A socket stays in the namespace of the thread that made it.
func dial(space, addr string) (net.Conn, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	ours, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		return nil, err
	}
	defer ours.Close()
	theirs, err := os.Open("/run/netns/" + space)
	if err != nil {
		return nil, err
	}
	defer theirs.Close()
	if err := unix.Setns(int(theirs.Fd()), unix.CLONE_NEWNET); err != nil {
		return nil, err
	}
	c, err := (&net.Dialer{FallbackDelay: -1}).Dial("tcp", addr)
	return c, errors.Join(err, unix.Setns(int(ours.Fd()), unix.CLONE_NEWNET))
}

// window lets this process reach an address in a namespace at one of its own, which it returns, until the test ends.
func (n *nets) window(space, addr string) string {
	n.t.Helper()
	in, err := net.Listen("tcp", "127.0.0.1:0")
	must(n.t, err)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			near, err := in.Accept()
			if err != nil {
				return
			}
			go through(ctx, near, space, addr)
		}
	}()
	n.t.Cleanup(func() {
		cancel()
		_ = in.Close() // which ends the loop
		<-ended
	})
	return in.Addr().String()
}

func through(ctx context.Context, near net.Conn, space, addr string) {
	defer near.Close()
	far, err := dial(space, addr)
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

// in returns a program with its arguments as it is started in a namespace.
func (p party) in(program string, args ...string) (string, []string) {
	return "ip", append([]string{"netns", "exec", p.name, program}, args...)
}
