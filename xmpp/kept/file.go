package kept

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// File is where sessions are kept. One goroutine uses it.
type File struct {
	Path string // its directory exists
	Max  int    // bytes of the sessions in it; what does not fit is left out
}

// ErrUnusable says that a file was there, and is not taken for what a server kept.
var ErrUnusable = errors.New("not usable")

// format is the version of the file; another one is not read.
const format = 1

// header is the file's first line.
type header struct {
	Kind     string `json:"kind"`
	Format   int    `json:"format"`
	Sessions int    `json:"sessions"`
	Bytes    int64  `json:"bytes"`  // of all that follows
	SHA256   string `json:"sha256"` // of the same
}

const kind = "signalbox resumable sessions"

// Save writes sessions in their order, as far as there is room, and reports which. The file is there whole and on stable storage, or not at all. Without sessions
// there is none.
func (f File) Save(all []Session) (saved []bool, err error) {
	var body bytes.Buffer
	saved = make([]bool, len(all))
	n := 0
	for i := range all {
		line, err := json.Marshal(&all[i])
		if err != nil {
			return nil, fmt.Errorf("encode session of %s: %w", all[i].Endpoint, err)
		}
		if body.Len()+len(line) >= f.Max {
			continue
		}
		body.Write(line)
		body.WriteByte('\n')
		saved[i] = true
		n++
	}
	if n == 0 {
		return saved, f.remove()
	}
	if err := f.write(n, body.Bytes()); err != nil {
		return nil, errors.Join(fmt.Errorf("keep sessions: %w", err), f.remove())
	}
	return saved, nil
}

func (f File) write(n int, body []byte) error {
	sum := sha256.Sum256(body)
	first, err := json.Marshal(header{Kind: kind, Format: format, Sessions: n, Bytes: int64(len(body)), SHA256: hex.EncodeToString(sum[:])})
	if err != nil {
		return err
	}
	draft := f.draft()
	if err := writeSynced(draft, append(first, '\n'), body); err != nil {
		return errors.Join(err, removeIfThere(draft))
	}
	if err := os.Rename(draft, f.Path); err != nil {
		return errors.Join(err, removeIfThere(draft))
	}
	return f.syncDir()
}

// draft is the file's name while it is written.
func (f File) draft() string { return f.Path + ".new" }

func writeSynced(path string, parts ...[]byte) error {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	for _, p := range parts {
		if _, err := file.Write(p); err != nil {
			return errors.Join(err, file.Close())
		}
	}
	return errors.Join(file.Sync(), file.Close())
}

// Load returns the sessions of the last run, none if it left no file, and removes the file for good before, and what was only begun of one: what it says is true once.
// An error that is ErrUnusable tells what is wrong with a file that is gone now; with any other the file may be there still, and nothing of it is returned.
func (f File) Load() ([]Session, error) {
	all, errRead := f.read()
	if err := errors.Join(f.remove(), removeIfThere(f.draft())); err != nil {
		return nil, fmt.Errorf("remove the sessions of the last run: %w", err)
	}
	if errors.Is(errRead, os.ErrNotExist) {
		return nil, nil
	}
	return all, errRead
}

func (f File) read() ([]Session, error) {
	file, err := os.Open(f.Path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	in := bufio.NewReader(file)
	h, err := readHeader(in)
	if err != nil {
		return nil, fmt.Errorf("%s is %w: %w", filepath.Base(f.Path), ErrUnusable, err)
	}
	all, err := h.readBody(in)
	if err != nil {
		return nil, fmt.Errorf("%s is %w: %w", filepath.Base(f.Path), ErrUnusable, err)
	}
	return all, nil
}

// maxFile bounds what is read, whatever a header says; Max is at most that.
const maxFile = 1 << 30

func readHeader(in *bufio.Reader) (h header, err error) {
	line, err := in.ReadSlice('\n') // at most the reader's buffer
	if err != nil {
		return h, errors.New("it has no first line")
	}
	if err := json.Unmarshal(line, &h); err != nil || h.Kind != kind {
		return h, errors.New("it is of another kind")
	}
	if h.Format != format {
		return h, fmt.Errorf("it has format %d, this server knows %d", h.Format, format)
	}
	if h.Bytes < 0 || h.Bytes > maxFile {
		return h, errors.New("it is too large")
	}
	return h, nil
}

func (h header) readBody(in io.Reader) ([]Session, error) {
	body, err := io.ReadAll(io.LimitReader(in, h.Bytes+1))
	if err != nil {
		return nil, err
	}
	if sum := sha256.Sum256(body); int64(len(body)) != h.Bytes || hex.EncodeToString(sum[:]) != h.SHA256 {
		return nil, errors.New("its checksum is wrong")
	}
	var all []Session
	for line := range bytes.Lines(body) {
		var s Session
		if err := json.Unmarshal(line, &s); err != nil {
			return nil, fmt.Errorf("session %d: %w", len(all)+1, err)
		}
		all = append(all, s)
	}
	if len(all) != h.Sessions {
		return nil, fmt.Errorf("it has %d sessions, not %d", len(all), h.Sessions)
	}
	return all, nil
}

// remove removes the file, if there is one, so that not even a power cut brings it back.
func (f File) remove() error {
	err := os.Remove(f.Path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return f.syncDir()
}

func (f File) syncDir() error {
	dir, err := os.Open(filepath.Dir(f.Path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

func removeIfThere(path string) error {
	if err := os.Remove(path); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}
