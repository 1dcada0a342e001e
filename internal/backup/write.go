package backup

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"signalbox/internal/store"
)

// Source is what is backed up.
type Source struct {
	Program  string   // version of this program
	Domain   string   // of the server
	DataDir  string   // absolute
	Database string   // file of the database, absolute
	Files    []string // from elsewhere, absolute: the configuration and what it names
	Work     string   // folder in which the copy of the database lies meanwhile
}

// Report is what a backup is.
type Report struct {
	Header
	Members int      `json:"members"`
	Missing []string `json:"missing,omitempty"` // of Source.Files, that are not there
}

// Write writes the archive to w, beside a server or without one. The database in it is that of one moment after the call.
func Write(ctx context.Context, w io.Writer, s Source) (r Report, err error) {
	work, err := os.MkdirTemp(s.Work, ".signalbox-backup-*")
	if err != nil {
		return r, fmt.Errorf("make a folder for the copy of the database: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()
	r.Header = Header{Kind: kind, Format: format, Program: s.Program, Created: time.Now().UTC(), Domain: s.Domain, DataDir: s.DataDir}
	database, err := copyDatabase(ctx, s.Database, filepath.Join(work, databaseName), &r.Header)
	if err != nil {
		return r, err
	}
	items, err := s.items(&r)
	if err != nil {
		return r, fmt.Errorf("look for what belongs into the backup: %w", err)
	}
	items = append([]item{database}, items...)
	for _, i := range items {
		r.Bytes += i.size
	}
	a := newWriter(w)
	if err := a.json(headerName, r.Header); err != nil {
		return r, err
	}
	for _, i := range items {
		if err := a.file(ctx, i); err != nil {
			return r, err
		}
	}
	r.Members = len(a.manifest.Members)
	return r, a.close()
}

// copyDatabase makes the copy, has it checked, and notes its schema.
func copyDatabase(ctx context.Context, from, to string, h *Header) (i item, err error) {
	if err := store.Copy(ctx, from, to); err != nil {
		return i, err
	}
	if err := store.Check(ctx, to); err != nil {
		return i, err
	}
	schema, err := store.Inspect(ctx, to)
	if err != nil {
		return i, err
	}
	h.Schema = schema.Version
	info, err := os.Stat(to)
	if err != nil {
		return i, err
	}
	return item{databaseName, to, info.Size()}, nil
}

// items returns all but the database.
func (s Source) items(r *Report) ([]item, error) {
	data, err := dataItems(s.DataDir, s.Database)
	if err != nil {
		return nil, err
	}
	files, missing, err := fileItems(s.Files)
	r.Missing = missing
	return append(data, files...), err
}

// writer writes members and keeps the manifest.
type writer struct {
	gzip     *gzip.Writer
	tar      *tar.Writer
	manifest Manifest
	written  time.Time
}

func newWriter(w io.Writer) *writer {
	packed, _ := gzip.NewWriterLevel(w, gzip.BestSpeed) // fails for what is no level alone
	return &writer{gzip: packed, tar: tar.NewWriter(packed), written: time.Now()}
}

// json writes a value as a member.
func (a *writer) json(name string, value any) error {
	text, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return a.member(context.Background(), name, int64(len(text)), bytes.NewReader(text))
}

// file writes a file. One that has ended since it was counted is left out; of one that grew it is what was counted.
func (a *writer) file(ctx context.Context, i item) error {
	f, err := os.Open(i.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("back up %s: %w; run the command as the user that runs the server", i.path, err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("back up %s: %w", i.path, err)
	}
	return a.member(ctx, i.name, info.Size(), f)
}

func (a *writer) member(ctx context.Context, name string, size int64, r io.Reader) error {
	h := &tar.Header{Typeflag: tar.TypeReg, Name: name, Size: size, Mode: 0o600, ModTime: a.written}
	if err := a.tar.WriteHeader(h); err != nil {
		return fmt.Errorf("write %s to the archive: %w", name, err)
	}
	sum := sha256.New()
	if _, err := io.CopyN(io.MultiWriter(a.tar, sum), interruptible{ctx, r}, size); err != nil {
		return fmt.Errorf("write %s to the archive: %w", name, err)
	}
	a.manifest.Members = append(a.manifest.Members, Member{name, size, hex.EncodeToString(sum.Sum(nil))})
	return nil
}

// close writes the manifest and ends the archive.
func (a *writer) close() error {
	if err := a.json(manifestName, a.manifest); err != nil {
		return err
	}
	if err := errors.Join(a.tar.Close(), a.gzip.Close()); err != nil {
		return fmt.Errorf("end the archive: %w", err)
	}
	return nil
}

// interruptible ends a copy once nobody wants it any more.
type interruptible struct {
	ctx context.Context
	r   io.Reader
}

func (i interruptible) Read(p []byte) (int, error) {
	if err := i.ctx.Err(); err != nil {
		return 0, err
	}
	return i.r.Read(p)
}
