package component

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"signalbox/internal/access"
)

// LoadSecrets reads the secrets of the components, each from a file of access.ReadSharedSecret; names without a dot stand for a domain below ours. The error names
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
			secret, err = access.ReadSharedSecret(files[name])
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", name, err))
			continue
		}
		secrets[full] = secret
	}
	return secrets, errors.Join(errs...)
}
