package turninterop

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	"signalbox/internal/config"
	"signalbox/tests/harness"
)

// credential is one side of a session, as the API hands it out.
type credential struct{ Username, Credential string }

// stage is a server with one session.
type stage struct {
	at      netip.Addr // of the server, and of peers that every client may reach
	addrs   map[transport]string
	a, b    credential
	caFile  string
	roots   *x509.CertPool
	keyHash string // SHA-256 of the public key in the server's certificate, in base64
}

func (s *stage) addr(over transport) string { return s.addrs[over] }

// newStage runs a server on an address of the machine on which clients of all kinds reach it: browsers leave loopback out.
func newStage(t *testing.T, at netip.Addr) *stage {
	t.Helper()
	free := netip.AddrPortFrom(at, 0).String()
	server := harness.NewTURN(t, func(c *config.Config) {
		c.Listen.TURN, c.Listen.TLS = []string{free}, []string{free}
		c.TURN.Own.AllowPeers = []string{at.String()}
		c.TURN.Own.SessionAllocations = 10_000 // some clients leave allocations behind, see uclient
	})
	server.Run()
	t.Cleanup(server.Stop)
	s := &stage{
		at: at, addrs: map[transport]string{udp: server.Addr("turn_udp"), tcp: server.Addr("turn_tcp"), tls: server.Addr("tls")},
		caFile: server.CAFile, roots: server.TLS().RootCAs, keyHash: keyHash(t, filepath.Join(server.Config.Certs.Dir, harness.Domain+".pem")),
	}
	_, text := server.Call(t, "POST", "/v1/turn/sessions", `{"ttl":300}`, 201)
	var session struct{ Sides map[string]credential }
	if err := json.Unmarshal([]byte(text), &session); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	s.a, s.b = session.Sides["a"], session.Sides["b"]
	return s
}

// keyHash names the key of the first certificate in a bundle as browsers do.
func keyHash(t *testing.T, bundle string) string {
	t.Helper()
	text, err := os.ReadFile(bundle)
	if err != nil {
		t.Fatal(err)
	}
	for {
		var block *pem.Block
		block, text = pem.Decode(text)
		if block == nil {
			t.Fatalf("%s has no certificate", bundle)
		}
		if block.Type != "CERTIFICATE" {
			continue
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256(c.RawSubjectPublicKeyInfo)
		return base64.StdEncoding.EncodeToString(sum[:])
	}
}
