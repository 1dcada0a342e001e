package processes

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"slices"
	"testing"
	"time"

	"go.uber.org/goleak"
	"go.uber.org/zap"

	"signalbox/internal/agent/capability"
	"signalbox/internal/channel"
	"signalbox/internal/channel/channeltest"
	"signalbox/internal/channel/client"
)

// envSleeper turns this test binary into a program that does nothing until it is ended.
const envSleeper = "SIGNALBOX_TEST_SLEEPER"

func TestMain(m *testing.M) {
	if os.Getenv(envSleeper) != "" {
		<-time.After(time.Hour)
	}
	goleak.VerifyTestMain(m)
}

func open(t *testing.T, permissions ...string) *client.Processes {
	t.Helper()
	a, b := channeltest.Pipe()
	i := New().Open(capability.Session{ID: "ses_1", Kinds: []string{channel.Processes}, Permissions: permissions, Log: zap.NewNop()})
	served := make(chan error, 1)
	go func() { served <- i.Serve(context.Background(), b) }()
	p := client.NewProcesses(a)
	t.Cleanup(func() {
		p.Close()
		if err := <-served; err != nil {
			t.Error(err)
		}
		i.Close()
	})
	return p
}

// sleeper starts a process, and returns how to wait for its end.
func sleeper(t *testing.T) (cmd *exec.Cmd, ended chan error) {
	t.Helper()
	cmd = exec.Command(os.Args[0], "an argument")
	cmd.Env = append(os.Environ(), envSleeper+"=1")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended = make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	return cmd, ended
}

func find(t *testing.T, p *client.Processes, pid int) channel.Process {
	t.Helper()
	all, err := p.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	n := slices.IndexFunc(all, func(p channel.Process) bool { return p.PID == pid })
	if n < 0 {
		t.Fatalf("process %d is not among %d", pid, len(all))
	}
	return all[n]
}

func wantCode(t *testing.T, what string, err error, code string) {
	t.Helper()
	var refusal *channel.Error
	if !errors.As(err, &refusal) || refusal.Code != code {
		t.Errorf("%s: error %v, want %s", what, err, code)
	}
}

func TestListAndKill(t *testing.T) {
	p := open(t)
	for _, signal := range []string{channel.SignalTerm, channel.SignalKill} {
		cmd, ended := sleeper(t)
		is := find(t, p, cmd.Process.Pid)
		if is.Parent != os.Getpid() || is.Name == "" || is.Command != os.Args[0]+" an argument" || is.User == "" || is.Memory <= 0 || is.Partial || time.Since(is.Started) > time.Minute {
			t.Errorf("listed as %+v", is)
		}
		other := is
		other.Started = is.Started.Add(time.Millisecond)
		wantCode(t, "another process of the number", p.Kill(t.Context(), other, signal), channel.CodeChanged)
		if again := find(t, p, is.PID); !again.Started.Equal(is.Started) {
			t.Errorf("started %v, and then %v", is.Started, again.Started)
		}
		if err := p.Kill(t.Context(), is, signal); err != nil {
			t.Error(err)
		}
		<-ended
		wantCode(t, "one that has ended", p.Kill(t.Context(), is, signal), channel.CodeNotFound)
	}
	self := find(t, p, os.Getpid())
	wantCode(t, "the agent", p.Kill(t.Context(), self, channel.SignalTerm), channel.CodeInvalid)
}

// TestUsage: the share of processors is that since the last list.
func TestUsage(t *testing.T) {
	began := time.Unix(1000, 0)
	at := func(used, after time.Duration) seen {
		return seen{Process: channel.Process{PID: 1, Started: began}, used: used, at: began.Add(after)}
	}
	u := usage{}
	for _, tc := range []struct {
		now  seen
		want float64
	}{
		{at(5*time.Second, 10*time.Second), 50},
		{at(8*time.Second, 12*time.Second), 150},
		{at(8*time.Second, 14*time.Second), 0},
		{seen{Process: channel.Process{PID: 1, Started: began.Add(14 * time.Second)}, used: time.Second, at: began.Add(16 * time.Second)}, 50}, // another one
	} {
		all := []seen{tc.now}
		if u.count(all); all[0].CPU != tc.want {
			t.Errorf("after %v: %v, want %v", tc.now.at.Sub(began), all[0].CPU, tc.want)
		}
	}
}

func TestPermissions(t *testing.T) {
	watcher, killer := open(t, channel.MaySee), open(t, channel.MayKill)
	_, err := killer.List(t.Context())
	wantCode(t, "list", err, channel.CodeNotPermitted)
	cmd, ended := sleeper(t)
	wantCode(t, "kill", watcher.Kill(t.Context(), find(t, watcher, cmd.Process.Pid), channel.SignalKill), channel.CodeNotPermitted)
	select {
	case <-ended:
		t.Error("it was killed")
	default:
	}
}
