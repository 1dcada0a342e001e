package turnprocess

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/zap"

	"signalbox/internal/app"
	"signalbox/internal/config"
	"signalbox/tests/harness"
)

// patience bounds waits that end long before where all is well.
const patience = 30 * time.Second

// withTURN has a server open TURN on a free port.
func withTURN(c *config.Config) { c.Listen.TURN = []string{"127.0.0.1:0"} }

// start runs a server whose TURN process is the stand-in.
func start(t *testing.T, changes ...func(*config.Config)) *harness.Server {
	t.Helper()
	s := harness.New(t, append([]func(*config.Config){withTURN}, changes...)...)
	s.TURNProgram = []string{os.Args[0], standIn}
	s.Run()
	t.Cleanup(s.Stop)
	return s
}

// ask sends a datagram until the TURN process answers.
func ask(t *testing.T, addr string) (answer string) {
	t.Helper()
	c, err := net.Dial("udp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	buf := make([]byte, 2048)
	harness.Await(t, func() bool {
		_, _ = c.Write([]byte{0})
		_ = c.SetReadDeadline(time.Now().Add(200 * time.Millisecond))
		n, err := c.Read(buf)
		answer = string(buf[:n])
		return err == nil
	}, func() string { return "no TURN process answers at " + addr })
	return answer
}

func pidOf(t *testing.T, s *harness.Server) int {
	t.Helper()
	pid, err := strconv.Atoi(field(ask(t, s.Addr("turn_udp")), 0))
	if err != nil {
		t.Fatal(err)
	}
	return pid
}

func read(t *testing.T, s *harness.Server, path string) string {
	t.Helper()
	resp, err := http.Get(s.URL() + path)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestListeners(t *testing.T) {
	s := start(t, func(c *config.Config) { c.TURN.UDP443 = true })
	if s.Addr("turn_udp") != s.Addr("turn_tcp") {
		t.Errorf("UDP on %s, TCP on %s, want the same free port", s.Addr("turn_udp"), s.Addr("turn_tcp"))
	}
	for _, addr := range []string{s.Addr("turn_udp"), s.Addr("tls")} { // turn.udp_443
		own := ask(t, addr)
		for _, listener := range []string{"tls", "xmpp", "api", "turn_udp"} {
			if !strings.Contains(own, s.Addr(listener)) {
				t.Errorf("the TURN process may reach %s=%s: it denies %s", listener, s.Addr(listener), own)
			}
		}
	}
	var text []byte
	var err error
	harness.Await(t, func() bool { // written behind the opening of what it names
		text, err = os.ReadFile(filepath.Join(s.Config.DataDir, app.ReadyFile))
		return err == nil && strings.Contains(string(text), `"turn_udp":["`+s.Addr("turn_udp")+`"`)
	}, func() string { return fmt.Sprintf("ready file %s, %v", text, err) })
}

// TestKillLeavesXMPP: the TURN process is killed again and again; an endpoint's session does not notice, and the next process has all sockets.
func TestKillLeavesXMPP(t *testing.T) {
	s := start(t)
	s.Call(t, "POST", "/v1/endpoints", `{"id":"pc-1","secret":"s3cret-1"}`, 201)
	pc := s.Connect(t, "pc-1")
	pc.Login("pc-1", "s3cret-1", "agent")
	for range 3 {
		before := pidOf(t, s)
		if err := syscall.Kill(before, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		harness.Await(t, func() bool { return pidOf(t, s) != before }, func() string { return "the TURN process is not started again" })
		pc.Send("<iq type='get' id='p' to='" + harness.Domain + "'><ping xmlns='urn:xmpp:ping'/></iq>")
		pc.Want("<iq type='result'")
	}
	if metrics := read(t, s, "/metrics"); !strings.Contains(metrics, "\nsignalbox_turn_control_losses_total 3\n") {
		t.Error("3 losses are not counted")
	}
	last := pidOf(t, s)
	s.Stop()
	if err := syscall.Kill(last, 0); !errors.Is(err, syscall.ESRCH) {
		t.Errorf("the TURN process after the stop of the server: %v, want that there is none", err)
	}
}

// TestMetricsOfBothProcesses: one page has them, each once.
func TestMetricsOfBothProcesses(t *testing.T) {
	s := start(t)
	pid := pidOf(t, s)
	var metrics string
	harness.Await(t, func() bool { // it is asked, or shown as it was last
		metrics = read(t, s, "/metrics")
		return strings.Contains(metrics, "\nsignalbox_turn_control_up 1\n") && strings.Contains(metrics, "\nsignalbox_turn_stand_in_pid ")
	}, func() string { return "the TURN process is not there:\n" + metrics })
	if got := strings.Count(metrics, "\nsignalbox_turn_stand_in_pid "); got != 1 || !strings.Contains(metrics, strconv.FormatFloat(float64(pid), 'g', -1, 64)) {
		t.Errorf("the metric of process %d is there %d times:\n%s", pid, got, metrics)
	}
	if !strings.Contains(read(t, s, "/readyz"), `"turn"`) {
		t.Error("/readyz does not speak of the TURN process")
	}
}

// TestStreamsOfTheSharedPort: TURN over TLS is known by ALPN or by its first byte, and reaches the TURN process with the client's address.
func TestStreamsOfTheSharedPort(t *testing.T) {
	s := start(t)
	const binding = "\x00\x01\x00\x00\x21\x12\xa4\x420123456789ab"
	for name, dial := range map[string]func() (net.Conn, error){
		"ALPN": func() (net.Conn, error) { return dialTLS(s, "stun.turn") },
		"none": func() (net.Conn, error) { return dialTLS(s) },
		"TCP":  func() (net.Conn, error) { return net.Dial("tcp", s.Addr("tls")) },
	} {
		t.Run(name, func(t *testing.T) {
			c, err := dial()
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
				t.Fatal(err)
			}
			if _, err := io.WriteString(c, binding); err != nil {
				t.Fatal(err)
			}
			r := bufio.NewReader(c)
			head, err := r.ReadString('\n')
			if field(head, 2) != c.LocalAddr().String() || field(head, 4) != s.Addr("tls") {
				t.Errorf("the TURN process says %q, %v, want that it serves %v at %v", head, err, c.LocalAddr(), s.Addr("tls"))
			}
			echo := make([]byte, len(binding))
			if _, err := io.ReadFull(r, echo); err != nil || string(echo) != binding {
				t.Errorf("it got %q, %v", echo, err)
			}
		})
	}
}

func dialTLS(s *harness.Server, protocols ...string) (net.Conn, error) {
	cfg := s.TLS()
	cfg.NextProtos = protocols
	return tls.Dial("tcp", s.Addr("tls"), cfg)
}

// TestStartsThatFail: what is wrong is told with its key, and nothing stays open.
func TestStartsThatFail(t *testing.T) {
	taken, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	addr, port := taken.LocalAddr().String(), taken.LocalAddr().(*net.UDPAddr).Port
	for _, tt := range []struct {
		name   string
		change func(*config.Config)
		want   string
		config bool // of the configuration: it ends the program with its own status
	}{
		{"port taken by datagrams", func(c *config.Config) {
			c.Listen.TURN = []string{addr}
			c.TURN.MinPort, c.TURN.MaxPort = port-2, port-1 // relay ports that are not the one that is taken
		}, "listen.turn: open " + addr + ": the port is taken", false},
		{"public address of another family", func(c *config.Config) { c.TURN.PublicIP = []string{"2001:db8::1"} }, "turn.public_ip: ", true},
		{"secret that is not there", func(c *config.Config) { c.TURN.SecretFile = "/nowhere/secret" }, "turn.secret_file: ", true},
		{"control without certificates", func(c *config.Config) { c.TURN.Control.URL = "tls://127.0.0.1:1" }, "turn.control.cert_file: ", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := harness.New(t, withTURN, tt.change)
			a, err := app.New(t.Context(), s.Config, app.Version{}, zap.NewNop())
			if err == nil {
				t.Fatal("it starts", a.Close())
			}
			if !strings.Contains(err.Error(), tt.want) || errors.Is(err, app.ErrConfig) != tt.config {
				t.Errorf("New() = %v, want an error with %q", err, tt.want)
			}
		})
	}
}
