//go:build unix

package local

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// command is this program as a user of the socket. Whoever is not root cannot have it.
func command(t *testing.T, uid uint32, mode string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program(t), args...)
	cmd.Env = append(os.Environ(), asGuest+"="+mode)
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
	return cmd
}

// program is this program where all users can run it.
func program(t *testing.T) string {
	t.Helper()
	if os.Getuid() != root {
		t.Skip("LEFT OUT: the agent's socket for other users: it needs root to become one")
	}
	own, err := os.Executable()
	must(t, err)
	text, err := os.ReadFile(own)
	must(t, err)
	name := filepath.Join(place(t), "guest")
	syscall.ForkLock.RLock() // a process that another test starts meanwhile would have the file open for writing, and then nobody can run it (ETXTBSY)
	defer syscall.ForkLock.RUnlock()
	must(t, os.WriteFile(name, text, 0o755))
	return name
}

// runs runs a guest and returns what it says.
func runs(t *testing.T, uid uint32, mode string, args ...string) (said string, ok bool) {
	t.Helper()
	out, err := command(t, uid, mode, args...).CombinedOutput()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out)), err == nil
}

// Whoever is at the computer sees and ends sessions, and is named; others are refused and learn nothing; root may in any case.
func TestWhoMay(t *testing.T) {
	t.Parallel()
	path := filepath.Join(place(t), SocketName)
	a := &agent{}
	serve(t, path, a, ann)
	if said, ok := runs(t, ann, "list", path); !ok || said != "1" {
		t.Errorf("who is there lists %s", said)
	}
	before, _ := a.seen()
	for mode, args := range map[string][]string{"list": {path}, "end": {path, "ses_1"}} {
		if said, ok := runs(t, bob, mode, args...); ok || !strings.Contains(said, errStranger.Error()) {
			t.Errorf("%s by who is not there: %s", mode, said)
		}
	}
	if asked, ended := a.seen(); asked != before || ended != "" {
		t.Errorf("the agent was asked %d times and ended %q for who is not there", asked-before, ended)
	}
	if said, ok := runs(t, ann, "end", path, "ses_2"); ok || said != ErrUnknown.Error() {
		t.Errorf("the end of another: %s", said)
	}
	said, ok := runs(t, ann, "end", path, "ses_1")
	if _, ended := a.seen(); !ok || ended != "ses_1 by "+userName(ann) {
		t.Errorf("the end by who is there: %s; ended %q", said, ended)
	}
	if _, err := Sessions(t.Context(), path); err != nil {
		t.Errorf("root: %v", err)
	}
}

// Where it is not known who is there, users are told so, and root may.
func TestNobodyKnown(t *testing.T) {
	t.Parallel()
	path := filepath.Join(place(t), SocketName)
	serveFor(t, path, &agent{}, func(context.Context) ([]uint32, error) { return []uint32{ann}, errors.New("no bus") })
	if said, ok := runs(t, ann, "list", path); ok || !strings.Contains(said, errNotKnown.Error()) {
		t.Errorf("a user: %s", said)
	}
	if _, err := Sessions(t.Context(), path); err != nil {
		t.Errorf("root: %v", err)
	}
}

// A directory that is closed to others is named with what to do.
func TestClosedPlace(t *testing.T) {
	t.Parallel()
	dir := place(t)
	must(t, os.Chmod(dir, 0o700))
	path := filepath.Join(dir, SocketName)
	serve(t, path, &agent{}, ann)
	if said, ok := runs(t, ann, "list", path); ok || !strings.Contains(said, "have local_socket in the agent's configuration name a place") {
		t.Errorf("a user: %s", said)
	}
}

// A user who holds all the connections of one keeps out nobody else, and is cut after a while.
func TestOneUserHolds(t *testing.T) {
	t.Parallel()
	path := filepath.Join(place(t), SocketName)
	serve(t, path, &agent{}, ann, bob)
	holder := command(t, ann, "hold", path)
	out, err := holder.StdoutPipe()
	must(t, err)
	must(t, holder.Start())
	said := bufio.NewReader(out)
	if line, err := said.ReadString('\n'); line != "open\n" {
		t.Errorf("the holder says %q, %v", line, err)
	}
	if said, ok := runs(t, ann, "list", path); ok || said[strings.IndexByte(said, '\n')+1:] != errTooMany.Error() {
		t.Errorf("one more connection of the user: %s", said)
	}
	if said, ok := runs(t, bob, "list", path); !ok {
		t.Errorf("another user: %s", said)
	}
	if _, err := Sessions(t.Context(), path); err != nil {
		t.Errorf("root: %v", err)
	}
	rest, _ := io.ReadAll(said)
	if err := holder.Wait(); err != nil {
		t.Errorf("the holder: %v: %s", err, rest)
	}
	if said, ok := runs(t, ann, "list", path); !ok {
		t.Errorf("the user after that: %s", said)
	}
}

// Users together cannot keep root out: while it is looked who is there, as many as may wait, the next is refused, and root passes.
func TestManyStrangers(t *testing.T) {
	t.Parallel()
	path := filepath.Join(place(t), SocketName)
	known := make(chan struct{})
	serveFor(t, path, &agent{}, func(context.Context) ([]uint32, error) {
		<-known
		return nil, nil
	})
	name := program(t)
	var waiting sync.WaitGroup
	refused := make(chan string, 2*ofStrangers)
	for i := range ofStrangers + 1 {
		waiting.Go(func() {
			cmd := exec.CommandContext(t.Context(), name, path)
			cmd.Env, cmd.Dir = append(os.Environ(), asGuest+"=list"), "/"
			cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(60000 + i), Gid: bob}}
			out, _ := cmd.CombinedOutput()
			refused <- string(out)
		})
	}
	if said := <-refused; !strings.Contains(said, errTooMany.Error()) {
		t.Errorf("the first who is refused hears %s", said)
	}
	if _, err := Sessions(t.Context(), path); err != nil {
		t.Errorf("root: %v", err)
	}
	close(known)
	waiting.Wait()
	close(refused)
	for said := range refused {
		if !strings.Contains(said, errStranger.Error()) {
			t.Errorf("another hears %s", said)
		}
	}
}
