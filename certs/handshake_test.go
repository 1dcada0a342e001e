package certs

import (
	"context"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/zap"
)

var versions = map[string]uint16{"TLS 1.2": tls.VersionTLS12, "TLS 1.3": tls.VersionTLS13}

// meeting is one finished handshake. Both ends close with the test.
type meeting struct {
	client, server       *tls.Conn
	clientErr, serverErr error
	leaf                 *Leaf
}

// meet makes one handshake over a pipe.
func meet(t *testing.T, s *Store, policy *Policy, client *tls.Config) meeting {
	t.Helper()
	a, b := net.Pipe()
	t.Cleanup(func() { a.Close(); b.Close() })
	h := s.Handshake(func(*tls.ClientHelloInfo) *Policy { return policy })
	m := meeting{client: tls.Client(a, client)}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if m.server, m.serverErr = h.Server(t.Context(), b); m.serverErr == nil {
			// The first byte carries the tickets of TLS 1.3 along, which the client takes while it reads.
			_, m.serverErr = m.server.Write([]byte("x"))
			return
		}
		b.Close()
	}()
	if m.clientErr = m.client.HandshakeContext(t.Context()); m.clientErr == nil {
		_, m.clientErr = m.client.Read(make([]byte, 1))
	}
	<-done
	m.leaf = h.Leaf()
	return m
}

func (m meeting) ok(t *testing.T) meeting {
	t.Helper()
	if m.clientErr != nil || m.serverErr != nil {
		t.Fatalf("handshake: client %v, server %v", m.clientErr, m.serverErr)
	}
	return m
}

// shown is the hash of the certificate that the client knows this connection by.
func (m meeting) shown() [32]byte {
	return sha256.Sum256(m.client.ConnectionState().PeerCertificates[0].Raw)
}

// clientFor trusts whatever it is shown; what is asked here is which certificate that is.
func clientFor(name string, version uint16) *tls.Config {
	return &tls.Config{ServerName: name, InsecureSkipVerify: true, MaxVersion: version, ClientSessionCache: tls.NewLRUClientSessionCache(8)}
}

func TestResumedSessionsFollowTheSwap(t *testing.T) {
	for name, version := range versions {
		t.Run(name, func(t *testing.T) {
			d := dir(t, map[string][]byte{"company.local.pem": goodBundle(t, testDomain)})
			s, policy, client := newStore(t, d, zap.NewNop()), &Policy{}, clientFor(testDomain, version)

			first := meet(t, s, policy, client).ok(t)
			resumed := meet(t, s, policy, client).ok(t)
			if !resumed.client.ConnectionState().DidResume {
				t.Fatal("second connection did not resume")
			}
			if resumed.leaf.SHA256 != first.shown() {
				t.Error("leaf of the resumed connection is not the one shown before")
			}

			put(t, filepath.Join(d, "company.local.pem"), goodBundle(t, testDomain))
			if _, err := s.Reload(t.Context()); err != nil {
				t.Fatal(err)
			}
			after := meet(t, s, policy, client).ok(t)
			if after.client.ConnectionState().DidResume {
				t.Error("a ticket of the old leaf was accepted after the swap")
			}
			if after.shown() == first.shown() || after.shown() != after.leaf.SHA256 || after.leaf != s.Required().Leaf {
				t.Error("after the swap the client does not see the new leaf")
			}
			if !meet(t, s, policy, client).ok(t).client.ConnectionState().DidResume {
				t.Error("tickets of the new leaf are refused")
			}
			exchange(t, first.client, first.server)
		})
	}
}

// exchange proves that a connection is alive in both directions.
func exchange(t *testing.T, a, b net.Conn) {
	t.Helper()
	for _, pair := range [][2]net.Conn{{a, b}, {b, a}} {
		errs := make(chan error, 1)
		go func() {
			_, err := pair[0].Write([]byte("ping"))
			errs <- err
		}()
		buf := make([]byte, 4)
		if _, err := pair[1].Read(buf); err != nil || string(buf) != "ping" {
			t.Errorf("read %q, %v", buf, err)
		}
		if err := <-errs; err != nil {
			t.Errorf("write: %v", err)
		}
	}
}

func TestTicketOfAnotherNameIsRefused(t *testing.T) {
	for name, version := range versions {
		t.Run(name, func(t *testing.T) {
			d := dir(t, map[string][]byte{"company.local.pem": goodBundle(t, testDomain), "gw.pem": goodBundle(t, "gw.example")})
			s, policy := newStore(t, d, zap.NewNop()), &Policy{}
			client := clientFor(testDomain, version)
			shared := &oneSession{}
			client.ClientSessionCache = shared
			meet(t, s, policy, client).ok(t)
			client.ServerName = "gw.example"
			other := meet(t, s, policy, client).ok(t)
			if other.client.ConnectionState().DidResume || other.shown() != s.pick("gw.example").Leaf.SHA256 {
				t.Error("a ticket of another leaf was accepted")
			}
			if shared.asked < 2 {
				t.Fatal("the client did not offer its ticket, so nothing was tested")
			}
		})
	}
}

// oneSession offers the last session for every name.
type oneSession struct {
	last  *tls.ClientSessionState
	asked int
}

func (c *oneSession) Get(string) (*tls.ClientSessionState, bool) {
	c.asked++
	return c.last, c.last != nil
}

func (c *oneSession) Put(_ string, cs *tls.ClientSessionState) { c.last = cs }

func TestHandshakeChoosesByName(t *testing.T) {
	d := dir(t, map[string][]byte{"company.local.pem": goodBundle(t, "*.company.local"), "gw.pem": goodBundle(t, "gw.example")})
	s := newStore(t, d, zap.NewNop())
	for name, version := range versions {
		t.Run(name, func(t *testing.T) {
			for host, want := range map[string]*Bundle{testDomain: s.Required(), "GW.example": s.pick("gw.example"), "": s.Required()} {
				m := meet(t, s, &Policy{ALPN: []string{"xmpp-client"}}, clientFor(host, version)).ok(t)
				if m.leaf != want.Leaf || m.shown() != want.Leaf.SHA256 {
					t.Errorf("name %q: wrong certificate", host)
				}
				if got := len(m.client.ConnectionState().PeerCertificates); got != 2 {
					t.Errorf("name %q: %d certificates sent, want leaf and intermediate without root", host, got)
				}
			}
			m := meet(t, s, &Policy{}, clientFor("evil.example", version))
			if !errors.Is(m.serverErr, ErrUnknownName) || m.leaf != nil {
				t.Errorf("unknown name: server = %v, leaf %v; want ErrUnknownName and none", m.serverErr, m.leaf)
			}
			if m.clientErr == nil || !strings.Contains(m.clientErr.Error(), "unrecognized name") {
				t.Errorf("unknown name: client = %v, want unrecognized name", m.clientErr)
			}
		})
	}
}

func TestHandshakeRefusesOldVersions(t *testing.T) {
	s := newStore(t, dir(t, map[string][]byte{"company.local.pem": goodBundle(t, testDomain)}), zap.NewNop())
	client := clientFor(testDomain, tls.VersionTLS11)
	client.MinVersion = tls.VersionTLS10
	if m := meet(t, s, &Policy{}, client); m.serverErr == nil || m.clientErr == nil {
		t.Errorf("TLS 1.1: client %v, server %v; want errors", m.clientErr, m.serverErr)
	}
}

func TestPolicyIsAppliedAndShared(t *testing.T) {
	s := newStore(t, dir(t, map[string][]byte{"company.local.pem": goodBundle(t, testDomain)}), zap.NewNop())
	policy := &Policy{ALPN: []string{"xmpp-client"}, ClientAuth: tls.RequireAnyClientCert}
	client := clientFor(testDomain, tls.VersionTLS13)
	client.NextProtos = []string{"xmpp-client"}
	if m := meet(t, s, policy, client); m.serverErr == nil {
		t.Error("a client without certificate passed a policy that demands one")
	}
	me := newLeafCert(t, newCA(t, "Clients", nil), []string{"pc-1"})
	client.Certificates = []tls.Certificate{{Certificate: [][]byte{me.cert.Raw}, PrivateKey: me.key}}
	m := meet(t, s, policy, client).ok(t)
	if got := m.server.ConnectionState(); got.NegotiatedProtocol != "xmpp-client" || len(got.PeerCertificates) != 1 {
		t.Errorf("protocol %q, %d client certificates; want xmpp-client and 1", got.NegotiatedProtocol, len(got.PeerCertificates))
	}
	b := s.Required()
	if one, two := s.config(b, policy), s.config(b, policy); one != two {
		t.Error("connections of one policy do not share their configuration")
	}
	for range 2 * maxConfigs {
		s.config(b, &Policy{})
	}
	if len(b.configs) > maxConfigs {
		t.Errorf("%d configurations kept, want at most %d", len(b.configs), maxConfigs)
	}
}

func TestServerConfigFollowsSwaps(t *testing.T) {
	d := dir(t, map[string][]byte{"company.local.pem": goodBundle(t, testDomain)})
	s := newStore(t, d, zap.NewNop())
	config := s.ServerConfig([]string{"http/1.1"})
	shown := func() [32]byte {
		a, b := net.Pipe()
		defer a.Close()
		defer b.Close()
		client := clientFor(testDomain, tls.VersionTLS13)
		client.NextProtos = []string{"http/1.1"}
		done := make(chan error, 1)
		go func() { done <- tls.Server(b, config).HandshakeContext(t.Context()) }()
		c := tls.Client(a, client)
		if err := errors.Join(c.HandshakeContext(t.Context()), receiveAfter(c, done)); err != nil {
			t.Fatal(err)
		}
		if got := c.ConnectionState().NegotiatedProtocol; got != "http/1.1" {
			t.Errorf("protocol = %q, want http/1.1", got)
		}
		return meeting{client: c}.shown()
	}
	before := shown()
	put(t, filepath.Join(d, "company.local.pem"), goodBundle(t, testDomain))
	if _, err := s.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	if after := shown(); after == before || after != s.Required().Leaf.SHA256 {
		t.Error("after the swap the old certificate is shown")
	}
	cert, err := s.GetCertificate(&tls.ClientHelloInfo{ServerName: testDomain})
	if err != nil || cert.Leaf != s.Required().Certificate {
		t.Errorf("GetCertificate = %v, %v", cert, err)
	}
	if cert, err := s.GetCertificate(&tls.ClientHelloInfo{ServerName: "evil.example"}); cert != nil || err != nil {
		t.Errorf("GetCertificate of an unknown name = %v, %v; want nothing", cert, err)
	}
}

// receiveAfter lets the server send its tickets into the pipe, then returns how its handshake ended.
func receiveAfter(c *tls.Conn, done <-chan error) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		_, _ = c.Read(make([]byte, 1)) // ends with the pipe
		cancel()
	}()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return <-done
	}
}

func TestEndPointIsTheHashOfTheSignature(t *testing.T) {
	raw := []byte("certificate")
	h256, h384, h512 := sha256.Sum256(raw), sha512.Sum384(raw), sha512.Sum512(raw)
	tests := map[x509.SignatureAlgorithm][]byte{
		x509.MD5WithRSA: h256[:], x509.SHA1WithRSA: h256[:], x509.ECDSAWithSHA1: h256[:],
		x509.SHA256WithRSA: h256[:], x509.ECDSAWithSHA256: h256[:], x509.SHA256WithRSAPSS: h256[:],
		x509.SHA384WithRSA: h384[:], x509.ECDSAWithSHA384: h384[:], x509.SHA384WithRSAPSS: h384[:],
		x509.SHA512WithRSA: h512[:], x509.ECDSAWithSHA512: h512[:], x509.SHA512WithRSAPSS: h512[:],
		x509.PureEd25519: h256[:],
	}
	for alg, want := range tests {
		if got := endPoint(&x509.Certificate{Raw: raw, SignatureAlgorithm: alg}); string(got) != string(want) {
			t.Errorf("endPoint(%s) = %x, want %x", alg, got, want)
		}
	}
}
