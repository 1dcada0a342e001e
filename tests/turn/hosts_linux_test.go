package turn

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"

	"signalbox/tests/crash/rig"
	"signalbox/tests/harness"
	"signalbox/tests/turn/rawturn"
)

// farHost is the address of the other host. Clients are told of it; its server goes to a front, which can be cut.
const (
	farHost  = "127.0.0.3"
	frontEnd = "127.0.0.1"
)

const farText = `domain: %s
data_dir: %q
listen: {turn: ["%[3]s:0"]}
turn:
  relay_ip: [%[3]s]
  control: {listen: "%[3]s:0", %[4]s}
log: {level: info, format: json}
`

// controlFiles makes certificates for both ends by the script that operators have, and returns the keys of each end's configuration.
func controlFiles(t *testing.T) (server, turn string) {
	t.Helper()
	if _, err := exec.LookPath("openssl"); err != nil {
		t.Skip("LEFT OUT: server and TURN server as on two hosts: no openssl, by which their certificates are made")
	}
	folder := t.TempDir()
	out, err := exec.Command(filepath.Join("..", "..", "deploy", "compose", "turn-control.sh"), frontEnd, folder).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	keys := func(who string) string {
		return fmt.Sprintf("cert_file: %q, key_file: %q, ca_file: %q", filepath.Join(folder, who+".crt"), filepath.Join(folder, who+".key"), filepath.Join(folder, "ca.crt"))
	}
	return keys("server"), keys("turn")
}

// farTURN runs `signalbox turn` until the test ends, and returns where it serves clients over UDP and where servers control it.
func farTURN(t *testing.T, keys string) (udp, control string) {
	t.Helper()
	built, err := programs()
	must(t, err)
	dir := t.TempDir()
	config, log := filepath.Join(dir, "turn.yaml"), filepath.Join(dir, "turn.log")
	must(t, os.WriteFile(config, fmt.Appendf(nil, farText, rig.Domain, filepath.Join(dir, "data"), farHost, keys), 0o600))
	p, err := rig.Start("TURN server", log, nil, built.Server, "turn", "--config", config)
	must(t, err)
	t.Cleanup(func() {
		if err := p.Stop(patience); err != nil {
			t.Error(err)
		}
	})
	said := regexp.MustCompile(`"listener":"(turn udp|turn\.control)=([^"]+)"`)
	at := map[string]string{}
	must(t, rig.Await(t.Context(), p, "the TURN server to listen", func() (bool, error) {
		text, err := os.ReadFile(log)
		for _, found := range said.FindAllStringSubmatch(string(text), -1) {
			at[found[1]] = found[2]
		}
		return len(at) == 2, err
	}))
	return at["turn udp"], at["turn.control"]
}

// TestTwoHosts: `signalbox serve` and `signalbox turn`, as on two hosts, with mutual TLS between them. Clients of the one over UDP and of the other over TLS reach each other;
// when the way between the hosts is cut, UDP is relayed on, and all is as before when it is back.
func TestTwoHosts(t *testing.T) {
	server, turn := controlFiles(t)
	front := harness.NewFront(t)
	udp, control := farTURN(t, turn)
	front.Toward(control)
	s := newStand(t, settings{at: udp, turn: fmt.Sprintf("control: {url: \"tls://%s:%s\", %s}", frontEnd, front.Port(), server)})
	p := s.probe()
	session, other := s.open(t), s.open(t)
	a, relayedA := p.allocated("udp", session.a)
	b, relayedB := p.allocated("tls", session.b)
	if relayedA.Addr().String() != farHost || s.child() != 0 {
		t.Errorf("relayed address %v, want one of %s; serve has a TURN process of its own: %d", relayedA, farHost, s.child())
	}
	p.must(a.Bind(0x4000, relayedB))
	p.must(b.Bind(0x4001, relayedA))
	p.passes(a, 0x4000, b)
	p.passes(b, 0x4001, a)
	otherA, relayedOther := p.allocated("udp", other.a)
	otherB, relayed := p.allocated("udp", other.b)
	p.must(otherA.Bind(0x4000, relayed))
	p.must(otherB.Bind(0x4001, relayedOther))

	front.Close()
	p.must(b.AwaitClose(patience)) // its bytes went that way
	p.passes(otherA, 0x4000, otherB)

	front.Open()
	for network, account := range map[string]rawturn.Account{"udp": session.a, "tls": session.b} {
		await(t, func() bool { return s.allocates(network, account) }, func() string { return "no allocation over " + network + " after the way was cut" })
	}
	p.passes(otherA, 0x4000, otherB)
	s.end(t, session.id)
	if got := p.do(a, rawturn.Refresh, rawturn.Uint32(rawturn.Lifetime, 600)); got != "401" {
		t.Errorf("a Refresh behind the session's end: %s, want 401", got)
	}
}

// TestPublicIP: with turn.public_ip clients are told that address in place of the one that relays are bound to, and the two of a session reach each other by it.
func TestPublicIP(t *testing.T) {
	const public = "203.0.113.7"
	s := newStand(t, settings{turn: "public_ip: [" + public + "]\n"})
	p := s.probe()
	session := s.open(t)
	a, relayedA := p.allocated("udp", session.a)
	b, relayedB := p.allocated("tls", session.b)
	if relayedA.Addr().String() != public || relayedB.Addr().String() != public {
		t.Errorf("relayed addresses %v and %v, want them of %s", relayedA, relayedB, public)
	}
	p.must(a.Bind(0x4000, relayedB))
	p.must(b.Bind(0x4001, relayedA))
	p.passes(a, 0x4000, b)
	p.passes(b, 0x4001, a)
}

// passes sends on a channel and waits until it comes out at the other side.
func (p *probe) passes(from *rawturn.Client, channel uint16, to *rawturn.Client) {
	p.Helper()
	const text = "from one side to the other"
	p.must(from.SendOn(channel, []byte(text)))
	if got, err := to.Payload(p.wait); err != nil || string(got) != text {
		p.Errorf("received %q, %v", got, err)
	}
}
