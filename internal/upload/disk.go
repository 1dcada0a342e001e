package upload

import (
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"signalbox/internal/telemetry"
)

// A file on disk is named after its slot. It begins with the length of a record of what is known of it, in four bytes, and the record in JSON; the rest is the
// content. It has its name only once it is whole and on the disk; before, it ends in partial.
const (
	partial        = ".partial"
	maxRecordBytes = 4096
)

// record is what is kept with a file.
type record struct {
	Owner string `json:"owner"`
	Name  string `json:"name"`
	Type  string `json:"type,omitempty"`
	Size  int64  `json:"size"`
}

// isID reports whether a text has the form of a slot's id, and so is safe as the name of a file.
func isID(text string) bool {
	raw, err := hex.DecodeString(text)
	return err == nil && len(raw) == 16 && strings.ToLower(text) == text
}

func (s *Service) path(id string) string { return filepath.Join(s.dir, id) }

// write keeps a file whole or not at all. Body must give as many bytes as the file has.
func (s *Service) write(id, owner string, f File, body io.Reader) (err error) {
	out, err := os.OpenFile(s.path(id)+partial, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(out.Name()))
		}
	}()
	head, err := json.Marshal(record{owner, f.Name, f.Type, f.Size})
	if err == nil {
		_, err = out.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(head))), head...))
	}
	if err == nil {
		var n int64
		if n, err = io.Copy(out, body); err == nil && n != f.Size {
			err = fmt.Errorf("%d bytes instead of %d: %w", n, f.Size, io.ErrUnexpectedEOF)
		}
	}
	if err = errors.Join(err, out.Sync(), out.Close()); err != nil {
		return err
	}
	if err := os.Rename(out.Name(), s.path(id)); err != nil {
		return err
	}
	dir, err := os.Open(s.dir)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// open returns the content of a file; the caller closes it.
func (s *Service) open(id string) (content *io.SectionReader, file *os.File, err error) {
	file, err = os.Open(s.path(id))
	if err != nil {
		return nil, nil, err
	}
	r, start, err := readRecord(file)
	if err != nil {
		return nil, nil, errors.Join(err, file.Close())
	}
	return io.NewSectionReader(file, start, r.Size), file, nil
}

// readRecord reads what stands before the content, and where that starts.
func readRecord(file *os.File) (r record, start int64, err error) {
	var length [4]byte
	if _, err := io.ReadFull(file, length[:]); err != nil {
		return r, 0, err
	}
	n := binary.BigEndian.Uint32(length[:])
	if n > maxRecordBytes {
		return r, 0, fmt.Errorf("record of %d bytes", n)
	}
	text := make([]byte, n)
	if _, err := io.ReadFull(file, text); err != nil {
		return r, 0, err
	}
	if err := json.Unmarshal(text, &r); err != nil {
		return r, 0, err
	}
	info, err := file.Stat()
	start = int64(4 + n)
	if err == nil && (r.Size <= 0 || info.Size() != start+r.Size || !goodName(r.Name)) {
		err = fmt.Errorf("%d bytes, which do not fit its record", info.Size())
	}
	return r, start, err
}

func (s *Service) delete(id string) error {
	if err := os.Remove(s.path(id)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// load finds the files of earlier runs. What an upload left that did not end is deleted; what cannot be read is left alone and told.
func (s *Service) load() error {
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		name := e.Name()
		if id, ok := strings.CutSuffix(name, partial); ok && isID(id) {
			if err := os.Remove(filepath.Join(s.dir, name)); err != nil {
				return err
			}
			continue
		}
		if err := s.loadFile(name); err != nil {
			s.log.Warn("a file in the directory of uploads cannot be read", telemetry.File(name), telemetry.Cause(err))
		}
	}
	return nil
}

var errForeign = errors.New("it is not the name of a slot")

func (s *Service) loadFile(id string) error {
	if !isID(id) {
		return errForeign
	}
	file, err := os.Open(s.path(id))
	if err != nil {
		return err
	}
	r, _, err := readRecord(file)
	info, errStat := file.Stat()
	if err = errors.Join(err, errStat, file.Close()); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.addLocked(id, &slot{file: File{r.Name, r.Size, r.Type}, owner: r.Owner, made: info.ModTime(), taken: true, arrived: true})
	return nil
}
