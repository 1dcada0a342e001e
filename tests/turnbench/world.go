package turnbench

import (
	"context"
	"encoding/pem"
	"errors"
	"net/netip"
	"os"
	"path/filepath"

	"signalbox/certs"
	"signalbox/tests/beside"
	"signalbox/tests/turnbench/wire"
)

// world is what both servers share: addresses, ports, one certificate.
type world struct {
	signalbox, load string     // programs
	relay           netip.Addr // of relayed addresses and of peers; not loopback, to which no server relays

	caFile, bundleFile string // bundle: key, certificate, CA
	keyFile, certFile  string // the same, apart
}

// Relayed addresses have these ports; the sockets of clients are on loopback, so that they never take one of them.
const minPort, maxPort = 49152, 65535

func newWorld(dir, signalbox, load string) (*world, error) {
	relay, err := beside.Address()
	if err != nil {
		return nil, err
	}
	w := &world{
		signalbox: signalbox, load: load, relay: relay, caFile: filepath.Join(dir, "ca.pem"), bundleFile: filepath.Join(dir, domain+".pem"),
		keyFile: filepath.Join(dir, "key.pem"), certFile: filepath.Join(dir, "cert.pem"),
	}
	return w, w.makeCertificate()
}

// makeCertificate makes one CA and one ECDSA P-256 leaf for both servers.
func (w *world) makeCertificate() error {
	ca, bundle, err := certs.MakeCA(certs.CAOptions{Names: []string{domain}})
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

// running is a started server.
type running struct {
	*beside.Process
	addrs map[wire.Transport]string
	// credentials returns those of both sides of n sessions, one after the other.
	credentials func(ctx context.Context, sessions int) ([]wire.Credential, error)
}

// start makes a server run.
func (w *world) start(ctx context.Context, name, dir string) (*running, error) {
	if name == Ours {
		return w.startSignalbox(ctx, dir)
	}
	return w.startCoturn(ctx, dir)
}
