package private

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
)

const nobody = 65534

// TestCheck holds what root and another user are told of files of theirs.
func TestCheck(t *testing.T) {
	if os.Geteuid() != 0 {
		fmt.Println("LEFT OUT: files of root that others read: it takes root")
		t.Skip("not root")
	}
	for _, tc := range []struct {
		owner      int
		mode       fs.FileMode
		root, user bool // whether they take it
	}{
		{0, 0o600, true, true},
		{0, 0o400, true, true},
		{0, 0o440, false, true},
		{0, 0o640, false, true},
		{0, 0o660, false, false},
		{0, 0o450, false, false},
		{0, 0o444, false, false},
		{nobody, 0o600, true, true},
		{nobody, 0o440, false, false},
		{nobody, 0o604, false, false},
	} {
		path := filepath.Join(t.TempDir(), "secret")
		if err := errors.Join(os.WriteFile(path, nil, 0o600), os.Chown(path, tc.owner, 0), os.Chmod(path, tc.mode)); err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if root, user := Check(info) == nil, as(nobody, func() error { return Check(info) }) == nil; root != tc.root || user != tc.user {
			t.Errorf("%04o of user %d: root takes it: %v, another: %v, want %v and %v", tc.mode, tc.owner, root, user, tc.root, tc.user)
		}
	}
}

// as runs f as another user, on a thread that ends with it.
func as(user uintptr, f func() error) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread()
		if _, _, errno := syscall.RawSyscall(syscall.SYS_SETRESUID, ^uintptr(0), user, ^uintptr(0)); errno != 0 {
			done <- errno
			return
		}
		done <- f()
	}()
	return <-done
}
