package consent

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"signalbox/internal/agent/remote"
	"signalbox/internal/signalling"
	standin "signalbox/tests/logind"
	"signalbox/tests/screen"
)

// stranger is a user with a screen who is not the agent's own.
type stranger struct {
	uid       uint32
	home      string
	program   string // the agent's, which that user may run
	authority string // what lets programs onto the screen
	screen    *screen.Screen
}

// newStranger logs a user in on a screen that lets nobody else's programs in.
func newStranger(t *testing.T) *stranger {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("LEFT OUT: questions to a user who is not the agent's: they need root")
	}
	s := &stranger{uid: 65534}
	own, err := syscall.Getgroups()
	must(t, err)
	must(t, syscall.Setgroups([]int{0})) // as services of root have it, and not every test
	t.Cleanup(func() { must(t, syscall.Setgroups(own)) })
	if s.home, err = os.MkdirTemp("", "consent-"); err != nil { // that of the test is closed to others
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(s.home) })
	must(t, os.Chmod(s.home, 0o755))
	program, err := os.ReadFile("/proc/self/exe")
	must(t, err)
	s.program = filepath.Join(s.home, "agent")
	must(t, os.WriteFile(s.program, program, 0o755))
	s.authority = filepath.Join(s.home, ".Xauthority")
	must(t, os.WriteFile(s.authority, cookie(), 0o600))
	must(t, os.Chown(s.authority, int(s.uid), int(s.uid)))
	t.Setenv("XAUTHORITY", s.authority)
	s.screen = screen.Start(t, "-auth", s.authority)
	t.Setenv("DBUS_SYSTEM_BUS_ADDRESS", standin.Start(t, func() []standin.Login {
		return []standin.Login{{UID: s.uid, Type: "x11", Seat: "seat0", Display: s.screen.Display}}
	}))
	return s
}

// cookie is a file that lets in whoever may read it, as Xau has it: for any host and any display.
func cookie() []byte {
	const anyHost = 0xFFFF
	entry := binary.BigEndian.AppendUint16(nil, anyHost)
	secret := make([]byte, 16)
	_, _ = rand.Read(secret) // never fails
	for _, text := range []string{"", "", "MIT-MAGIC-COOKIE-1", string(secret)} {
		entry = append(binary.BigEndian.AppendUint16(entry, uint16(len(text))), text...)
	}
	return entry
}

// works starts a program of the user on the screen, until the test ends.
func (s *stranger) works(t *testing.T) {
	t.Helper()
	cmd := exec.Command("sleep", "infinity")
	cmd.Env = []string{"DISPLAY=" + s.screen.Display, "XAUTHORITY=" + s.authority}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: s.uid, Gid: s.uid}, Pdeathsig: syscall.SIGKILL}
	must(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	if readEnvironment(fmt.Sprintf("/proc/%d/environ", cmd.Process.Pid)) == nil {
		t.Skip("LEFT OUT: questions to a user who is not the agent's: this root may not look at the programs of others (CAP_SYS_PTRACE)")
	}
}

// window finds the program that shows the window: its directory in /proc.
func (s *stranger) window(t *testing.T) string {
	t.Helper()
	all, err := filepath.Glob("/proc/[0-9]*")
	must(t, err)
	for _, dir := range all {
		if line, err := os.ReadFile(filepath.Join(dir, "cmdline")); err == nil && string(line) == s.program+"\x00"+Argument+"\x00" {
			return dir
		}
	}
	t.Fatal("no program shows a window")
	return ""
}

// TestAnotherUser: an agent that is root shows its window as the user whose screen it is, with none of root's groups and by what the user's own programs have; the answer comes back. A screen that lets the
// window's program not in is a question that was not shown.
func TestAnotherUser(t *testing.T) {
	s := newStranger(t)
	core, logs := observer.New(zap.WarnLevel)
	asking, giveUp := context.WithCancel(t.Context())
	u := New(s.program, zap.New(core, zap.Hooks(func(zapcore.Entry) error { giveUp(); return nil })))
	q := remote.Question{Technician: signalling.Technician{Name: "Zoë"}, Timeout: signalling.MaxConsent}
	if got := u.Ask(asking, q); got != remote.NotShown {
		t.Errorf("Ask() = %q on a screen that refuses, want %q", got, remote.NotShown)
	}
	if all := logs.TakeAll(); len(all) != 1 || !strings.Contains(fmt.Sprint(all[0].ContextMap()), "X11 display") {
		t.Errorf("the log has %v, want why the window was not shown", all)
	}
	s.works(t)
	answer := make(chan remote.Answer, 1)
	go func() { answer <- u.Ask(t.Context(), q) }()
	s.screen.Window()
	s.check(t, s.window(t))
	s.screen.Press(screen.Allow)
	if got := <-answer; got != signalling.ConsentAllowed {
		t.Errorf("Ask() = %q, want %q; the log has %v", got, signalling.ConsentAllowed, logs.All())
	}
}

// check looks at whose the program is that shows the window, and what it was given.
func (s *stranger) check(t *testing.T, dir string) {
	t.Helper()
	status, err := os.ReadFile(filepath.Join(dir, "status"))
	must(t, err)
	got := map[string]string{}
	for line := range strings.Lines(string(status)) {
		if name, value, _ := strings.Cut(line, ":"); name == "Uid" || name == "Gid" || name == "Groups" {
			got[name] = strings.Join(strings.Fields(value), " ")
		}
	}
	four := func(id uint32) string { return fmt.Sprint(id, " ", id, " ", id, " ", id) } // real, effective, saved, of the file system
	if d := cmp.Diff(map[string]string{"Uid": four(s.uid), "Gid": four(gidOf(s.uid)), "Groups": ""}, got); d != "" {
		t.Errorf("the window's program (-want +got):\n%s", d)
	}
	if d := cmp.Diff(map[string]string{"DISPLAY": s.screen.Display, "XAUTHORITY": s.authority}, readEnvironment(filepath.Join(dir, "environ"))); d != "" {
		t.Errorf("its environment (-want +got):\n%s", d)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
