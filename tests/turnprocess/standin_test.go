package turnprocess

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"
	"go.uber.org/zap"

	"signalbox/turn/control"
)

// standIn is the argument that makes this test binary a TURN process.
const standIn = "stand-in"

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == standIn {
		if err := run(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

// process remembers which sessions are open and says so to every client.
type process struct {
	settings control.Settings

	mu       sync.Mutex
	sessions []string
}

func run() error {
	in, err := control.Inherit()
	if err != nil {
		return err
	}
	p := &process{settings: in.Settings}
	reg := prometheus.NewRegistry()
	pid := prometheus.NewGauge(prometheus.GaugeOpts{Name: "signalbox_turn_stand_in_pid", Help: "The process id."})
	pid.Set(float64(os.Getpid()))
	reg.MustRegister(pid)
	for _, c := range in.UDP {
		go p.datagrams(c) // ends with the process
	}
	go func() { _ = control.ServeStreams(context.Background(), in.Streams, p.stream) }() // the same
	return control.NewServer(p, reg, in.Settings.Sockets, zap.NewNop()).Serve(context.Background(), in.Control)
}

func (p *process) Secrets(control.Secrets) {}

func (p *process) Open(s control.Session) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sessions = append(p.sessions, s.ID)
	return nil
}

func (p *process) End(id, _ string) (control.Counters, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	at := slices.Index(p.sessions, id)
	if at >= 0 {
		p.sessions = slices.Delete(p.sessions, at, at+1)
	}
	return control.Counters{}, at >= 0
}

func (p *process) Sync(string, []string) {}

func (p *process) Own(string, []netip.AddrPort) {}

func (p *process) Counters(string) (control.Counters, bool) { return control.Counters{}, false }

// datagrams answers each datagram with the process id and all addresses that no peer may have.
func (p *process) datagrams(c *net.UDPConn) {
	buf := make([]byte, 2048)
	for {
		_, from, err := c.ReadFromUDPAddrPort(buf)
		if err != nil {
			return
		}
		_, _ = c.WriteToUDPAddrPort(fmt.Appendf(nil, "%d %v", os.Getpid(), p.settings.Own), from)
	}
}

// stream says whose connection it is, and then everything again.
func (p *process) stream(_ context.Context, c net.Conn, local, remote netip.AddrPort) {
	defer c.Close()
	_, _ = fmt.Fprintf(c, "%d serves %v at %v\n", os.Getpid(), remote, local)
	_, _ = io.Copy(c, c)
}

// field returns a word of what the process said.
func field(text string, n int) string {
	if words := strings.Fields(text); n < len(words) {
		return words[n]
	}
	return ""
}
