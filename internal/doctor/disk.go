package doctor

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/procfs"
)

// What a file system says of itself that a database should know. FUSE and 9p are left out: many virtual machines have their disks so.
var (
	inMemory  = []string{"tmpfs", "ramfs", "devtmpfs"}
	onNetwork = []string{"nfs", "nfs4", "cifs", "smb3", "ceph", "afs", "gfs2", "ocfs2", "lustre", "fuse.sshfs", "fuse.glusterfs"}
)

// Bounds of what is well.
const (
	syncTries   = 24
	syncBytes   = 4 << 10 // of one write, a page of the database
	fastestSync = 10 * time.Microsecond
	slowestSync = 50 * time.Millisecond
	longestWAL  = 512 << 20 // bytes; checkpoints begin at 16 MiB, and a reader holds them up now and then
)

// disk looks at what the database stands on: is it a disk at all, and is what it says is written really written?
func (x *examination) disk(dir string) {
	if m := mountOf(dir); m != nil && !x.fileSystem(dir, m) {
		return
	}
	took, err := syncTime(dir)
	if err != nil {
		return // that it cannot be written is told elsewhere: by the space, or by the database itself
	}
	x.judgeSync(dir, took)
}

// fileSystem judges the file system, and reports whether its speed says something.
func (x *examination) fileSystem(dir string, m *procfs.MountInfo) bool {
	check := dir + ", file system"
	switch {
	case slices.Contains(inMemory, m.FSType):
		x.wrong(InMemory, check, "is "+m.FSType+", which is memory: pushes that were accepted are lost when the machine stops", "set data_dir to a directory on a disk, or in a container mount a volume there")
		return false
	case slices.Contains(onNetwork, m.FSType):
		x.wrong(OnNetwork, check, "is "+m.FSType+", on which locks and shared memory of SQLite are not safe: the database can be damaged", "set data_dir to a directory on a disk of this machine, or on a block device")
		return false
	case barriersOff(m):
		x.wrong(NoBarriers, check, m.FSType+" at "+m.MountPoint+" is mounted without write barriers: a power cut loses pushes that were accepted, or damages the database",
			"mount it without nobarrier or barrier=0")
		return false
	}
	x.well(check, "is "+m.FSType+" at "+m.MountPoint, "")
	return true
}

func barriersOff(m *procfs.MountInfo) bool {
	for _, options := range []map[string]string{m.Options, m.SuperOptions} {
		_, none := options["nobarrier"]
		if none || options["barrier"] == "0" {
			return true
		}
	}
	return false
}

// mountOf returns the mount on which a directory is; nil: not known on this system.
func mountOf(dir string) (on *procfs.MountInfo) {
	real, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return nil
	}
	mounts, err := procfs.GetMounts()
	if err != nil {
		return nil
	}
	for _, m := range mounts { // a later one hides an earlier one
		if within(real, m.MountPoint) && (on == nil || len(m.MountPoint) >= len(on.MountPoint)) {
			on = m
		}
	}
	return on
}

// within reports whether a path is a directory, or below it.
func within(path, dir string) bool {
	rel, err := filepath.Rel(dir, path)
	return err == nil && rel != ".." && !strings.HasPrefix(rel, "../")
}

// syncTime returns how long the system usually takes to have a page on the disk for good: the median of some tries in a file of dir, which is removed.
func syncTime(dir string) (_ time.Duration, err error) {
	f, err := os.CreateTemp(dir, ".doctor-")
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, f.Close(), os.Remove(f.Name())) }()
	page := make([]byte, syncBytes)
	took := make([]time.Duration, syncTries)
	for i := range took {
		page[0] = byte(i)
		if _, err := f.Write(page); err != nil {
			return 0, err
		}
		if i == syncTries/2 { // the second half is written over, as a log is that is used again
			if _, err := f.Seek(0, io.SeekStart); err != nil {
				return 0, err
			}
		}
		start := time.Now()
		if err := f.Sync(); err != nil {
			return 0, err
		}
		took[i] = time.Since(start)
	}
	slices.Sort(took)
	return took[len(took)/2], nil
}

func (x *examination) judgeSync(dir string, took time.Duration) {
	check := dir + ", sync"
	detail := fmt.Sprintf("a page of 4 KiB is on the disk for good after %v", took.Round(time.Microsecond))
	switch {
	case took < fastestSync:
		x.warn(SyncTooFast, check, fmt.Sprintf("the system says after %v that a page is on the disk, sooner than a disk can: what is accepted may be lost in a power cut", took),
			"see that no library or virtual machine swallows fsync (eatmydata, the cache mode unsafe of QEMU), and that the disk's cache is protected")
	case took > slowestSync:
		x.warn(SyncSlow, check, detail+": each push waits as long for its 202", "use a faster disk, such as an SSD, for data_dir; see what else writes to it")
	default:
		x.well(check, detail, "")
	}
}

// log looks at the length of the write-ahead log.
func (x *examination) log(path string) {
	info, err := os.Stat(path + "-wal")
	if err != nil {
		return // there is none while no server runs
	}
	if info.Size() > longestWAL {
		x.warn(LongWAL, path+"-wal", fmt.Sprintf("is %d MiB long: it could not be written back to the database for a while", info.Size()>>20),
			"end what reads the database file beside the server, such as a backup by another program, and see whether the disk is slow; a restart of the server shortens it")
	}
}
