//go:build unix

package files

import (
	"io/fs"
	"syscall"
)

// noWait opens a named pipe without waiting for its other end.
const noWait = syscall.O_NONBLOCK

// drives are the beginnings of all paths.
func drives() []string { return []string{"/"} }

// inode tells files apart that had the same name one after the other.
func inode(fi fs.FileInfo) uint64 {
	if st, ok := fi.Sys().(*syscall.Stat_t); ok {
		return uint64(st.Ino)
	}
	return 0
}
