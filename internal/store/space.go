package store

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sys/unix"
)

var (
	freeDesc = prometheus.NewDesc("signalbox_store_free_bytes", "Bytes that the server may still write to the file system of the database.", nil, nil)
	sizeDesc = prometheus.NewDesc("signalbox_store_database_bytes", "Size of the database file and its write-ahead log.", nil, nil)
)

// space reads, when it is asked for, how much the database takes and how much it may still take. What cannot be read is left out.
type space struct{ path string }

// Describe implements prometheus.Collector.
func (s space) Describe(to chan<- *prometheus.Desc) {
	to <- freeDesc
	to <- sizeDesc
}

// Collect implements prometheus.Collector.
func (s space) Collect(to chan<- prometheus.Metric) {
	if free, err := freeSpace(filepath.Dir(s.path)); err == nil {
		to <- prometheus.MustNewConstMetric(freeDesc, prometheus.GaugeValue, float64(free))
	}
	if size, err := s.size(); err == nil {
		to <- prometheus.MustNewConstMetric(sizeDesc, prometheus.GaugeValue, float64(size))
	}
}

// freeSpace returns how many bytes this user may still write to the file system of a directory.
func freeSpace(dir string) (uint64, error) {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		return 0, fmt.Errorf("free space of %s: %w", dir, err)
	}
	return s.Bavail * uint64(s.Bsize), nil
}

// size returns the bytes of the files. There is no log before the first write.
func (s space) size() (int64, error) {
	info, err := os.Stat(s.path)
	if err != nil {
		return 0, err
	}
	size := info.Size()
	if log, err := os.Stat(s.path + "-wal"); err == nil {
		size += log.Size()
	}
	return size, nil
}
