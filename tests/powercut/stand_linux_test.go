package powercut

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// standName begins the names of the directories of all stands. One whose lock nobody holds was left by a test that was killed.
const standName = "signalbox-powercut-"

const (
	outerSize = 3 << 30 // sparse
	innerSize = 1 << 30
)

// stand is an XFS image, in it a disk image with ext4, on which the programs work. A clone of the disk image is what a power cut leaves: the kernel's unwritten
// pages of the ext4 are not in it.
type stand struct {
	dir   string // holds everything below, and the lists of what was answered, which no cut touches
	outer mount
	disk  mount
	cut   mount
}

// mount is a mounted image.
type mount struct {
	image, at, fs string
	loop          string // device; empty: not attached
	mounted       bool
}

// mounts returns the mounts of a stand in the order in which they are undone.
func mounts(dir string) [3]mount {
	return [3]mount{
		{image: filepath.Join(dir, "outer", "cut.img"), at: filepath.Join(dir, "cut"), fs: "ext4"},
		{image: filepath.Join(dir, "outer", "disk.img"), at: filepath.Join(dir, "disk"), fs: "ext4"},
		{image: filepath.Join(dir, "outer.img"), at: filepath.Join(dir, "outer"), fs: "xfs"},
	}
}

// leftOut says why the suite cannot run here.
func leftOut(t *testing.T, why string, args ...any) {
	t.Helper()
	t.Skipf("LEFT OUT: power cuts: "+why, args...)
}

// newStand makes a stand, or skips the test where that is not possible.
func newStand(t *testing.T) *stand {
	t.Helper()
	if os.Geteuid() != 0 {
		leftOut(t, "they need root for loop devices and mounts")
	}
	for program, pkg := range map[string]string{"mkfs.xfs": "xfsprogs", "mkfs.ext4": "e2fsprogs", "losetup": "mount"} {
		if _, err := exec.LookPath(program); err != nil {
			leftOut(t, "%s is missing: apt-get install %s", program, pkg)
		}
	}
	dir, err := os.MkdirTemp("", standName)
	must(t, err)
	m := mounts(dir)
	s := &stand{dir: dir, cut: m[0], disk: m[1], outer: m[2]}
	lock, err := lockStand(dir)
	must(t, err)
	t.Cleanup(func() {
		if err := errors.Join(s.cut.detach(), s.disk.detach(), s.outer.detach(), os.RemoveAll(dir), lock.Close()); err != nil {
			t.Errorf("clean up: %v", err)
		}
	})
	must(t, makeImage(s.outer.image, outerSize, "mkfs.xfs", "-q", "-m", "reflink=1"))
	if err := s.outer.attach(); err != nil {
		leftOut(t, "loop devices with XFS cannot be mounted here: %v", err)
	}
	must(t, makeImage(s.disk.image, innerSize, "mkfs.ext4", "-q"))
	if err := s.disk.attach(); err != nil {
		leftOut(t, "loop devices with ext4 cannot be mounted here: %v", err)
	}
	return s
}

func lockStand(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// makeImage makes a sparse file with a file system.
func makeImage(path string, size int64, mkfs ...string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	if err := errors.Join(f.Truncate(size), f.Close()); err != nil {
		return err
	}
	return command(append(mkfs, path)...)
}

func command(args ...string) error {
	if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", strings.Join(args, " "), err, out)
	}
	return nil
}

// attach mounts the image.
func (m *mount) attach() error {
	out, err := exec.Command("losetup", "--find", "--show", m.image).Output()
	if err != nil {
		return fmt.Errorf("losetup %s: %w", m.image, err)
	}
	m.loop = strings.TrimSpace(string(out))
	if err := os.MkdirAll(m.at, 0o700); err != nil {
		return err
	}
	if err := unix.Mount(m.loop, m.at, m.fs, 0, ""); err != nil {
		return fmt.Errorf("mount %s at %s: %w", m.loop, m.at, err)
	}
	m.mounted = true
	return nil
}

// detach undoes attach, however far that came.
func (m *mount) detach() error {
	if m.mounted {
		if err := unmount(m.at); err != nil {
			return err
		}
		m.mounted = false
	}
	if m.loop == "" {
		return nil
	}
	loop := m.loop
	m.loop = ""
	return command("losetup", "--detach", loop)
}

// unmount unmounts what nobody uses any more: a process that was killed may hold on for a moment.
func unmount(at string) error {
	ticks, end := time.NewTicker(10*time.Millisecond), time.NewTimer(5*time.Second)
	defer ticks.Stop()
	defer end.Stop()
	for {
		err := unix.Unmount(at, 0)
		if !errors.Is(err, unix.EBUSY) {
			return err
		}
		select {
		case <-ticks.C:
		case <-end.C:
			return fmt.Errorf("unmount %s: %w", at, err)
		}
	}
}

// takePicture takes the picture of the disk as it would be found after a power cut at this moment.
func (s *stand) takePicture() error {
	src, err := os.Open(s.disk.image)
	if err != nil {
		return err
	}
	defer src.Close()
	dst, err := os.Create(s.cut.image)
	if err != nil {
		return err
	}
	if err = errors.Join(unix.IoctlFileClone(int(dst.Fd()), int(src.Fd())), dst.Close()); err != nil {
		return fmt.Errorf("clone the disk: %w", err)
	}
	return nil
}

// dropPicture unmounts and removes the picture.
func (s *stand) dropPicture() error { return errors.Join(s.cut.detach(), os.Remove(s.cut.image)) }

// fresh returns an empty directory on the disk, which is durable itself.
func (s *stand) fresh(t *testing.T) string {
	t.Helper()
	must(t, os.RemoveAll(s.data()))
	must(t, os.MkdirAll(s.data(), 0o700))
	d, err := os.Open(s.data())
	must(t, err)
	must(t, errors.Join(unix.Syncfs(int(d.Fd())), d.Close()))
	return s.data()
}

const dataName = "data"

func (s *stand) data() string { return filepath.Join(s.disk.at, dataName) }

// cutData is the same directory after the power cut.
func (s *stand) cutData() string { return filepath.Join(s.cut.at, dataName) }

// removeStale takes away what tests left that were killed.
func removeStale() error {
	dirs, err := filepath.Glob(filepath.Join(os.TempDir(), standName+"*"))
	if err != nil {
		return err
	}
	var errs []error
	for _, dir := range dirs {
		lock, err := lockStand(dir)
		if err != nil {
			continue // in use
		}
		errs = append(errs, removeStand(dir), lock.Close())
	}
	return errors.Join(errs...)
}

// removeStand unmounts, detaches and removes what is in the directory of a stand.
func removeStand(dir string) error {
	var errs []error
	for _, m := range mounts(dir) {
		if err := unmount(m.at); err != nil && !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.ENOENT) { // not mounted, not there
			errs = append(errs, err)
		}
		loops, err := exec.Command("losetup", "--noheadings", "--output", "NAME", "--associated", m.image).Output()
		if err != nil {
			continue // there is no such image
		}
		for loop := range strings.FieldsSeq(string(loops)) {
			errs = append(errs, command("losetup", "--detach", loop))
		}
	}
	return errors.Join(append(errs, os.RemoveAll(dir))...)
}
