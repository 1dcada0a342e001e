package browser

import (
	"flag"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// behindWalls says that this process has a network of its own.
const behindWalls = "BROWSER_BEHIND_WALLS"

// TestBehindWalls runs TestRungsBehindWalls in a network of its own, in which a test may close what it likes.
func TestBehindWalls(t *testing.T) {
	for _, program := range []string{"unshare", "ip", "nft"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("LEFT OUT: a browser in a network with blocked ports: it needs the command %s", program)
		}
	}
	if out, err := exec.Command("unshare", "--net", "true").CombinedOutput(); err != nil {
		t.Skipf("LEFT OUT: a browser in a network with blocked ports: it needs root for a network namespace: %s", out)
	}
	args := []string{"--net", "--", os.Args[0], "-test.run=^TestRungsBehindWalls$", "-test.v"}
	for _, name := range []string{"test.artifacts", "test.outputdir"} {
		if f := flag.Lookup(name); f.Value.String() != f.DefValue {
			args = append(args, "-"+name+"="+f.Value.String())
		}
	}
	cmd := exec.CommandContext(t.Context(), "unshare", args...)
	cmd.Env = append(os.Environ(), behindWalls+"=yes")
	out, err := cmd.CombinedOutput()
	t.Logf("in a network of its own:\n%s", out)
	if err != nil || !strings.Contains(string(out), "--- PASS: TestRungsBehindWalls") {
		t.Errorf("it ended with %v", err)
	}
}

// wall lets nothing of these kinds in, without a word, as firewalls do.
func wall(t *testing.T, kinds ...string) {
	t.Helper()
	rules := "flush ruleset\ntable inet wall {\nchain in {\ntype filter hook input priority 0;\n"
	for _, kind := range kinds {
		rules += kind + " drop\n"
	}
	shell(t, rules+"}\n}\n", "nft", "-f", "-")
}

func shell(t *testing.T, input string, command ...string) {
	t.Helper()
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Stdin = strings.NewReader(input)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v: %s", command, err, out)
	}
}

// TestRungsBehindWalls: where UDP is blocked, and where nothing but the shared port is open, a session comes up on the best rung that is left, and the page shows which and why.
func TestRungsBehindWalls(t *testing.T) {
	if os.Getenv(behindWalls) == "" {
		t.Skip("TestBehindWalls runs it")
	}
	shell(t, "", "ip", "link", "set", "lo", "up")
	s := newStage(t, nil)
	_, port, err := net.SplitHostPort(s.server.Addr("turn_tcp"))
	if err != nil {
		t.Fatal(err)
	}
	const noUDP = "meta l4proto udp"
	for _, row := range []struct {
		rung, shown string
		closed      []string
		failed      []string // better rungs of TURN
	}{
		{"turn_tcp", "TURN over TCP", []string{noUDP}, []string{"TURN over UDP"}},
		{"turn_tls", "TURN over TLS (443)", []string{noUDP, "tcp dport " + port}, []string{"TURN over UDP", "TURN over TCP"}},
	} {
		for _, transport := range []string{"auto", "turn_only"} {
			t.Run(fmt.Sprintf("%s, %s", row.rung, transport), func(t *testing.T) {
				s, p := s.on(t), browse(t)
				wall(t, row.closed...)
				s.connect(p, "terminal", transport)
				p.computes()
				p.Sees(".bar .badge", row.shown)
				s.reaches(row.rung)
				p.Click(".bar button", "Path")
				for _, rung := range row.failed {
					p.Holds(fmt.Sprintf(`[...document.querySelectorAll(".rungs li")].some((e) => e.textContent.startsWith(%q) && /firewall|no answer|timed out|\(70\d\)/.test(e.textContent))`, rung))
				}
				p.Picture("path")
				p.Click(".bar button", "End")
				p.Click("dialog button", "End the session")
				s.ended("technician_ended")
			})
		}
	}
}
