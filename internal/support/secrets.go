package support

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"signalbox/internal/datadir"
)

// redactorOf knows every secret of the installation that can be read here. What cannot be read is in no text that is gathered here either, but may be in a log.
func redactorOf(s Source) (*redactor, []error) {
	secrets := [][]byte{[]byte(s.Token)}
	for _, text := range s.In.Config.Texts() {
		secrets = append(secrets, passwordsOf(text)...)
	}
	secrets = append(secrets, environment(os.Environ())...)
	var problems []error
	for _, path := range secretFiles(s, &problems) {
		text, err := os.ReadFile(path)
		switch {
		case err == nil:
			secrets = append(secrets, linesOf(text)...)
		case !errors.Is(err, fs.ErrNotExist):
			problems = append(problems, err)
		}
	}
	return newRedactor(secrets), problems
}

// secretFiles returns the files that the configuration says to be secret, the bundles with their private keys, and the keys in the data directory, which are small and lie at its top.
func secretFiles(s Source, problems *[]error) (paths []string) {
	cfg := s.In.Config
	for _, f := range cfg.Files() {
		if f.Secret {
			paths = append(paths, f.Path)
		}
	}
	bundles, err := filepath.Glob(filepath.Join(cfg.Certs.Dir, "*.pem"))
	if err != nil {
		*problems = append(*problems, fmt.Errorf("look for bundles: %w", err))
	}
	paths = append(paths, bundles...)
	entries, err := os.ReadDir(cfg.DataDir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		*problems = append(*problems, err)
	}
	for _, e := range entries {
		info, err := e.Info()
		if err == nil && info.Mode().IsRegular() && info.Size() <= largestKey && datadir.Lasting(e.Name()) {
			paths = append(paths, filepath.Join(cfg.DataDir, e.Name()))
		}
	}
	return paths
}

// largestKey is more than any key file has, and less than any database.
const largestKey = 16 << 10

// environment returns what is secret in variables: passwords in URLs, such as those of proxies, and what a name says to be secret.
func environment(environ []string) (secrets [][]byte) {
	for _, e := range environ {
		name, value, _ := strings.Cut(e, "=")
		secrets = append(secrets, passwordsOf(value)...)
		upper := strings.ToUpper(name)
		for _, word := range []string{"TOKEN", "SECRET", "PASSWORD"} {
			if strings.Contains(upper, word) && !strings.HasSuffix(upper, "_FILE") {
				secrets = append(secrets, []byte(value))
			}
		}
	}
	return secrets
}
