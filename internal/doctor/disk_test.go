package doctor

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/prometheus/procfs"
)

func TestFileSystems(t *testing.T) {
	for _, tc := range []struct {
		mount  procfs.MountInfo
		want   string
		speeds bool // its speed says something
	}{
		{procfs.MountInfo{FSType: "ext4", MountPoint: "/var"}, "ok /d, file system: is ext4 at /var", true},
		{procfs.MountInfo{FSType: "tmpfs", MountPoint: "/tmp"}, "wrong /d, file system: is tmpfs, which is memory", false},
		{procfs.MountInfo{FSType: "nfs4", MountPoint: "/srv"}, "wrong /d, file system: is nfs4, on which locks and shared memory of SQLite are not safe", false},
		{procfs.MountInfo{FSType: "ext4", MountPoint: "/d", SuperOptions: map[string]string{"nobarrier": ""}}, "wrong /d, file system: ext4 at /d is mounted without write barriers", false},
		{procfs.MountInfo{FSType: "ext4", MountPoint: "/d", SuperOptions: map[string]string{"barrier": "0"}}, "wrong /d, file system: ext4 at /d is mounted without write barriers", false},
	} {
		x := example(t)
		if got := x.fileSystem("/d", &tc.mount); got != tc.speeds {
			t.Errorf("fileSystem(%s) = %v, want %v", tc.mount.FSType, got, tc.speeds)
		}
		wantLines(t, x, tc.want)
	}
}

func TestWithin(t *testing.T) {
	for _, tc := range []struct {
		path, dir string
		want      bool
	}{{"/var/lib", "/", true}, {"/var/lib", "/var", true}, {"/var/lib", "/var/lib", true}, {"/var/lib", "/var/li", false}, {"/var", "/var/lib", false}, {"/var/..lib", "/var", true}} {
		if got := within(tc.path, tc.dir); got != tc.want {
			t.Errorf("within(%s, %s) = %v, want %v", tc.path, tc.dir, got, tc.want)
		}
	}
}

func TestSync(t *testing.T) {
	x := example(t)
	x.judgeSync("/d", 2*time.Microsecond)
	x.judgeSync("/d", 300*time.Microsecond)
	x.judgeSync("/d", 60*time.Millisecond)
	wantLines(t, x, "warning /d, sync: the system says after 2µs that a page is on the disk, sooner than a disk can", "ok /d, sync: a page of 4 KiB is on the disk for good after 300µs",
		"warning /d, sync: a page of 4 KiB is on the disk for good after 60ms: each push waits as long")
	dir := t.TempDir()
	if took, err := syncTime(dir); err != nil || took <= 0 {
		t.Errorf("syncTime = %v, %v", took, err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("it leaves %v, %v", left, err)
	}
	if _, err := syncTime(filepath.Join(dir, "none")); err == nil {
		t.Error("syncTime of no directory has no error")
	}
}

func TestLongLog(t *testing.T) {
	x := example(t)
	path := filepath.Join(x.Config.DataDir, "signalbox.db")
	x.log(path)
	put(t, path+"-wal", nil)
	x.log(path)
	if err := os.Truncate(path+"-wal", longestWAL+1); err != nil { // a hole takes no room
		t.Fatal(err)
	}
	x.log(path)
	wantLines(t, x, "warning "+path+"-wal: is 512 MiB long")
}
