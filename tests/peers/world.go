package peers

import (
	"context"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/sha256"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"

	"signalbox/certs"
	"signalbox/internal/endpoint"
	"signalbox/tests/beside"
)

// world is what all servers share: a folder, one certificate, one set of accounts.
type world struct {
	dir       string
	signalbox string // the program
	accounts  int
	keys      endpoint.ScramKeys // of the password; the same for all accounts, so that making them is quick

	caFile, bundleFile string // bundle: key, certificate, CA
	keyFile, certFile  string // the same, apart
}

const (
	scramRounds = 4096
	scramSalt   = "0123456789abcdef" // text, because one of the servers keeps salts as text
)

func newWorld(dir, signalbox string, accounts int) (*world, error) {
	w := &world{
		dir: dir, signalbox: signalbox, accounts: accounts, caFile: filepath.Join(dir, "ca.pem"), bundleFile: filepath.Join(dir, domain+".pem"),
		keyFile: filepath.Join(dir, "key.pem"), certFile: filepath.Join(dir, "cert.pem"),
	}
	var err error
	if w.keys, err = scramKeys(); err != nil {
		return nil, err
	}
	return w, w.makeCertificate()
}

// scramKeys derives what servers keep of the password for SCRAM-SHA-256 (RFC 5802 section 3).
func scramKeys() (endpoint.ScramKeys, error) {
	salted, err := pbkdf2.Key(sha256.New, password, []byte(scramSalt), scramRounds, sha256.Size)
	if err != nil {
		return endpoint.ScramKeys{}, err
	}
	mac := func(text string) []byte {
		m := hmac.New(sha256.New, salted)
		m.Write([]byte(text))
		return m.Sum(nil)
	}
	stored := sha256.Sum256(mac("Client Key"))
	return endpoint.ScramKeys{Salt: []byte(scramSalt), Iterations: scramRounds, StoredKey: stored[:], ServerKey: mac("Server Key")}, nil
}

// makeCertificate makes one CA and one ECDSA P-256 leaf for all servers.
func (w *world) makeCertificate() error {
	ca, bundle, err := certs.MakeCA(certs.CAOptions{Names: []string{domain, "localhost", "127.0.0.1"}})
	if err != nil {
		return err
	}
	key, rest := pem.Decode(bundle)
	leaf, _ := pem.Decode(rest)
	if key == nil || leaf == nil {
		return errors.New("the bundle has no key and no certificate")
	}
	return errors.Join(
		os.WriteFile(w.caFile, ca, 0o644),
		os.WriteFile(w.bundleFile, bundle, 0o600),
		os.WriteFile(w.keyFile, pem.EncodeToMemory(key), 0o600),
		os.WriteFile(w.certFile, pem.EncodeToMemory(leaf), 0o644),
	)
}

// Server is one kind of server.
type Server struct {
	Name    string
	Package string // Debian package; empty: it is built from this repository
	start   func(ctx context.Context, w *world, dir string) (*running, error)
}

// running is a started server with all accounts.
type running struct {
	*beside.Process
	addr       string // direct TLS
	api, token string // of the HTTP API; empty: it has none
}

// Servers returns all servers, ours first.
func Servers() []Server {
	return []Server{
		{Name: "Signalbox", start: startSignalbox},
		{Name: "ejabberd", Package: "ejabberd", start: startEjabberd},
		{Name: "Prosody", Package: "prosody", start: startProsody},
	}
}
