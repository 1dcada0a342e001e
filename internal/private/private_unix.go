//go:build unix

package private

import (
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// Rights that others than the owner may have to a file.
const (
	others    = 0o077 // all: what the group and everybody may do
	groupRead = 0o040
)

// Check refuses a file that others than its owner can read or change. A file of root's may be read by its group, and no more: so a system hands secrets to a program
// that is not root, as Kubernetes does with the Secrets that it mounts. The error continues a sentence that begins with the file's name.
func Check(info fs.FileInfo) error {
	mode := info.Mode().Perm()
	if open := mode & others; open == 0 || open == groupRead && handed(info) {
		return nil
	}
	return fmt.Errorf("is open to others (mode %04o): make it its owner's alone with chmod 600", mode)
}

// handed reports whether a file is root's and this program is not.
func handed(info fs.FileInfo) bool {
	owner, ok := info.Sys().(*syscall.Stat_t)
	return ok && owner.Uid == 0 && os.Geteuid() != 0
}
