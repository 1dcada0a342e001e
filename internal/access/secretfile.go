package access

import (
	"bytes"
	"fmt"
	"os"
)

// Bounds of a secret that is shared with another program. What is made with it can be tried against guesses, so one that people think up is too weak.
const (
	MinSharedBytes = 16
	MaxSharedBytes = 1024
)

// ReadSharedSecret reads a secret that is shared with another program: the one line of a file that is the server's alone. The error says what to do.
func ReadSharedSecret(path string) ([]byte, error) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s is not a file", path)
	case info.Mode().Perm()&othersMode != 0:
		return nil, fmt.Errorf("%s is open to others (mode %04o): make it the server's alone with chmod 600", path, info.Mode().Perm())
	case info.Size() > MaxSharedBytes+2:
		return nil, fmt.Errorf("%s has %d bytes, a secret has at most %d", path, info.Size(), MaxSharedBytes)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	secret := bytes.TrimRight(text, "\r\n")
	switch {
	case len(secret) < MinSharedBytes:
		return nil, fmt.Errorf("%s has a secret of %d bytes, at least %d are needed: openssl rand -hex 16 makes one", path, len(secret), MinSharedBytes)
	case bytes.ContainsAny(secret, "\r\n\x00"):
		return nil, fmt.Errorf("%s has more than one line", path)
	}
	return secret, nil
}
