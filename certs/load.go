package certs

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"
)

// Load reads one bundle from disk and judges it as [Parse] does. It adds the mistakes of the file itself.
func Load(path string, now time.Time, opts Options) (*Bundle, error) {
	data, warnings, problem := readFile(path)
	if problem != nil {
		return nil, Errors{problem}
	}
	b, err := Parse(path, data, now, opts)
	if err != nil {
		return nil, err
	}
	b.Warnings = append(b.Warnings, warnings...)
	b.source = sha256.Sum256(data)
	return b, nil
}

// othersMayRead is the permission bit that a private key should not have.
const othersMayRead fs.FileMode = 0o004

// readFile reads a bounded regular file. It asks for the kind before it opens: opening a pipe would wait for ever.
func readFile(path string) ([]byte, Errors, *Error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrPermission): // the file itself is not asked for that
		return nil, nil, newError(path, PermissionDenied, "the directory of the file cannot be entered: permission denied")
	case err != nil:
		return nil, nil, fileProblem(path, err)
	}
	if !info.Mode().IsRegular() {
		return nil, nil, newError(path, Unreadable, "it is not a regular file")
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, fileProblem(path, err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, MaxFile+1))
	if err != nil {
		return nil, nil, fileProblem(path, err)
	}
	var warnings Errors
	if mode := info.Mode().Perm(); mode&othersMayRead != 0 {
		warnings = append(warnings, newError(path, KeyReadable, fmt.Sprintf("every user of this machine can read the private key (mode %#o)", mode)))
	}
	return data, warnings, nil
}

func fileProblem(path string, err error) *Error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return newError(path, FileMissing, "the file does not exist")
	case errors.Is(err, fs.ErrPermission):
		return newError(path, PermissionDenied, "the file cannot be read: permission denied")
	}
	return newError(path, Unreadable, fmt.Sprintf("the file cannot be read: %v", cause(err)))
}

// cause leaves away the path, which is told already.
func cause(err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return pe.Err
	}
	return err
}
