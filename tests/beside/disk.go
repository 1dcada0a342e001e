package beside

import (
	"os"
	"time"
)

// SyncTime is how long the disk under dir takes to keep one small write for good, on average; durable state waits for it.
func SyncTime(dir string) (time.Duration, error) {
	const writes = 50
	f, err := os.CreateTemp(dir, "sync")
	if err != nil {
		return 0, err
	}
	defer os.Remove(f.Name())
	defer f.Close()
	page := make([]byte, 4096)
	start := time.Now()
	for range writes {
		if _, err := f.Write(page); err != nil {
			return 0, err
		}
		if err := f.Sync(); err != nil {
			return 0, err
		}
	}
	return time.Since(start) / writes, nil
}
