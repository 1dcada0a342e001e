package datadir

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// ErrInUse is the error of Acquire where another process has the directory.
var ErrInUse = errors.New("is in use by another server: stop it, or set another data_dir")

// Lock keeps a second server out of a data directory. It ends with the process, however that ends.
type Lock struct {
	file *os.File
}

// Acquire takes the directory for this process, and makes it if it is not there.
func Acquire(dir string) (*Lock, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("create data_dir: %w; %s", err, dirAdvice(err))
	}
	f, err := os.OpenFile(filepath.Join(dir, lockFile), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock data_dir: %w; give the server's user write permission there", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return nil, errors.Join(fmt.Errorf("data_dir %s %w", dir, ErrInUse), f.Close())
	}
	if err := Give(dir, f.Name()); err != nil {
		return nil, errors.Join(fmt.Errorf("lock data_dir: %w", err), f.Close())
	}
	return &Lock{file: f}, nil
}

// Give gives a file or folder that root made in the directory to whom the directory belongs, which is the server's user: it could not open it otherwise. For others it does nothing.
func Give(dir, path string) error {
	info, err := os.Stat(dir)
	if err != nil {
		return err
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	if !ok || os.Geteuid() != 0 || owner.Uid == 0 {
		return nil
	}
	return os.Lchown(path, int(owner.Uid), int(owner.Gid))
}

// dirAdvice says what to do where data_dir could not be made.
func dirAdvice(err error) string {
	if errors.Is(err, unix.ENOTDIR) {
		return "a file stands where a directory should be: move it away, or name another data_dir"
	}
	return "make the directory and give it to the server's user, or name another data_dir"
}

// Announce writes into the lock file that this process is the server, for Server.
func (l *Lock) Announce() error {
	if err := l.file.Truncate(0); err != nil {
		return fmt.Errorf("write %s: %w", l.file.Name(), err)
	}
	if _, err := l.file.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0); err != nil {
		return fmt.Errorf("write %s: %w", l.file.Name(), err)
	}
	return nil
}

// Release gives the directory back. A nil Lock has none.
func (l *Lock) Release() error {
	if l == nil || l.file == nil {
		return nil
	}
	// Not by the close alone: a program that is being started holds a copy of the file for a moment.
	err := errors.Join(unix.Flock(int(l.file.Fd()), unix.LOCK_UN), l.file.Close())
	l.file = nil
	return err
}

// ErrNoServer is the error of Server where none runs, or none that can be seen from here.
var ErrNoServer = errors.New("no server runs with this data_dir, or none that this process can see, as it may be where the server runs in a container: then run the command in there")

// Server returns the process of the server that has the directory. The number in the lock file alone is not believed: it may be that of a server which was killed, or be counted in
// another container. The process must have that file open.
func Server(dir string) (pid int, err error) {
	path := filepath.Join(dir, lockFile)
	text, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return 0, ErrNoServer
	}
	if err != nil {
		return 0, fmt.Errorf("look for the server: %w; run the command as the user that runs the server", err)
	}
	pid, err = strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil || pid <= 0 {
		return 0, ErrNoServer
	}
	lock, err := os.Stat(path)
	if err != nil {
		return 0, err
	}
	fds := filepath.Join("/proc", strconv.Itoa(pid), "fd")
	open, err := os.ReadDir(fds)
	if errors.Is(err, os.ErrPermission) {
		return 0, fmt.Errorf("look for the server: %w; run the command as the user that runs the server", err)
	}
	for _, f := range open {
		if file, err := os.Stat(filepath.Join(fds, f.Name())); err == nil && os.SameFile(lock, file) {
			return pid, nil
		}
	}
	return 0, ErrNoServer
}
