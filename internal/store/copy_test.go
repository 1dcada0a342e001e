package store

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"signalbox/internal/push"
	"signalbox/internal/store/failure"
)

// TestInspectKeepsTheLocks: who looks at the database within the server's process must not cost the server its lock: the next command that closes the database would take itself for the
// last process, and delete the log that the server goes on to write.
func TestInspectKeepsTheLocks(t *testing.T) {
	path := filepath.Join(t.TempDir(), FileName)
	s := openAt(t, path, Default())
	watch, err := os.Open(path) // closed after the store: its close takes the locks away, too
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { watch.Close() })
	t.Cleanup(start(t, s))
	held := func() bool {
		t.Helper()
		lock := unix.Flock_t{Type: unix.F_WRLCK, Whence: 0, Start: 0, Len: 0}
		if err := unix.FcntlFlock(watch.Fd(), unix.F_OFD_GETLK, &lock); err != nil {
			t.Fatal(err)
		}
		return lock.Type != unix.F_UNLCK
	}
	if !held() {
		t.Fatal("an open store has no lock: this test sees nothing")
	}
	for name, look := range map[string]func() error{
		"Inspect":  func() error { _, err := Inspect(t.Context(), path); return err },
		"TryWrite": func() error { return TryWrite(t.Context(), path) },
		"Measure":  func() error { _, err := Measure(t.Context(), path); return err },
		"Copy":     func() error { return Copy(t.Context(), path, filepath.Join(t.TempDir(), "copy")) },
	} {
		if err := look(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if !held() {
			t.Fatalf("%s gave the lock of the store away", name)
		}
	}
}

// TestCopyIsOfOneMoment: pushes are accepted while copies are made. Each copy is sound, opens, and has every push that was answered before it began.
func TestCopyIsOfOneMoment(t *testing.T) {
	s := running(t)
	k := addEndpoint(t, s, "pc-1")
	dir := t.TempDir()
	var source string
	if err := s.reader.db.QueryRowContext(t.Context(), "SELECT file FROM pragma_database_list WHERE name = 'main'").Scan(&source); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	var load sync.WaitGroup
	for i := range 4 {
		other := addEndpoint(t, s, "other-"+strconv.Itoa(i))
		load.Go(func() {
			for ctx.Err() == nil {
				if _, err := accept(s, other, 200); err != nil && !errors.Is(err, push.ErrQueueFull) {
					t.Error(err)
					return
				}
			}
		})
	}
	for i := range 5 {
		var ids []push.ID
		for range 30 {
			ids = append(ids, mustAccept(t, s, k, 100).ID)
		}
		to := filepath.Join(dir, "copy-"+strconv.Itoa(i))
		if err := Copy(t.Context(), source, to); err != nil {
			t.Fatal(err)
		}
		if err := Check(t.Context(), to); err != nil {
			t.Error(err)
		}
		copied := openAt(t, to, Default())
		end := start(t, copied)
		for _, id := range ids {
			if _, err := copied.Push(t.Context(), k.Domain, id); err != nil {
				t.Errorf("copy %d: push %v was accepted before: %v", i, id, err)
			}
		}
		end()
	}
	stop()
	load.Wait()
}

func TestCopyRefuses(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, FileName)
	if err := openAt(t, path, Default()).Close(); err != nil {
		t.Fatal(err)
	}
	if err := Copy(t.Context(), path, path); err == nil || !strings.Contains(err.Error(), "exists") {
		t.Errorf("onto itself: %v", err)
	}
	if err := Copy(t.Context(), filepath.Join(dir, "none"), filepath.Join(dir, "a")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("of nothing: %v", err)
	}
	over, cancel := context.WithCancel(t.Context())
	cancel()
	if err := Copy(over, path, filepath.Join(dir, "b")); !errors.Is(err, context.Canceled) {
		t.Errorf("that nobody waits for: %v", err)
	}
}

// TestCheckFindsDamage: a page of the copy is overwritten.
func TestCheckFindsDamage(t *testing.T) {
	path := filepath.Join(t.TempDir(), FileName)
	s := openAt(t, path, Default())
	end := start(t, s)
	k := addEndpoint(t, s, "pc-1")
	for range 200 {
		mustAccept(t, s, k, 1000)
	}
	end()
	copied := path + ".copy"
	if err := Copy(t.Context(), path, copied); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(copied, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	for at := int64(4096); at < info.Size(); at += 8192 {
		if _, err := f.WriteAt([]byte(strings.Repeat("damage ", 64)), at); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if err := Check(t.Context(), copied); !errors.Is(err, failure.ErrCorrupt) {
		t.Errorf("Check() = %v, want that it is damaged", err)
	}
}

// TestRestoredLeapsOverEvents: events after a restore have numbers that none before the loss had.
func TestRestoredLeapsOverEvents(t *testing.T) {
	path := filepath.Join(t.TempDir(), FileName)
	s := openAt(t, path, Default())
	end := start(t, s)
	mustAccept(t, s, addEndpoint(t, s, "pc-1"), 3)
	end()
	last := func() (n int64) {
		t.Helper()
		s := openAt(t, path, Default())
		defer s.Close()
		if err := s.reader.db.QueryRowContext(t.Context(), "SELECT last_event FROM meta").Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	before := last()
	if err := Restored(t.Context(), path); err != nil {
		t.Fatal(err)
	}
	if after := last(); before == 0 || after != before+eventLeap {
		t.Errorf("last event %d, then %d, want a leap by %d", before, after, int64(eventLeap))
	}
	s = openAt(t, path, Default())
	defer start(t, s)()
	mustAccept(t, s, addEndpoint(t, s, "pc-2"), 1)
	events, err := s.ReadEvents(t.Context(), before, 10)
	if err != nil || len(events) == 0 || events[0].Seq <= before+eventLeap {
		t.Errorf("ReadEvents() = %v, %v, want events behind the leap", events, err)
	}
}

func TestMeasure(t *testing.T) {
	path := filepath.Join(t.TempDir(), FileName)
	s := openAt(t, path, Default())
	t.Cleanup(start(t, s))
	k := addEndpoint(t, s, "pc-1")
	for range 7 {
		mustAccept(t, s, k, 10)
	}
	m, err := Measure(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	if m.Rows["endpoint"] != 1 || m.Rows["push"] != 7 || m.Rows["meta"] != 1 || m.Bytes < 4096 || m.LogBytes == 0 {
		t.Errorf("Measure() = %+v", m)
	}
}
