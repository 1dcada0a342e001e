package turn

import (
	"context"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap/zaptest"

	"signalbox/turn/control"
)

// TestAlive: a server lives while each of its sockets answers, and one on which nobody answers is named; while it starts and stops it is not asked.
func TestAlive(t *testing.T) {
	cfg := control.Default()
	cfg.RelayIP, cfg.RESTSecretFile = []string{"127.0.0.1"}, filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(cfg.RESTSecretFile, []byte("the secret of another system, long enough"), 0o600); err != nil {
		t.Fatal(err)
	}
	a := NewAlone(AloneConfig{Config: cfg, Listen: []string{"127.0.0.1:0", "[::]:0"}}, zaptest.NewLogger(t), prometheus.NewRegistry())
	want := func(when, status, problem string) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), 2*askAgain)
		defer cancel()
		if problem == "" {
			ctx = t.Context() // it answers when it can
		}
		err := a.Alive(ctx)
		if (err == nil) != (problem == "") || err != nil && !strings.Contains(err.Error(), problem) {
			t.Errorf("%s: Alive = %v, want %q", when, err, problem)
		}
		if got := a.Status(t.Context()); got != status {
			t.Errorf("%s: Status = %q, want %q", when, got, status)
		}
	}
	const ready = "ready; sessions: 0, allocations: 0"
	want("before the start", "not ready", "")
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	select {
	case <-a.Ready():
	case err := <-ended:
		t.Fatalf("it ended with %v", err)
	}
	want("while it serves", ready, "")

	mute, err := net.ListenUDP("udp4", &net.UDPAddr{IP: loopback.AsSlice()})
	if err != nil {
		t.Fatal(err)
	}
	a.udp = append(a.udp, mute.LocalAddr().(*net.UDPAddr).AddrPort())
	want("beside one that is mute", ready, mute.LocalAddr().String()+": "+context.DeadlineExceeded.Error())
	_ = mute.Close()
	want("beside one that is gone", ready, mute.LocalAddr().String()+": "+"read udp")

	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	want("after the end", "not ready", "")
}

// TestReached: a socket of all addresses is reached by IPv4, which [::] takes too, and which is there where IPv6 is switched off.
func TestReached(t *testing.T) {
	for at, want := range map[string]string{"0.0.0.0:3478": "127.0.0.1:3478", "[::]:3478": "127.0.0.1:3478", "192.0.2.1:3478": "192.0.2.1:3478", "[2001:db8::1]:443": "[2001:db8::1]:443"} {
		if got := reached(netip.MustParseAddrPort(at)).String(); got != want {
			t.Errorf("%s is reached at %s, want %s", at, got, want)
		}
	}
}
