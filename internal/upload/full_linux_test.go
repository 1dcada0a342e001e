package upload

import (
	"bytes"
	"syscall"
	"testing"
)

// TestDiskFull: a file that finds no room leaves nothing behind, and says so.
func TestDiskFull(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.MaxBytes, c.QuotaBytes = 4<<20, 16<<20 })
	if err := syscall.Mount("tmpfs", w.dir, "tmpfs", 0, "size=1m,mode=700"); err != nil {
		t.Skipf("LEFT OUT: a full disk under uploads: a file system of its own takes root: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(w.dir, 0); err != nil {
			t.Errorf("unmount: %v", err)
		}
	})
	path := w.slot(File{Name: "a", Size: 2 << 20})
	w.want(507, "PUT", path, bytes.NewReader(make([]byte, 2<<20)))
	if files := w.files(); len(files) != 0 || len(w.used) != 0 {
		t.Errorf("files %v, used %v", files, w.used)
	}
	path = w.slot(File{Name: "a", Size: 100})
	w.want(201, "PUT", path, bytes.NewReader(make([]byte, 100)))
}
