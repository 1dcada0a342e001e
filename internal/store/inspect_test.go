package store

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"signalbox/internal/store/failure"
)

// alter changes the schema of a closed database.
func alter(t *testing.T, path, statement string) {
	t.Helper()
	db, err := openDB(dsn(path, nil))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.ExecContext(t.Context(), statement); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestInspect(t *testing.T) {
	for _, tc := range []struct {
		name, statement string
		ahead           int64 // of Version over Known
		missing         int
	}{
		{"up to date", "SELECT 1", 0, 0},
		{"of a newer program", "INSERT INTO goose_db_version (version_id, is_applied) VALUES (999999, 1)", 999999, 0},
		{"a gap", "DELETE FROM goose_db_version WHERE version_id = 3", 0, 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), FileName)
			if err := openAt(t, path, Default()).Close(); err != nil {
				t.Fatal(err)
			}
			alter(t, path, tc.statement)
			s, err := Inspect(t.Context(), path)
			if err != nil {
				t.Fatal(err)
			}
			want := s.Known
			if tc.ahead > 0 {
				want = tc.ahead
			}
			if s.Version != want || s.Known < 120 || s.Missing != tc.missing {
				t.Errorf("Inspect() = %+v, want version %d and %d missing", s, want, tc.missing)
			}
		})
	}
}

// TestInspectBesideAServer: the version is read, and the writer's lock taken, while another process has the file open.
func TestInspectBesideAServer(t *testing.T) {
	path := filepath.Join(t.TempDir(), FileName)
	s := openAt(t, path, Default())
	t.Cleanup(start(t, s))
	addEndpoint(t, s, "pc-1")
	if got, err := Inspect(t.Context(), path); err != nil || got.Missing != 0 || got.Version != got.Known {
		t.Errorf("Inspect() = %+v, %v", got, err)
	}
	if err := TryWrite(t.Context(), path); err != nil {
		t.Error(err)
	}
	mustAccept(t, s, addEndpoint(t, s, "pc-2"), 1)
}

func TestInspectMakesNothing(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "none", FileName)
	if _, err := Inspect(t.Context(), path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Inspect() = %v, want that it does not exist", err)
	}
	if err := TryWrite(t.Context(), path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("TryWrite() = %v, want that it does not exist", err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 0 {
		t.Errorf("left %v, %v", entries, err)
	}
	empty := filepath.Join(dir, FileName)
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if s, err := Inspect(t.Context(), empty); err != nil || s.Version != 0 || s.Missing == 0 {
		t.Errorf("Inspect() = %+v, %v, want that nothing was applied", s, err)
	}
	if info, err := os.Stat(empty); err != nil || info.Size() != 0 {
		t.Errorf("the empty file has %v, %v", info, err)
	}
}

func TestInspectNamesDamage(t *testing.T) {
	path := filepath.Join(t.TempDir(), FileName)
	if err := os.WriteFile(path, []byte(strings.Repeat("no database ", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Inspect(t.Context(), path); !errors.Is(err, failure.ErrCorrupt) {
		t.Errorf("Inspect() = %v, want that it is damaged", err)
	}
}

// TestTryWriteFindsAHeldLock: somebody else's transaction does not end.
func TestTryWriteFindsAHeldLock(t *testing.T) {
	path := filepath.Join(t.TempDir(), FileName)
	if err := openAt(t, path, Default()).Close(); err != nil {
		t.Fatal(err)
	}
	db, err := openDB(dsn(path, nil))
	if err != nil {
		t.Fatal(err)
	}
	tx, err := db.BeginTx(context.WithoutCancel(t.Context()), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(tx.Rollback(), db.Close()); err != nil {
			t.Error(err)
		}
	})
	begun := time.Now()
	if err := TryWrite(t.Context(), path); err == nil || !strings.Contains(err.Error(), "another process holds the database") {
		t.Errorf("TryWrite() = %v after %v, want who holds it", err, time.Since(begun))
	}
}
