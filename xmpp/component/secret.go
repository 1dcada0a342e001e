package component

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
)

// Bounds of a component's secret. A handshake can be tried against guesses by whoever sees it, so a secret that people think up is too weak.
const (
	MinSecretBytes = 16
	MaxSecretBytes = 1024
)

// LoadSecrets reads the secrets of the components, each from a file that is the server's alone; names without a dot stand for a domain below ours. The error names
// every mistake, one per line, behind the component's name.
func LoadSecrets(files map[string]string, domain string) (map[string][]byte, error) {
	secrets := make(map[string][]byte, len(files))
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(files)) {
		full, err := FullName(name, domain)
		if err == nil && secrets[full] != nil {
			err = fmt.Errorf("%s is there under two names", full)
		}
		var secret []byte
		if err == nil {
			secret, err = readSecret(files[name])
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", name, err))
			continue
		}
		secrets[full] = secret
	}
	return secrets, errors.Join(errs...)
}

// readSecret reads one line.
func readSecret(path string) ([]byte, error) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s is not a file", path)
	case info.Mode().Perm()&0o077 != 0:
		return nil, fmt.Errorf("%s is open to others (mode %04o): make it the server's alone with chmod 600", path, info.Mode().Perm())
	case info.Size() > MaxSecretBytes+2:
		return nil, fmt.Errorf("%s has %d bytes, a secret has at most %d", path, info.Size(), MaxSecretBytes)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	secret := bytes.TrimRight(text, "\r\n")
	switch {
	case len(secret) < MinSecretBytes:
		return nil, fmt.Errorf("%s has a secret of %d bytes, at least %d are needed: openssl rand -hex 16 makes one", path, len(secret), MinSecretBytes)
	case bytes.ContainsAny(secret, "\r\n\x00"):
		return nil, fmt.Errorf("%s has more than one line", path)
	}
	return secret, nil
}
