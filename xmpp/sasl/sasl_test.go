package sasl

import (
	"context"
	"crypto/sha1"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"signalbox/internal/endpoint"
	"signalbox/internal/link"
)

var _ Accounts = endpoint.Logins(nil)

func TestOffer(t *testing.T) {
	noHash := link.TLS{Version: tls12().Version}
	noHash13 := link.TLS{Version: tls13().Version, Exporter: tls13().Exporter}
	stale := tls12()
	stale.Exporter = tls13().Exporter
	all := []string{"SCRAM-SHA-256-PLUS", "SCRAM-SHA-1-PLUS", "SCRAM-SHA-256", "SCRAM-SHA-1", "PLAIN"}
	tests := []struct {
		name  string
		conn  link.TLS
		names []string
		types []string
	}{
		{"plain text", link.TLS{}, nil, nil},
		{"plain text with data left over", link.TLS{EndPoint: []byte{1}, Exporter: []byte{1}}, nil, nil},
		{"TLS 1.3", tls13(), all, []string{"tls-server-end-point", "tls-exporter"}},
		{"TLS 1.2", tls12(), all, []string{"tls-server-end-point"}},
		{"TLS 1.2 with an exporter, which is not safe there", stale, all, []string{"tls-server-end-point"}},
		{"certificate without a hash, TLS 1.2", noHash, []string{"SCRAM-SHA-256", "SCRAM-SHA-1", "PLAIN"}, nil},
		{"certificate without a hash, TLS 1.3", noHash13, all, []string{"tls-exporter"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.names, offer(tt.conn)); diff != "" {
				t.Errorf("Offer() (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.types, BindingTypes(tt.conn)); diff != "" {
				t.Errorf("BindingTypes() (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAttack15OnlyOfferedMechanismsStart(t *testing.T) {
	s, _ := newTestServer(t)
	noHash := link.TLS{Version: tls12().Version}
	tests := []struct {
		name string
		conn link.TLS
		want Condition
	}{
		{"SCRAM-SHA-256", tls13(), ""},
		{"SCRAM-SHA-1", tls12(), ""},
		{"SCRAM-SHA-1-PLUS", noHash, InvalidMechanism},
		{"PLAIN", tls12(), ""},
		{"SCRAM-SHA-256-PLUS", noHash, InvalidMechanism},
		{"DIGEST-MD5", tls13(), InvalidMechanism},
		{"CRAM-MD5", tls13(), InvalidMechanism},
		{"ANONYMOUS", tls13(), InvalidMechanism},
		{"EXTERNAL", tls13(), InvalidMechanism},
		{"plain", tls13(), InvalidMechanism},
		{"PLAIN ", tls13(), InvalidMechanism},
		{"", tls13(), InvalidMechanism},
		{"PLAIN", link.TLS{}, EncryptionRequired},
		{"SCRAM-SHA-256", link.TLS{}, EncryptionRequired},
		{"nonsense", link.TLS{}, EncryptionRequired},
	}
	for _, tt := range tests {
		_, err := s.Start(tt.name, Input{Domain: testDomain, TLS: tt.conn})
		if got := condition(t, err); got != tt.want {
			t.Errorf("Start(%q) on TLS %#x = %q, want %q", tt.name, tt.conn.Version, got, tt.want)
		}
	}
}

func TestNewRefusesWhatIsUnsafe(t *testing.T) {
	accounts := &fakeAccounts{}
	for _, tt := range []struct {
		name string
		key  []byte
		slow int
	}{{"no key", nil, 1}, {"short key", testFakeKey[1:], 1}, {"no slow hashes", testFakeKey, 0}} {
		if s, err := New(accounts, tt.key, tt.slow); err == nil || s != nil {
			t.Errorf("%s: New() = %v, %v, want an error", tt.name, s, err)
		}
	}
}

func TestFirstMessageMayComeLater(t *testing.T) {
	for _, name := range []string{Plain, ScramSHA256} {
		t.Run(name, func(t *testing.T) {
			s, _ := newTestServer(t)
			x := start(t, s, name, tls13())
			challenge, done, err := x.Step(t.Context(), nil)
			if challenge == nil || len(challenge) != 0 || done || err != nil {
				t.Fatalf("Step(nil) = %v, %v, %v, want an empty challenge", challenge, done, err)
			}
			if name == Plain {
				_, done, err = x.Step(t.Context(), []byte("\x00pc-1\x00"+testSecret))
			} else {
				_, err = newClient("pc-1").run(t, x)
				done = err == nil
			}
			if !done || err != nil || x.Identity().ID != "pc-1" {
				t.Errorf("login = %v, %v, %v", done, err, x.Identity())
			}
		})
	}
}

func TestEmptyMessageIsAskedForOnce(t *testing.T) {
	for _, name := range []string{Plain, ScramSHA256} {
		for _, second := range [][]byte{nil, {}} {
			s, _ := newTestServer(t)
			x := start(t, s, name, tls13())
			if _, _, err := x.Step(t.Context(), nil); err != nil {
				t.Fatal(err)
			}
			if _, _, err := x.Step(t.Context(), second); condition(t, err) != MalformedRequest {
				t.Errorf("%s: second Step(%v) = %v, want %q", name, second, err, MalformedRequest)
			}
		}
	}
}

func TestNothingFollowsTheEnd(t *testing.T) {
	right := []byte("\x00pc-1\x00" + testSecret)
	for name, first := range map[string][]byte{"success": right, "failure": []byte("\x00pc-1\x00wrong"), "too long": make([]byte, MaxMessageBytes+1)} {
		s, _ := newTestServer(t)
		x := start(t, s, Plain, tls13())
		x.Step(t.Context(), first)
		if _, done, err := x.Step(t.Context(), right); condition(t, err) != MalformedRequest || done {
			t.Errorf("Step() after %s = %v, %v, want %q", name, done, err, MalformedRequest)
		}
	}
}

func TestStoreErrors(t *testing.T) {
	for name, message := range map[string]string{Plain: "\x00bad-1\x00" + testSecret, ScramSHA256: "n,,n=bad-1,r=" + testClientNonce} {
		s, accounts := newTestServer(t)
		_, _, err := start(t, s, name, tls13()).Step(t.Context(), []byte(message))
		if got := condition(t, err); got != TemporaryAuthFailure || !errors.Is(err, accounts.byID["bad-1"].err) {
			t.Errorf("%s: Step() = %v, want %q with the store's error", name, err, TemporaryAuthFailure)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, _, err = start(t, s, name, tls13()).Step(ctx, []byte(strings.Replace(message, "bad-1", "pc-1", 1)))
		if got := condition(t, err); got != TemporaryAuthFailure || !errors.Is(err, context.Canceled) {
			t.Errorf("%s: Step() with a context that is done = %v, want %q", name, err, TemporaryAuthFailure)
		}
	}
}

// login runs a whole login and returns its error.
func login(t *testing.T, x *Exchange, mechanism, authzid, user, secret string) error {
	t.Helper()
	if mechanism == Plain {
		_, _, err := x.Step(t.Context(), []byte(authzid+"\x00"+user+"\x00"+secret))
		return err
	}
	c := newClient(user)
	c.secret = secret
	c.header = "n,,"
	if strings.HasPrefix(mechanism, ScramSHA1) {
		c.hash = sha1.New
	}
	if strings.HasSuffix(mechanism, "-PLUS") {
		c.header, c.bound = "p=tls-exporter,,", tls13().Exporter
	}
	if authzid != "" {
		c.header = c.header[:len(c.header)-1] + "a=" + strings.NewReplacer("=", "=3D", ",", "=2C").Replace(authzid) + ","
	}
	_, err := c.run(t, x)
	return err
}

func TestDisabledIsToldOnlyToWhoKnowsTheSecret(t *testing.T) {
	s, _ := newTestServer(t)
	for _, mechanism := range offer(tls13()) {
		for secret, want := range map[string]Condition{testSecret: AccountDisabled, "wrong-secret": NotAuthorized} {
			if got := condition(t, login(t, start(t, s, mechanism, tls13()), mechanism, "", "off-1", secret)); got != want {
				t.Errorf("%s: login with %q = %q, want %q", mechanism, secret, got, want)
			}
		}
	}
}

func TestEndpointsOfOtherDomainsAreUnknown(t *testing.T) {
	s, _ := newTestServer(t)
	for _, mechanism := range offer(tls13()) {
		x, err := s.Start(mechanism, Input{Domain: "other.example.org", TLS: tls13()})
		if err != nil {
			t.Fatal(err)
		}
		if got := condition(t, login(t, x, mechanism, "", "pc-1", testSecret)); got != NotAuthorized {
			t.Errorf("%s: login = %q, want %q", mechanism, got, NotAuthorized)
		}
	}
}

func TestClaimed(t *testing.T) {
	s, _ := newTestServer(t)
	for user, want := range map[string]endpoint.Key{"PC-1": {Domain: testDomain, ID: "pc-1"}, "nobody": {Domain: testDomain, ID: "nobody"}, "a\nb": {}} {
		x := start(t, s, Plain, tls13())
		x.Step(t.Context(), []byte("\x00"+user+"\x00wrong-secret"))
		if x.Claimed() != want || x.Identity() != (endpoint.Key{}) {
			t.Errorf("user %q: Claimed() = %v, want %v; Identity() = %v", user, x.Claimed(), want, x.Identity())
		}
	}
}

func TestUnknownIsRefusedWhateverWasProven(t *testing.T) {
	x := Exchange{}
	err := x.admit(account{key: endpoint.Key{Domain: testDomain, ID: "nobody"}, enabled: true}, true, "")
	if got := condition(t, err); got != NotAuthorized || x.Identity() != (endpoint.Key{}) {
		t.Errorf("admit() = %q, Identity() = %v, want %q", got, x.Identity(), NotAuthorized)
	}
}

func TestFailureSaysConditionAndCause(t *testing.T) {
	cause := errors.New("disk is gone")
	f := &Failure{Condition: TemporaryAuthFailure, Cause: cause}
	if f.Error() != "temporary-auth-failure: disk is gone" || !errors.Is(f, cause) {
		t.Errorf("Error() = %q", f.Error())
	}
}
