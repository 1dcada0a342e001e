package access

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"signalbox/internal/private"
)

// Bounds of a secret that is shared with another program. What is made with it can be tried against guesses, so one that people think up is too weak.
const (
	MinSharedBytes = 16
	MaxSharedBytes = 1024
)

// ReadSharedSecret reads a secret that is shared with another program: the one line of a file that is the server's alone. The error says what to do.
func ReadSharedSecret(path string) ([]byte, error) {
	lines, err := ReadSharedSecrets(path, 1)
	if err != nil {
		return nil, err
	}
	return lines[0], nil
}

// ReadSharedSecrets reads 1 to most secrets, each a line of a file that is the server's alone. The error says what to do.
func ReadSharedSecrets(path string, most int) ([][]byte, error) {
	text, err := readSecretFile(path, int64(most)*(MaxSharedBytes+2))
	if err != nil {
		return nil, err
	}
	lines := bytes.Split(bytes.TrimRight(text, "\r\n"), []byte("\n"))
	if len(lines) > most {
		return nil, fmt.Errorf("%s has more than %s", path, lineCount(most))
	}
	for i := range lines {
		lines[i] = bytes.TrimSuffix(lines[i], []byte("\r"))
		switch n := len(lines[i]); {
		case n < MinSharedBytes:
			return nil, fmt.Errorf("%s has a secret of %d bytes, at least %d are needed: openssl rand -hex 16 makes one", path, n, MinSharedBytes)
		case n > MaxSharedBytes:
			return nil, fmt.Errorf("%s has a secret of %d bytes, at most %d are possible", path, n, MaxSharedBytes)
		case bytes.ContainsAny(lines[i], "\r\x00"):
			return nil, fmt.Errorf("%s has a secret that is no line of text", path)
		}
	}
	return lines, nil
}

func lineCount(n int) string {
	if n == 1 {
		return "one line"
	}
	return fmt.Sprintf("%d lines", n)
}

// readSecretFile reads a file that nobody else can read.
func readSecretFile(path string, most int64) ([]byte, error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("%w: openssl rand -hex 16 makes a secret", err)
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s is not a file", path)
	case info.Size() > most:
		return nil, fmt.Errorf("%s has %d bytes, a secret has at most %d", path, info.Size(), MaxSharedBytes)
	}
	if err := private.Check(info); err != nil {
		return nil, fmt.Errorf("%s %w", path, err)
	}
	return os.ReadFile(path)
}
