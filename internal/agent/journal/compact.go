package journal

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// compactLocked forgets what is over for long enough and writes the rest into a new file, which then takes the place of the old one. A
// crash at any moment leaves the one or the other whole.
func (j *Journal) compactLocked(now time.Time) error {
	j.forgetLocked(now)
	path := filepath.Join(j.dir, journalName)
	next, err := os.OpenFile(path+".new", os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("begin new file: %w", err)
	}
	fresh := &Journal{entries: make(map[string]*entry, len(j.entries))}
	if err := j.copyLocked(next, fresh); err != nil {
		return errors.Join(fmt.Errorf("write new file: %w", err), next.Close())
	}
	// Windows replaces no file that is open, neither the old one nor by the new one.
	if err := errors.Join(next.Close(), j.file.Close()); err != nil {
		return fmt.Errorf("close: %w", err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		return fmt.Errorf("replace: %w", err)
	}
	if err := syncDir(j.dir); err != nil {
		return fmt.Errorf("sync directory: %w", err)
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("open again: %w", err)
	}
	j.file, j.size, j.entries, j.seq, j.covered = f, fresh.size, fresh.entries, fresh.seq, fresh.covered
	j.compactAt = max(minCompact, 2*j.size)
	return nil
}

// forgetLocked drops covered entries beyond the bounds, oldest first.
func (j *Journal) forgetLocked(now time.Time) {
	over := j.covered - j.keep.Count
	for _, id := range j.orderedLocked(func(e *entry) bool { return e.phase == Covered }) {
		if over <= 0 && now.Sub(j.entries[id].at) <= j.keep.Age {
			continue
		}
		delete(j.entries, id)
		j.covered--
		over--
	}
}

// copyLocked writes the records that are still needed into f, syncs it, and fills fresh as a reader of f would.
func (j *Journal) copyLocked(f *os.File, fresh *Journal) error {
	w := bufio.NewWriter(f)
	for _, id := range j.orderedLocked(func(*entry) bool { return true }) {
		records, err := j.recordsLocked(j.entries[id])
		if err != nil {
			return err
		}
		for _, r := range records {
			line, err := appendRecord(nil, r)
			if err != nil {
				return err
			}
			if _, err := w.Write(line); err != nil {
				return err
			}
			fresh.apply(r, span{fresh.size, int64(len(line))})
			fresh.size += int64(len(line))
		}
	}
	if err := w.Flush(); err != nil {
		return err
	}
	return f.Sync()
}

// recordsLocked returns the records that say of e what is known now.
func (j *Journal) recordsLocked(e *entry) ([]record, error) {
	var out []record
	if e.payload.length > 0 {
		r, err := j.readLocked(e.payload)
		if err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	if e.phase == Started {
		out = append(out, record{What: recordStarted, ID: e.id, At: e.at})
	}
	if e.phase >= Done && e.result.length > 0 {
		r, err := j.readLocked(e.result)
		if err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	if e.phase == Covered {
		out = append(out, record{What: recordCovered, ID: e.id, At: e.at})
	}
	return out, nil
}
