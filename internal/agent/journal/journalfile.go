package journal

import (
	"bufio"
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"signalbox/internal/telemetry"
)

// minCompact is the size below which the file is never written anew.
const minCompact = 1 << 20

// writeLocked appends r to the file and applies it.
func (j *Journal) writeLocked(r record, sync bool) error {
	if j.failed != nil {
		return j.failed
	}
	line, err := appendRecord(nil, r)
	if err != nil {
		return fmt.Errorf("%w: %w", Err, err)
	}
	if _, err := j.file.Write(line); err != nil {
		return j.failLocked(err)
	}
	if sync {
		if err := j.file.Sync(); err != nil {
			return j.failLocked(err)
		}
	}
	j.apply(r, span{j.size, int64(len(line))})
	j.size += int64(len(line))
	if j.size > j.compactAt {
		if err := j.compactLocked(r.At); err != nil {
			return j.failLocked(err)
		}
	}
	return nil
}

func (j *Journal) failLocked(err error) error {
	j.failed = fmt.Errorf("%w: %w", Err, err)
	return j.failed
}

func (j *Journal) readLocked(s span) (record, error) {
	line := make([]byte, s.length)
	if _, err := j.file.ReadAt(line, s.off); err != nil {
		return record{}, fmt.Errorf("%w: read back: %w", Err, err)
	}
	r, err := parseRecord(bytes.TrimSuffix(line, []byte("\n")))
	if err != nil {
		return record{}, fmt.Errorf("%w: read back at %d: %w", Err, s.off, err)
	}
	return r, nil
}

// apply changes the entry as the record says; at is where the record's line stands.
func (j *Journal) apply(r record, at span) {
	e := j.entries[r.ID]
	if e == nil {
		j.seq++
		e = &entry{id: r.ID, seq: j.seq}
		j.entries[r.ID] = e
	}
	e.at = r.At
	switch r.What {
	case recordReceived:
		e.payload = at
	case recordStarted:
		e.phase = max(e.phase, Started)
	case recordDone:
		e.phase, e.result = max(e.phase, Done), at
	case recordCovered:
		if e.phase != Covered {
			j.covered++
		}
		e.phase, e.payload = Covered, span{}
	}
}

func (j *Journal) orderedLocked(want func(*entry) bool) []string {
	found := make([]*entry, 0, 8)
	for _, e := range j.entries {
		if want(e) {
			found = append(found, e)
		}
	}
	slices.SortFunc(found, func(a, b *entry) int { return cmp.Compare(a.seq, b.seq) })
	ids := make([]string, len(found))
	for i, e := range found {
		ids[i] = e.id
	}
	return ids
}

// load reads the file from the disk. A damaged end is what a crash leaves: it is cut. Damage before readable records is not, and may hide
// that a handler had begun, so every push that seems untouched is taken as started, and the damaged file is kept beside the new one.
func (j *Journal) load(now time.Time) error {
	path := filepath.Join(j.dir, journalName)
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	j.file = f
	good, bad, err := j.replay(f)
	if err != nil {
		return fmt.Errorf("read %s: %w", path, err)
	}
	if bad > 0 {
		j.warnDamage("journal has damaged records; their pushes may be answered as interrupted", bad)
		if err := j.distrust(path); err != nil {
			return err
		}
	}
	if err := j.cutTail(good); err != nil {
		return err
	}
	return j.compactLocked(now)
}

// replay applies every readable line. It returns the offset behind the last one and how many damaged lines stand before it.
func (j *Journal) replay(f *os.File) (good int64, bad int, err error) {
	br := bufio.NewReaderSize(f, maxRecordBytes)
	var off int64
	doubtful := 0
	for {
		line, err := br.ReadSlice('\n')
		length := int64(len(line))
		switch {
		case err == nil:
			if r, perr := parseRecord(line[:len(line)-1]); perr != nil {
				doubtful++
			} else {
				j.apply(r, span{off, length})
				bad, doubtful = bad+doubtful, 0
				good = off + length
			}
		case errors.Is(err, bufio.ErrBufferFull): // no line of ours is as long: go on at the next line feed
			doubtful++
			rest, skipErr := skipLine(br)
			if skipErr != nil && !errors.Is(skipErr, io.EOF) {
				return 0, 0, skipErr
			}
			length += rest
		case errors.Is(err, io.EOF):
			return good, bad, nil
		default:
			return 0, 0, err
		}
		off += length
	}
}

func skipLine(br *bufio.Reader) (int64, error) {
	var n int64
	for {
		part, err := br.ReadSlice('\n')
		n += int64(len(part))
		if !errors.Is(err, bufio.ErrBufferFull) {
			return n, err
		}
	}
}

// distrust keeps a copy of the damaged file and takes untouched pushes as started.
func (j *Journal) distrust(path string) error {
	for _, e := range j.entries {
		e.phase = max(e.phase, Started)
	}
	src, err := os.Open(path)
	if err != nil {
		return err
	}
	defer src.Close()
	dst, err := os.OpenFile(path+".damaged", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(dst, src)
	return errors.Join(err, dst.Close())
}

func (j *Journal) cutTail(good int64) error {
	end, err := j.file.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	if end > good {
		j.log.Warn("journal ended in the middle of a record, as after a crash; the end is cut",
			telemetry.File(j.file.Name()), telemetry.Count(int(end-good)))
		if err := j.file.Truncate(good); err != nil {
			return err
		}
	}
	j.size = good
	_, err = j.file.Seek(good, io.SeekStart)
	return err
}
