package system

import (
	"context"
	"os"
	"runtime"
	"testing"
	"time"

	"go.uber.org/goleak"
	"go.uber.org/zap"

	"signalbox/internal/agent/capability"
	"signalbox/internal/channel"
	"signalbox/internal/channel/channeltest"
	"signalbox/internal/channel/client"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestSystem(t *testing.T) {
	a, b := channeltest.Pipe()
	i := New("1.2.3").Open(capability.Session{Kinds: []string{channel.Terminal}, Permissions: []string{channel.MayType}, Log: zap.NewNop()})
	served := make(chan error, 1)
	go func() { served <- i.Serve(context.Background(), b) }()
	s := client.NewSystem(a)
	got, err := s.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	name, _ := os.Hostname()
	if got.Hostname != name || got.OS != runtime.GOOS || got.Arch != runtime.GOARCH || got.Agent != "1.2.3" || got.CPUs < 1 {
		t.Errorf("%+v", got)
	}
	if got.MemoryTotal <= 0 || got.MemoryFree <= 0 || got.MemoryFree > got.MemoryTotal || got.Kernel == "" || got.Boot.IsZero() || got.Uptime <= 0 || time.Since(got.Boot) < 0 {
		t.Errorf("%+v", got)
	}
	if runtime.GOOS == "linux" && (len(got.Load) != 3 || got.Platform == "" || len(got.Interfaces) == 0) {
		t.Errorf("%+v", got)
	}
	if d, err := s.Ping(t.Context()); err != nil || d <= 0 {
		t.Errorf("Ping = %v, %v", d, err)
	}
	s.Close()
	if err := <-served; err != nil {
		t.Error(err)
	}
	if _, err := s.Info(t.Context()); err == nil {
		t.Error("a channel that is closed answered")
	}
}
