// Package upload keeps the files that accounts share by HTTP File Upload (XEP-0363): slots, quotas, the files on disk, and the HTTP handler that takes and gives them.
package upload

import (
	"errors"
	"fmt"
	"net/url"
	"time"
)

// Config is the section upload.
type Config struct {
	Enabled    bool          `key:"enabled" doc:"Whether accounts may upload files for others to fetch (XEP-0363) at /upload/ of listen.tls. Whoever knows a file's address can fetch it; the address cannot be guessed."`
	URL        string        `key:"url" doc:"Where clients reach /upload/ if the public name or port differs from ours, https://host or https://host:port; empty: as for WebSockets."`
	MaxBytes   int           `key:"max_bytes" doc:"Largest file, in bytes; 1 to 1073741824."`
	QuotaBytes int           `key:"quota_bytes" doc:"What the files of one account may take, in bytes, each counted as 4096 at least; max_bytes to 1099511627776."`
	Retention  time.Duration `key:"retention" doc:"Time after which a file is deleted; 1h to 8760h."`
}

// Default returns the configuration that stands when nothing is set: off.
func Default() Config {
	return Config{MaxBytes: 10 << 20, QuotaBytes: 100 << 20, Retention: 7 * 24 * time.Hour}
}

// Validate names every mistake.
func (c Config) Validate() error {
	var errs []error
	if c.MaxBytes < 1 || c.MaxBytes > 1<<30 {
		errs = append(errs, fmt.Errorf("max_bytes: is %d, must be 1 to 1073741824", c.MaxBytes))
	}
	if c.QuotaBytes < max(c.MaxBytes, fileCost) || c.QuotaBytes > 1<<40 {
		errs = append(errs, fmt.Errorf("quota_bytes: is %d, must be max_bytes, at least %d, to 1099511627776", c.QuotaBytes, fileCost))
	}
	if c.Retention < time.Hour || c.Retention > 8760*time.Hour {
		errs = append(errs, fmt.Errorf("retention: is %v, must be 1h to 8760h", c.Retention))
	}
	if u, err := url.Parse(c.URL); c.URL != "" && (err != nil || u.Scheme != "https" || u.Host == "" || c.URL != "https://"+u.Host) {
		errs = append(errs, fmt.Errorf("url: %q is not an address such as https://files.example.com or https://files.example.com:8443", c.URL))
	}
	return errors.Join(errs...)
}
