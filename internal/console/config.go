package console

import (
	"errors"
	"fmt"
	"net/url"

	"signalbox/internal/access/technician"
)

// Config is the section console.
type Config struct {
	Enabled bool   `key:"enabled" doc:"Whether technicians find the console at /console/ of listen.tls. Nobody can sign in before an account is made (signalbox technician create)."`
	URL     string `key:"url" doc:"Where technicians reach the console if the public name or port differs from ours, https://host or https://host:port, with all that is below /console/ and /relay/; empty: domain, and the port of listen.tls."`
	technician.Config
}

// Default returns the configuration that stands when nothing is set.
func Default() Config { return Config{Enabled: true, Config: technician.Default()} }

// Validate names every mistake, each beginning with its key.
func (c Config) Validate() error {
	errs := []error{c.Config.Validate()}
	if u, err := url.Parse(c.URL); c.URL != "" && (err != nil || u.Scheme != "https" || u.Host == "" || c.URL != "https://"+u.Host) {
		errs = append(errs, fmt.Errorf("url: %q is not an address such as https://console.example.com or https://console.example.com:8443", c.URL))
	}
	return errors.Join(errs...)
}
