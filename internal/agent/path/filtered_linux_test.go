package path

import (
	"context"
	"net"
	"os"
	"os/exec"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"signalbox/internal/agent/ladder"
)

// patience is how long the tests wait for a port that does not answer, instead of dialTimeout. One that answers does so within it, also on a busy machine.
const patience = 2 * time.Second

// A port that does not answer: a listener whose queue is full drops what comes, as a firewall does.
func TestPortWithoutAnswer(t *testing.T) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	must(t, err)
	t.Cleanup(func() { unix.Close(fd) })
	must(t, unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}))
	must(t, unix.Listen(fd, 0))
	name, err := unix.Getsockname(fd)
	must(t, err)
	address := (&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: name.(*unix.SockaddrInet4).Port}).String()
	for range 10 {
		conn, err := net.DialTimeout("tcp", address, patience)
		if err != nil {
			break
		}
		t.Cleanup(func() { conn.Close() })
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	_, err = finder(t, "").Open(ctx, To(address), nil)
	wantFailure(t, err, ladder.PortFiltered, address)
}

// inNamespace names the address that a copy of this test dials in a network of its own, and the code that it must get.
const inNamespace = "SIGNALBOX_TEST_NAMESPACE"

// TestFilteredPort has a real firewall in a network namespace of its own.
func TestFilteredPort(t *testing.T) {
	if want := os.Getenv(inNamespace); want != "" {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		_, err := finder(t, "").Open(ctx, To("127.0.0.1:4444"), nil)
		if code(err) != want {
			t.Fatalf("code %s (%v), want %s", code(err), err, want)
		}
		return
	}
	if os.Getuid() != 0 || exec.Command("unshare", "--net", "nft", "--version").Run() != nil {
		t.Skip("LEFT OUT: needs root, unshare and nft")
	}
	for _, tt := range []struct{ name, hook, rule, want string }{
		{"dropped on the way", "input", "drop", "port_filtered"},
		{"refused by the firewall", "input", "reject with tcp reset", "port_refused"},
		{"forbidden by a router", "input", "reject with icmp admin-prohibited", "unreachable"},
		{"no route", "input", "reject with icmp net-unreachable", "unreachable"},
		{"rejected by the local firewall", "output", "reject with icmp admin-prohibited", "unreachable"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			script := "ip link set lo up && nft 'add table inet t; add chain inet t c { type filter hook " + tt.hook + " priority 0; }; add rule inet t c tcp dport 4444 " +
				tt.rule + "' && exec \"$0\" -test.run=^TestFilteredPort$ -test.v"
			cmd := exec.CommandContext(t.Context(), "unshare", "--net", "sh", "-c", script, os.Args[0])
			cmd.Env = append(os.Environ(), inNamespace+"="+tt.want)
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}
