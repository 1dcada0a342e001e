package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"signalbox/certs"
)

const (
	configFile = "signalbox.yaml"
	// lockFile is held while a quickstart uses its folder, and tells such a folder from others.
	lockFile = "quickstart.lock"
)

// folder is where a quickstart keeps everything.
type folder struct {
	dir  string
	lock *os.File
}

// openFolder takes a folder for one quickstart: an empty one, one of an earlier quickstart, or a new one. Without a name it is temporary.
func openFolder(dir string) (folder, error) {
	var err error
	if dir == "" {
		dir, err = os.MkdirTemp("", "signalbox-quickstart-")
	} else if dir, err = filepath.Abs(dir); err == nil {
		err = os.MkdirAll(dir, 0o700)
	}
	if err != nil {
		return folder{}, fmt.Errorf("make the folder: %w", err)
	}
	if err := checkOwn(dir); err != nil {
		return folder{}, err
	}
	lock, err := os.OpenFile(filepath.Join(dir, lockFile), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return folder{}, fmt.Errorf("use the folder: %w", err)
	}
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return folder{}, errors.Join(fmt.Errorf("another quickstart runs in %s: end it, or use another --dir", dir), lock.Close())
	}
	return folder{dir, lock}, nil
}

// checkOwn refuses a folder that holds anything but the work of a quickstart: files in it would be overwritten.
func checkOwn(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("use the folder: %w", err)
	}
	for _, e := range entries {
		if e.Name() == lockFile {
			return nil
		}
	}
	if len(entries) > 0 {
		return fmt.Errorf("%s is not empty and no quickstart made it: use another --dir", dir)
	}
	return nil
}

// close gives the folder back, and removes it if it is not to be kept.
func (f folder) close(remove bool) error {
	var err error
	if remove {
		err = os.RemoveAll(f.dir)
	}
	return errors.Join(err, f.lock.Close())
}

func (f folder) path(names ...string) string {
	return filepath.Join(append([]string{f.dir}, names...)...)
}

// write writes a file that nobody else can read.
func (f folder) write(name, text string) error {
	return os.WriteFile(f.path(name), []byte(text), 0o600)
}

// makeCertificate makes a CA and a certificate by it, unless good ones are there.
func (f folder) makeCertificate(domain string) error {
	bundle := f.path("certs", domain+".pem")
	if certs.InspectFile(bundle, time.Now(), certs.Options{Domain: domain}).Accepted {
		if _, err := os.Stat(f.path("ca.crt")); err == nil {
			return nil
		}
	}
	ca, pem, err := certs.MakeCA(certs.CAOptions{Name: "Signalbox Quickstart CA", Names: []string{domain, "localhost", "127.0.0.1"}})
	if err != nil {
		return err
	}
	if err := os.MkdirAll(f.path("certs"), 0o700); err != nil {
		return err
	}
	return errors.Join(f.write("ca.crt", string(ca)), f.write(filepath.Join("certs", domain+".pem"), string(pem)))
}

// writeConfig writes the server's configuration and returns its path.
func (f folder) writeConfig(domain string) (string, error) {
	const text = `# Written by signalbox quickstart at each start.
domain: %s
data_dir: data
certs: {dir: certs}
listen:
  tls: ["127.0.0.1:0"]
  xmpp: ["127.0.0.1:0"]
  api: ["127.0.0.1:0"]
  turn: ["127.0.0.1:0"]
xmpp: {shutdown_timeout: 2s}
drain: {period: 1s}
session: {consent: none} # nobody need be logged in where this is tried out
log: {format: console}
`
	return f.path(configFile), f.write(configFile, fmt.Sprintf(text, domain))
}
