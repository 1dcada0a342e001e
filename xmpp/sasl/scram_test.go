package sasl

import (
	"crypto/sha256"
	"encoding/base64"
	"strings"
	"testing"

	"signalbox/internal/endpoint"
	"signalbox/internal/link"
)

// The example of RFC 7677 section 3.
const (
	rfcClientFirst = "n,,n=user,r=rOprNGfwEbeRWgbNEkqO"
	rfcServerNonce = "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
	rfcServerFirst = "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
	rfcClientFinal = "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
	rfcServerFinal = "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="
)

// keysOfPassword are the keys of a password by this package's own derivation.
func keysOfPassword(t *testing.T, password string, salt []byte, iterations int) scramKeys {
	t.Helper()
	c := scramClient{secret: password, hash: sha256.New}
	k := scramKeys{Salt: salt, Iterations: iterations}
	stored, err := scramSHA256().storedKey(password, k)
	if err != nil {
		t.Fatal(err)
	}
	c.final(t, "r=x,s="+base64.StdEncoding.EncodeToString(salt)+",i=4096")
	k.StoredKey, k.ServerKey = stored, c.signKey
	return k
}

func TestScramExampleOfRFC7677(t *testing.T) {
	salt, _ := base64.StdEncoding.DecodeString("W22ZaJ0SNY7soEsUEjb6gQ==")
	s, accounts := newTestServer(t)
	accounts.byID["user"] = stored{enabled: true, secret: endpoint.Secret{Scram: map[string]endpoint.ScramKeys{
		endpoint.ScramSHA256: keysOfPassword(t, "pencil", salt, 4096),
	}}}
	x := start(t, s, ScramSHA256, tls13())
	x.conversation.(*scram).serverNonce = rfcServerNonce

	challenge, done, err := x.Step(t.Context(), []byte(rfcClientFirst))
	if plain, _, ok := strings.Cut(string(challenge), ",h="); !ok || plain != rfcServerFirst || done || err != nil {
		t.Fatalf("first Step = %q, %v, %v, want %q and the attribute h", challenge, done, err, rfcServerFirst)
	}
	c := x.conversation.(*scram)
	c.auth = c.auth[:len("n=user,r=rOprNGfwEbeRWgbNEkqO,"+rfcServerFirst)] // the example is older than XEP-0474
	c.auth = append(c.auth, ',')
	success, done, err := x.Step(t.Context(), []byte(rfcClientFinal))
	if string(success) != rfcServerFinal || !done || err != nil {
		t.Fatalf("second Step = %q, %v, %v, want %q", success, done, err, rfcServerFinal)
	}
	if want := (endpoint.Key{Domain: testDomain, ID: "user"}); x.Identity() != want {
		t.Errorf("Identity() = %v, want %v", x.Identity(), want)
	}
}

func TestScramLogin(t *testing.T) {
	tests := []struct {
		name      string
		mechanism string
		conn      link.TLS
		client    func() *scramClient
		want      string // id
	}{
		{"plain flag", ScramSHA256, tls13(), func() *scramClient { return newClient("pc-1") }, "pc-1"},
		{"case of the user name is folded", ScramSHA256, tls13(), func() *scramClient { return newClient("PC-1") }, "pc-1"},
		{"machine-made secret", ScramSHA256, tls12(), func() *scramClient { return newClient("fast-1") }, "fast-1"},
		{"flag y where no -PLUS was offered", ScramSHA256, link.TLS{Version: tls12().Version}, func() *scramClient {
			c := newClient("pc-1")
			c.header = "y,,"
			return c
		}, "pc-1"},
		{"unknown extensions are ignored", ScramSHA256, tls13(), func() *scramClient {
			c := newClient("pc-1")
			c.bare += ",x=1,Y=a=b"
			return c
		}, "pc-1"},
		{"tls-server-end-point on TLS 1.2", ScramSHA256Plus, tls12(), func() *scramClient {
			c := newClient("pc-1")
			c.header, c.bound = "p=tls-server-end-point,,", tls12().EndPoint
			return c
		}, "pc-1"},
		{"tls-server-end-point on TLS 1.3", ScramSHA256Plus, tls13(), func() *scramClient {
			c := newClient("pc-1")
			c.header, c.bound = "p=tls-server-end-point,,", tls13().EndPoint
			return c
		}, "pc-1"},
		{"tls-exporter", ScramSHA256Plus, tls13(), func() *scramClient {
			c := newClient("pc-1")
			c.header, c.bound = "p=tls-exporter,a=pc-1@"+testDomain+",", tls13().Exporter
			return c
		}, "pc-1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, _ := newTestServer(t)
			x, c := start(t, s, tt.mechanism, tt.conn), tt.client()
			success, err := c.run(t, x)
			if err != nil {
				t.Fatal(err)
			}
			if x.Identity().ID != tt.want || x.Identity().Domain != testDomain {
				t.Errorf("Identity() = %v, want %s", x.Identity(), tt.want)
			}
			if want := "v=" + base64.StdEncoding.EncodeToString(c.hmac(c.signKey, c.auth)); string(success) != want {
				t.Errorf("data of success = %q, want %q", success, want)
			}
		})
	}
}

func TestScramExtensionsInFinalMessageAreSigned(t *testing.T) {
	s, _ := newTestServer(t)
	c := newClient("pc-1")
	c.mangle = func(final string) string { return strings.Replace(final, ",p=", ",x=1,p=", 1) }
	_, err := c.run(t, start(t, s, ScramSHA256, tls13()))
	if got := condition(t, err); got != NotAuthorized {
		t.Errorf("extension that the proof does not cover: %q, want %q", got, NotAuthorized)
	}
}

func TestScramServerNonceIsFreshAndLong(t *testing.T) {
	seen := map[string]bool{}
	for range 100 {
		n := newScram(scramSHA256(), false).serverNonce
		if len(n) < 24 || seen[n] || checkNonce(n) != nil {
			t.Fatalf("server nonce %q is short, repeated or not printable", n)
		}
		seen[n] = true
	}
}

func TestStoredKeyIsWhatEndpointKeeps(t *testing.T) {
	secret, err := endpoint.NewSecret(testSecret)
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range []scramHash{scramSHA256(), scramSHA1()} {
		k := secret.Scram[h.name]
		if len(k.Salt) != fakeSaltBytes || k.Iterations != fakeIterations {
			t.Errorf("%s: endpoints have %d bytes of salt and %d iterations, stand-ins %d and %d: they can be told apart",
				h.name, len(k.Salt), k.Iterations, fakeSaltBytes, fakeIterations)
		}
		stored, err := h.storedKey(testSecret, k)
		if err != nil || string(stored) != string(k.StoredKey) || len(stored) != h.size {
			t.Errorf("%s: storedKey() = %x, %v, want %x", h.name, stored, err, k.StoredKey)
		}
	}
}
