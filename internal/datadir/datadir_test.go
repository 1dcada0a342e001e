package datadir

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"testing"
)

func TestUnfinishedRestore(t *testing.T) {
	dir := t.TempDir()
	if err := CheckWhole(dir); err != nil {
		t.Errorf("an empty directory: %v", err)
	}
	if err := BeginRestore(dir); err != nil {
		t.Fatal(err)
	}
	if err := CheckWhole(dir); !errors.Is(err, ErrUnfinished) {
		t.Errorf("CheckWhole() = %v, want ErrUnfinished", err)
	}
	if err := EndRestore(dir); err != nil {
		t.Fatal(err)
	}
	if err := CheckWhole(dir); err != nil {
		t.Errorf("after the end: %v", err)
	}
}

func TestNames(t *testing.T) {
	for _, tc := range []struct {
		name             string
		lasting, movable bool
	}{
		{"identity.key", true, true},
		{"upload", true, true},
		{"signalbox.lock", false, false},
		{"signalbox.ready", false, true},
		{"signalbox.ready.new", false, true},
		{"sessions.kept", false, true},
		{"restore.part", false, false},
		{"restore.unfinished", false, false},
		{"restored-files", false, true},
		{"before-restore-20260102T030405.000Z", false, false},
		{"lost+found", true, false},
	} {
		if l, m := Lasting(tc.name), Movable(tc.name); l != tc.lasting || m != tc.movable {
			t.Errorf("%s: lasting %v, movable %v, want %v, %v", tc.name, l, m, tc.lasting, tc.movable)
		}
	}
}

// TestServerIsWhoHasTheLock: neither the number in the file alone nor the lock alone makes a process the server.
func TestServerIsWhoHasTheLock(t *testing.T) {
	dir := t.TempDir()
	lock, err := Acquire(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Server(dir); !errors.Is(err, ErrNoServer) {
		t.Errorf("a lock that nobody announced: %v, want ErrNoServer", err)
	}
	if err := lock.Announce(); err != nil {
		t.Fatal(err)
	}
	if pid, err := Server(dir); pid != os.Getpid() || err != nil {
		t.Errorf("Server() = %d, %v, want %d", pid, err, os.Getpid())
	}
	if err := lock.Release(); err != nil {
		t.Fatal(err)
	}
	if _, err := Server(dir); !errors.Is(err, ErrNoServer) {
		t.Errorf("after the release: %v, want ErrNoServer", err)
	}
	for _, text := range []string{"", "x", "-1", "0", "1", strconv.Itoa(os.Getppid())} {
		if err := os.WriteFile(filepath.Join(dir, lockFile), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if pid, err := Server(dir); err == nil {
			t.Errorf("with %q in the file: %d", text, pid)
		}
	}
}
