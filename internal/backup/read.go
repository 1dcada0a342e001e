package backup

import (
	"archive/tar"
	"compress/flate"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
)

// reader reads an archive and holds its members against the manifest.
type reader struct {
	gzip *gzip.Reader
	tar  *tar.Reader
	seen []Member
}

// open reads the header.
func open(r io.Reader) (*reader, Header, error) {
	packed, err := gzip.NewReader(r)
	if errors.Is(err, gzip.ErrHeader) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, Header{}, ErrNoArchive
	}
	if err != nil {
		return nil, Header{}, err
	}
	a := &reader{gzip: packed, tar: tar.NewReader(packed)}
	h, err := a.header()
	return a, h, err
}

// header reads the first member.
func (a *reader) header() (h Header, err error) {
	m, err := a.tar.Next()
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, tar.ErrHeader), err == nil && m.Name != headerName:
		return h, ErrNoArchive
	case err != nil:
		return h, wrong(err)
	}
	if err := a.json(headerName, m.Size, &h); err != nil {
		return h, err
	}
	switch {
	case h.Kind != kind:
		return h, ErrNoArchive
	case h.Format > format:
		return h, fmt.Errorf("%w (format %d of version %s)", ErrNewer, h.Format, h.Program)
	}
	return h, nil
}

// json reads the member that stands next.
func (a *reader) json(name string, size int64, to any) error {
	if size > maxIndexBytes {
		return fmt.Errorf("%w (%s has %d bytes)", ErrDamaged, name, size)
	}
	var text strings.Builder
	if err := a.copy(name, size, &text); err != nil {
		return err
	}
	if err := json.Unmarshal([]byte(text.String()), to); err != nil {
		return fmt.Errorf("%w (%s: %w)", ErrDamaged, name, err)
	}
	return nil
}

// copy copies the member that stands next and notes what it was.
func (a *reader) copy(name string, size int64, to io.Writer) error {
	sum := sha256.New()
	n, err := io.Copy(io.MultiWriter(to, sum), broken{a.tar})
	if err != nil {
		return err
	}
	if n != size {
		return ErrCutOff
	}
	a.seen = append(a.seen, Member{name, size, hex.EncodeToString(sum.Sum(nil))})
	return nil
}

// each calls take with every member between header and manifest, which says where to copy it. It returns nil once all that was read is as the manifest has it.
func (a *reader) each(ctx context.Context, take func(name string) (io.WriteCloser, error)) error {
	for {
		m, err := a.tar.Next()
		if errors.Is(err, io.EOF) {
			return ErrCutOff
		}
		if err != nil {
			return wrong(err)
		}
		if m.Name == manifestName {
			return a.verify(m.Size)
		}
		if !isMember(m) {
			return fmt.Errorf("%w (a member %q does not belong there)", ErrDamaged, m.Name)
		}
		to, err := take(m.Name)
		if err != nil {
			return err
		}
		err = a.copy(m.Name, m.Size, interruptibleWriter{ctx, to})
		if err = errors.Join(err, to.Close()); err != nil {
			return err
		}
	}
}

// isMember reports whether a member has a name that Write gives: no archive of others writes where it wants.
func isMember(h *tar.Header) bool {
	rest, ok := strings.CutPrefix(h.Name, dataPrefix)
	if !ok {
		rest, ok = strings.CutPrefix(h.Name, filesPrefix)
	}
	return h.Typeflag == tar.TypeReg && (h.Name == databaseName || ok && filepath.IsLocal(rest) && filepath.ToSlash(filepath.Clean(rest)) == rest)
}

// verify reads the manifest and what follows it, and compares.
func (a *reader) verify(size int64) error {
	seen := a.seen
	var m Manifest
	if err := a.json(manifestName, size, &m); err != nil {
		return err
	}
	if _, err := io.Copy(io.Discard, broken{a.gzip}); err != nil { // to its checksum
		return err
	}
	if len(m.Members) != len(seen) {
		return fmt.Errorf("%w (it has %d members where its manifest names %d)", ErrDamaged, len(seen), len(m.Members))
	}
	for i, want := range m.Members {
		if seen[i] != want {
			return fmt.Errorf("%w (the member %s is not what the manifest says)", ErrDamaged, want.Name)
		}
	}
	return nil
}

// broken gives the errors of reading an archive their meaning.
type broken struct{ r io.Reader }

func (b broken) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = wrong(err)
	}
	return n, err
}

// wrong says of an error of reading whether the archive ends too early or is damaged. Others, such as those of the disk, are as they are.
func wrong(err error) error {
	var corrupt flate.CorruptInputError
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF):
		return ErrCutOff
	case errors.Is(err, gzip.ErrChecksum), errors.Is(err, gzip.ErrHeader), errors.Is(err, tar.ErrHeader), errors.As(err, &corrupt):
		return fmt.Errorf("%w (%w)", ErrDamaged, err)
	}
	return err
}

// interruptibleWriter ends a copy once nobody wants it any more.
type interruptibleWriter struct {
	ctx context.Context
	w   io.Writer
}

func (i interruptibleWriter) Write(p []byte) (int, error) {
	if err := i.ctx.Err(); err != nil {
		return 0, err
	}
	return i.w.Write(p)
}
