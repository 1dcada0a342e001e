package sasl

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"hash"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"signalbox/internal/endpoint"
	"signalbox/internal/link"
)

const (
	testDomain = "xmpp.example.org"
	testSecret = "correct-horse"
)

var testFakeKey = bytes.Repeat([]byte{7}, MinFakeKeyBytes)

type stored struct {
	secret  endpoint.Secret
	enabled bool
	err     error
}

// fakeAccounts is a store; it counts what is asked of it.
type fakeAccounts struct {
	byID  map[string]stored
	asked atomic.Int64
}

func (f *fakeAccounts) EndpointSecret(ctx context.Context, k endpoint.Key) (endpoint.Secret, bool, error) {
	f.asked.Add(1)
	if err := ctx.Err(); err != nil {
		return endpoint.Secret{}, false, err
	}
	s, ok := f.byID[k.ID]
	if !ok || k.Domain != testDomain {
		return endpoint.Secret{}, false, endpoint.ErrUnknown
	}
	return s.secret, s.enabled, s.err
}

// newTestServer knows pc-1 (a person's secret), fast-1 (as pc-1, with the fast verifier of a machine-made secret), old-1 (as pc-1, stored when there were no keys
// for SHA-1), sha1-1 (as pc-1, from another server that had none but those), off-1 (disabled) and bad-1, at which the store fails. All secrets are testSecret.
func newTestServer(t testing.TB) (*Server, *fakeAccounts) {
	t.Helper()
	secret, err := endpoint.NewSecret(testSecret)
	if err != nil {
		t.Fatal(err)
	}
	fast := secret
	sum := sha256.Sum256([]byte(testSecret))
	fast.Fast = sum[:]
	accounts := &fakeAccounts{byID: map[string]stored{
		"pc-1":   {secret: secret, enabled: true},
		"fast-1": {secret: fast, enabled: true},
		"old-1":  {secret: endpoint.Secret{Scram: map[string]scramKeys{ScramSHA256: secret.Scram[ScramSHA256]}}, enabled: true},
		"sha1-1": {secret: endpoint.Secret{Scram: map[string]scramKeys{ScramSHA1: secret.Scram[ScramSHA1]}}, enabled: true},
		"off-1":  {secret: secret},
		"bad-1":  {err: errors.New("disk is gone")},
	}}
	s, err := New(accounts, testFakeKey, 1)
	if err != nil {
		t.Fatal(err)
	}
	return s, accounts
}

func tls12() link.TLS {
	return link.TLS{Version: tls.VersionTLS12, EndPoint: bytes.Repeat([]byte{1}, 32)}
}

func tls13() link.TLS {
	t := tls12()
	t.Version, t.Exporter = tls.VersionTLS13, bytes.Repeat([]byte{2}, 32)
	return t
}

// offer returns what is offered on a connection.
func offer(conn link.TLS) []string { return Offer(Input{Domain: testDomain, TLS: conn}) }

func start(t testing.TB, s *Server, name string, conn link.TLS) *Exchange {
	t.Helper()
	x, err := s.Start(name, Input{Domain: testDomain, TLS: conn})
	if err != nil {
		t.Fatalf("Start(%s) = %v", name, err)
	}
	return x
}

// condition returns the condition of a *Failure, "" for nil, and fails for any other error.
func condition(t testing.TB, err error) Condition {
	t.Helper()
	if err == nil {
		return ""
	}
	var f *Failure
	if !errors.As(err, &f) {
		t.Fatalf("error is %T (%v), want *Failure", err, err)
	}
	if f.Cause == nil {
		t.Fatalf("failure %s has no cause", f.Condition)
	}
	return f.Condition
}

const testClientNonce = "abcdefghijklmnopqrstuvwx"

// scramClient is a client that says what a test tells it to say.
type scramClient struct {
	header  string // GS2 header
	bare    string // client-first-message-bare
	bound   []byte // channel-binding data
	secret  string
	hash    func() hash.Hash
	mangle  func(final string) string // changes client-final-message
	echo    func(nonce string) string // changes the nonce that is sent back and proven
	signKey []byte                    // set by run: ServerKey
	auth    string                    // set by run: AuthMessage
}

func newClient(user string) *scramClient {
	return &scramClient{header: "n,,", bare: "n=" + user + ",r=" + testClientNonce, secret: testSecret, hash: sha256.New}
}

// run takes the exchange to its end and returns the data of success.
func (c *scramClient) run(t testing.TB, x *Exchange) ([]byte, error) {
	t.Helper()
	challenge, done, err := x.Step(t.Context(), []byte(c.header+c.bare))
	if err != nil {
		return nil, err
	}
	if done {
		t.Fatal("first Step is done")
	}
	final := c.final(t, string(challenge))
	if c.mangle != nil {
		final = c.mangle(final)
	}
	success, done, err := x.Step(t.Context(), []byte(final))
	if done != (err == nil) {
		t.Fatalf("second Step: done = %v, error = %v", done, err)
	}
	return success, err
}

func (c *scramClient) final(t testing.TB, challenge string) string {
	t.Helper()
	nonce, salt, iterations := splitServerFirst(t, challenge)
	if c.echo != nil {
		nonce = c.echo(nonce)
	}
	salted, err := pbkdf2.Key(c.hash, c.secret, salt, iterations, c.hash().Size())
	if err != nil {
		t.Fatal(err)
	}
	clientKey := c.hmac(salted, "Client Key")
	storedKey := c.hash()
	storedKey.Write(clientKey)
	c.signKey = c.hmac(salted, "Server Key")
	final := "c=" + base64.StdEncoding.EncodeToString(append([]byte(c.header), c.bound...)) + ",r=" + nonce
	c.auth = c.bare + "," + challenge + "," + final
	proof := c.hmac(storedKey.Sum(nil), c.auth)
	subtle.XORBytes(proof, proof, clientKey)
	return final + ",p=" + base64.StdEncoding.EncodeToString(proof)
}

func splitServerFirst(t testing.TB, challenge string) (nonce string, salt []byte, iterations int) {
	t.Helper()
	f := strings.Split(challenge, ",")
	if len(f) < 3 || len(f) > 4 || f[0][:2] != "r=" || f[1][:2] != "s=" || f[2][:2] != "i=" || len(f) == 4 && f[3][:2] != "h=" {
		t.Fatalf("server-first-message is %q", challenge)
	}
	salt, err := base64.StdEncoding.DecodeString(f[1][2:])
	if err != nil {
		t.Fatal(err)
	}
	if iterations, err = strconv.Atoi(f[2][2:]); err != nil {
		t.Fatal(err)
	}
	return f[0][2:], salt, iterations
}

func (c *scramClient) hmac(key []byte, message string) []byte {
	m := hmac.New(c.hash, key)
	m.Write([]byte(message))
	return m.Sum(nil)
}
