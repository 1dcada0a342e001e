package sasl

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	mellium "mellium.im/sasl"

	"signalbox/internal/link"
)

// handshake makes a TLS connection of this version and returns what its two ends know of it.
func handshake(t *testing.T, version uint16) (client tls.ConnectionState, server link.TLS) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	leaf := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: testDomain}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, leaf, leaf, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	a, b := net.Pipe()
	t.Cleanup(func() { a.Close(); b.Close() })
	ours := tls.Server(b, &tls.Config{
		Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}, MinVersion: version, MaxVersion: version, SessionTicketsDisabled: true,
	})
	theirs := tls.Client(a, &tls.Config{InsecureSkipVerify: true, MinVersion: version, MaxVersion: version})
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := ours.HandshakeContext(t.Context()); err != nil {
			t.Error(err)
		}
	})
	err = theirs.HandshakeContext(t.Context())
	wg.Wait()
	if err != nil {
		t.Fatal(err)
	}
	cs, sum := ours.ConnectionState(), sha256.Sum256(der)
	server = link.TLS{Version: cs.Version, EndPoint: sum[:]}
	if version >= tls.VersionTLS13 {
		if server.Exporter, err = cs.ExportKeyingMaterial("EXPORTER-Channel-Binding", nil, 32); err != nil {
			t.Fatal(err)
		}
	}
	return theirs.ConnectionState(), server
}

// TestIndependentClient logs in with the client of another implementation, over real TLS where keys are bound to it.
func TestIndependentClient(t *testing.T) {
	tests := []struct {
		name      string
		version   uint16
		mechanism mellium.Mechanism
		user      string
		authzid   string
		secret    string
		want      Condition
	}{
		{"SCRAM-SHA-256", tls.VersionTLS13, mellium.ScramSha256, "pc-1", "", testSecret, ""},
		{"SCRAM-SHA-256, own authzid", tls.VersionTLS13, mellium.ScramSha256, "pc-1", "pc-1@" + testDomain, testSecret, ""},
		{"SCRAM-SHA-256, another's authzid", tls.VersionTLS13, mellium.ScramSha256, "pc-1", "fast-1@" + testDomain, testSecret, InvalidAuthzid},
		{"SCRAM-SHA-256, wrong secret", tls.VersionTLS13, mellium.ScramSha256, "pc-1", "", "wrong-secret", NotAuthorized},
		{"SCRAM-SHA-256, unknown user", tls.VersionTLS13, mellium.ScramSha256, "no,body=", "", testSecret, NotAuthorized},
		{"SCRAM-SHA-256, TLS 1.2", tls.VersionTLS12, mellium.ScramSha256, "fast-1", "", testSecret, ""},
		{"-PLUS by tls-exporter", tls.VersionTLS13, mellium.ScramSha256Plus, "pc-1", "", testSecret, ""},
		{"-PLUS, wrong secret", tls.VersionTLS13, mellium.ScramSha256Plus, "pc-1", "", "wrong-secret", NotAuthorized},
		{"-PLUS by tls-unique, which is not announced", tls.VersionTLS12, mellium.ScramSha256Plus, "pc-1", "", testSecret, NotAuthorized},
		{"SCRAM-SHA-1", tls.VersionTLS12, mellium.ScramSha1, "pc-1", "", testSecret, ""},
		{"SCRAM-SHA-1, wrong secret", tls.VersionTLS13, mellium.ScramSha1, "pc-1", "", "wrong-secret", NotAuthorized},
		{"SCRAM-SHA-1, a secret stored without its keys", tls.VersionTLS13, mellium.ScramSha1, "old-1", "", testSecret, NotAuthorized},
		{"SCRAM-SHA-256, a secret stored without keys for SHA-1", tls.VersionTLS13, mellium.ScramSha256, "old-1", "", testSecret, ""},
		{"SCRAM-SHA-1-PLUS by tls-exporter", tls.VersionTLS13, mellium.ScramSha1Plus, "pc-1", "", testSecret, ""},
		{"PLAIN", tls.VersionTLS13, mellium.Plain, "pc-1", "", testSecret, ""},
		{"PLAIN, another's authzid", tls.VersionTLS13, mellium.Plain, "pc-1", "fast-1@" + testDomain, testSecret, InvalidAuthzid},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, _ := newTestServer(t)
			state, conn := handshake(t, tt.version)
			client := newMellium(tt.mechanism, state, tt.authzid, tt.user, tt.secret, offer(conn))
			x := start(t, s, tt.mechanism.Name, conn)
			if got := condition(t, converse(t, client, x)); got != tt.want {
				t.Fatalf("login = %q, want %q", got, tt.want)
			}
			if tt.want == "" && x.Identity().ID != tt.user {
				t.Errorf("Identity() = %v, want %s", x.Identity(), tt.user)
			}
		})
	}
}

// Somebody between the two, who ends TLS on both sides, cannot pass a login on.
func TestAttack14LoginThroughAnotherTLSConnection(t *testing.T) {
	s, _ := newTestServer(t)
	state, _ := handshake(t, tls.VersionTLS13)
	_, conn := handshake(t, tls.VersionTLS13)
	client := newMellium(mellium.ScramSha256Plus, state, "", "pc-1", testSecret, offer(conn))
	if got := condition(t, converse(t, client, start(t, s, ScramSHA256Plus, conn))); got != NotAuthorized {
		t.Errorf("login = %q, want %q", got, NotAuthorized)
	}
}

func newMellium(m mellium.Mechanism, state tls.ConnectionState, authzid, user, secret string, offer []string) *mellium.Negotiator {
	return mellium.NewClient(m, mellium.TLSState(state), mellium.RemoteMechanisms(offer...), mellium.Credentials(func() ([]byte, []byte, []byte) {
		return []byte(user), []byte(secret), []byte(authzid)
	}))
}

// converse runs a login to its end; the client checks the signature of the server.
func converse(t *testing.T, client *mellium.Negotiator, x *Exchange) error {
	t.Helper()
	_, message, err := client.Step(nil)
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		challenge, done, err := x.Step(t.Context(), message)
		if err != nil {
			return err
		}
		if !done || len(challenge) > 0 {
			if _, message, err = client.Step(challenge); err != nil {
				t.Fatalf("the client refuses %q: %v", challenge, err)
			}
		}
		if done {
			return nil
		}
	}
	t.Fatal("login does not end")
	return nil
}

func TestIndependentClientEscapesAsWeDo(t *testing.T) {
	client := newMellium(mellium.ScramSha256, tls.ConnectionState{}, "", "a,b=c", testSecret, nil)
	_, message, err := client.Step(nil)
	if err != nil {
		t.Fatal(err)
	}
	m, err := parseClientFirst(string(message))
	if err != nil || m.user != "a,b=c" || !strings.Contains(string(message), "n=a=2Cb=3Dc,") {
		t.Errorf("%q was read as %+v, %v", message, m, err)
	}
}
