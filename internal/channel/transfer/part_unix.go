//go:build unix

package transfer

import (
	"errors"
	"os"
	"syscall"
)

// noWait opens a named pipe without waiting for its other end.
const noWait = syscall.O_NONBLOCK

// own reports whether a file belongs to the user that we run as.
func own(fi os.FileInfo) bool {
	st, ok := fi.Sys().(*syscall.Stat_t)
	return ok && int(st.Uid) == os.Geteuid()
}

// inherit gives a file the owner of the one that it replaces, if we may.
func inherit(f *os.File, old os.FileInfo) {
	if st, ok := old.Sys().(*syscall.Stat_t); ok {
		_ = f.Chown(int(st.Uid), int(st.Gid))
	}
}

func chmod(f *os.File, mode os.FileMode) error { return f.Chmod(mode) }

// syncFolder puts a name in a folder on stable storage.
func syncFolder(folder *os.Root) error {
	f, err := folder.Open(".")
	if err != nil {
		return err
	}
	defer f.Close()
	if err := f.Sync(); !errors.Is(err, syscall.EINVAL) && !errors.Is(err, syscall.ENOTSUP) { // some file systems cannot
		return err
	}
	return nil
}
