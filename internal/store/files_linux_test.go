package store

import (
	"database/sql"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestReadersTakeNoFilesLater: all files are open from the beginning, so that reading goes on when the process may open no more.
func TestReadersTakeNoFilesLater(t *testing.T) {
	dir := t.TempDir()
	s := openAt(t, filepath.Join(dir, FileName), Default())
	defer start(t, s)()
	k := addEndpoint(t, s, "pc-1")
	before := filesIn(t, dir)
	for _, pool := range []*sql.DB{s.reader.db, s.reader.lists} {
		for range pool.Stats().MaxOpenConnections {
			c, err := pool.Conn(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			var id string
			if err := c.QueryRowContext(t.Context(), "SELECT id FROM endpoint WHERE domain = ?", k.Domain).Scan(&id); err != nil || id != k.ID {
				t.Fatalf("endpoint = %q, %v", id, err)
			}
		}
	}
	if after := filesIn(t, dir); after != before {
		t.Errorf("%d files of the database are open while all readers work, %d before", after, before)
	}
}

// filesIn counts the descriptors of this process that are open on files of a directory.
func filesIn(t *testing.T, dir string) (n int) {
	t.Helper()
	all, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range all {
		if target, err := os.Readlink("/proc/self/fd/" + f.Name()); err == nil && strings.HasPrefix(target, dir) {
			n++
		}
	}
	return n
}
