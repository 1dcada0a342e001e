package certs

import (
	"errors"
	"fmt"
	"path/filepath"
)

// Config says where the bundles are. The zero value has no directory and fails Validate.
type Config struct {
	Dir             string   `key:"dir" doc:"Directory whose *.pem files are all loaded; watched for changes."`
	Files           []string `key:"files" doc:"Further bundle files outside dir, loaded and watched in the same way."`
	AllowSelfSigned bool     `key:"allow_self_signed" doc:"Makes a self-signed leaf a warning instead of a mistake, for labs; endpoints refuse such a certificate."`
}

// Default returns the configuration that stands when nothing is set.
func Default() Config {
	return Config{Dir: "/etc/signalbox/certs"}
}

// Validate names every mistake that can be seen without touching the disk.
func (c Config) Validate() error {
	var errs []error
	if c.Dir == "" && len(c.Files) == 0 {
		errs = append(errs, errors.New("dir: must not be empty unless files are given"))
	}
	for i, f := range c.Files {
		if f == "" {
			errs = append(errs, fmt.Errorf("files[%d]: must not be empty", i))
		}
	}
	return errors.Join(errs...)
}

// Required says which bundle must be there and what it must cover.
type Required struct {
	// Names are the base names of the bundle's file, the first that exists counts. At least one.
	Names []string
	// Domain is the JID domain in its ASCII form, which the bundle must cover.
	Domain string
}

// RequiredFor returns what an installation needs: <base>.pem, else <domain>.pem, covering domain.
// Base is the base domain (TIGASE_DOMAIN); empty means that only <domain>.pem is looked for.
func RequiredFor(base, domain string) Required {
	domain = foldName(domain)
	r := Required{Domain: domain}
	if base = foldName(base); base != "" {
		r.Names = append(r.Names, base+".pem")
	}
	if domain != base {
		r.Names = append(r.Names, domain+".pem")
	}
	return r
}

func (r Required) validate() error {
	if r.Domain == "" {
		return errors.New("required bundle: no domain")
	}
	if len(r.Names) == 0 {
		return errors.New("required bundle: no file names")
	}
	for _, n := range r.Names {
		if n == "" || n != filepath.Base(n) {
			return fmt.Errorf("required bundle: %q is not the name of a file", n)
		}
	}
	return nil
}
