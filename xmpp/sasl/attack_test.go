package sasl

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strings"
	"testing"

	"signalbox/internal/endpoint"
)

func TestAttack01AuthzidOfAnother(t *testing.T) {
	tests := []struct {
		authzid string
		want    Condition
	}{
		{"", ""},
		{"pc-1@" + testDomain, ""},
		{"PC-1@XMPP.Example.ORG", ""},
		{"fast-1@" + testDomain, InvalidAuthzid},
		{"nobody@" + testDomain, InvalidAuthzid},
		{"fast-1", InvalidAuthzid},
		{"pc-1", InvalidAuthzid},
		{"pc-1@", InvalidAuthzid},
		{"pc-1@other.example.org", InvalidAuthzid},
		{"pc-1@" + testDomain + "/r", InvalidAuthzid},
		{"pc-1@" + testDomain + ".", InvalidAuthzid},
		{testDomain, InvalidAuthzid},
		{" pc-1@" + testDomain, InvalidAuthzid},
		{"pc-1@" + testDomain + ",admin", InvalidAuthzid},
		{"ｐc-1@" + testDomain, InvalidAuthzid},
	}
	s, _ := newTestServer(t)
	for _, mechanism := range offer(tls13()) {
		for _, tt := range tests {
			t.Run(mechanism+" "+tt.authzid, func(t *testing.T) {
				x := start(t, s, mechanism, tls13())
				if got := condition(t, login(t, x, mechanism, tt.authzid, "pc-1", testSecret)); got != tt.want {
					t.Errorf("login = %q, want %q", got, tt.want)
				}
				want := endpoint.Key{}
				if tt.want == "" {
					want = endpoint.Key{Domain: testDomain, ID: "pc-1"}
				}
				if x.Identity() != want {
					t.Errorf("Identity() = %v, want %v", x.Identity(), want)
				}
				if got := condition(t, login(t, start(t, s, mechanism, tls13()), mechanism, tt.authzid, "pc-1", "wrong-secret")); got != NotAuthorized {
					t.Errorf("login with a wrong secret = %q, want %q: authzid is looked at too early", got, NotAuthorized)
				}
			})
		}
	}
}

// serverFirst returns what a stranger learns of a user: salt and iterations.
func serverFirst(t *testing.T, s *Server, mechanism, user string) (salt []byte, iterations int) {
	t.Helper()
	challenge, _, err := start(t, s, mechanism, tls13()).Step(t.Context(), []byte("n,,n="+user+",r="+testClientNonce))
	if err != nil {
		t.Fatal(err)
	}
	_, salt, iterations = splitServerFirst(t, string(challenge))
	return salt, iterations
}

func TestAttack17UnknownUsersLookLikeKnownOnes(t *testing.T) {
	s, accounts := newTestServer(t)
	accounts.byID["no-keys"] = stored{enabled: true}
	restarted, _ := newTestServer(t)
	otherKey, err := New(accounts, bytes.Repeat([]byte{8}, MinFakeKeyBytes), 1)
	if err != nil {
		t.Fatal(err)
	}
	known, wantIterations := serverFirst(t, s, ScramSHA256, "pc-1")
	seen := map[string]string{}
	for _, user := range []string{"nobody", "nobody-2", "not an id", "ünknown", "no-keys", strings.Repeat("x", endpoint.MaxIDBytes+1)} {
		salt, iterations := serverFirst(t, s, ScramSHA256, user)
		if len(salt) != len(known) || iterations != wantIterations {
			t.Errorf("%q: %d bytes of salt and %d iterations, known users have %d and %d", user, len(salt), iterations, len(known), wantIterations)
		}
		if other, ok := seen[string(salt)]; ok {
			t.Errorf("%q and %q have the same salt", user, other)
		}
		seen[string(salt)] = user
		if again, _ := serverFirst(t, restarted, ScramSHA256, upperASCII(user)); !bytes.Equal(again, salt) {
			t.Errorf("%q: salt after a restart = %x, want %x", user, again, salt)
		}
		if other, _ := serverFirst(t, otherKey, ScramSHA256, user); bytes.Equal(other, salt) {
			t.Errorf("%q: salt does not depend on the server's key", user)
		}
		for _, mechanism := range offer(tls13()) {
			x := start(t, s, mechanism, tls13())
			if got := condition(t, login(t, x, mechanism, "", user, testSecret)); got != NotAuthorized {
				t.Errorf("%q: %s = %q, want %q", user, mechanism, got, NotAuthorized)
			}
		}
	}
}

// A secret that an earlier version stored has no keys for SHA-1; its endpoint then looks like one that does not exist, whatever is sent.
func TestAttack17EndpointsWithoutKeysForSHA1LookUnknown(t *testing.T) {
	s, _ := newTestServer(t)
	restarted, _ := newTestServer(t)
	known, wantIterations := serverFirst(t, s, ScramSHA1, "pc-1")
	for _, user := range []string{"old-1", "nobody"} {
		salt, iterations := serverFirst(t, s, ScramSHA1, user)
		if len(salt) != len(known) || iterations != wantIterations {
			t.Errorf("%q: %d bytes of salt and %d iterations, want %d and %d", user, len(salt), iterations, len(known), wantIterations)
		}
		if again, _ := serverFirst(t, restarted, ScramSHA1, user); !bytes.Equal(again, salt) {
			t.Errorf("%q: salt after a restart = %x, want %x", user, again, salt)
		}
		for _, mechanism := range []string{ScramSHA1, ScramSHA1Plus} {
			for _, secret := range []string{testSecret, "wrong-secret"} {
				if got := condition(t, login(t, start(t, s, mechanism, tls13()), mechanism, "", user, secret)); got != NotAuthorized {
					t.Errorf("%q: %s = %q, want %q", user, mechanism, got, NotAuthorized)
				}
			}
		}
	}
}

func TestAttack17SaltsDifferByHash(t *testing.T) {
	s, _ := newTestServer(t)
	a := account{key: endpoint.Key{Domain: testDomain, ID: "nobody"}}
	if bytes.Equal(scramSHA256().keysOf(s, a).Salt, scramSHA1().keysOf(s, a).Salt) {
		t.Error("an unknown user has one salt for two hashes, known users have two")
	}
}

func TestAttack17KeysThatAreBrokenInTheStoreAreNoKeys(t *testing.T) {
	good, err := endpoint.NewSecret(testSecret)
	if err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(*scramKeys){
		"no salt":          func(k *scramKeys) { k.Salt = nil },
		"no iterations":    func(k *scramKeys) { k.Iterations = 0 },
		"short stored key": func(k *scramKeys) { k.StoredKey = k.StoredKey[:31] },
		"no server key":    func(k *scramKeys) { k.ServerKey = nil },
	} {
		s, accounts := newTestServer(t)
		k := good.Scram[ScramSHA256]
		spoil(&k)
		accounts.byID["spoilt"] = stored{enabled: true, secret: endpoint.Secret{Scram: map[string]scramKeys{ScramSHA256: k}}}
		for _, mechanism := range offer(tls13()) {
			if got := condition(t, login(t, start(t, s, mechanism, tls13()), mechanism, "", "spoilt", testSecret)); got != NotAuthorized {
				t.Errorf("%s, %s: login = %q, want %q", name, mechanism, got, NotAuthorized)
			}
		}
	}
}

// upperASCII turns a-z into A-Z and nothing else.
func upperASCII(s string) string {
	return strings.Map(func(r rune) rune {
		if 'a' <= r && r <= 'z' {
			return r - 'a' + 'A'
		}
		return r
	}, s)
}

func TestAttacks19And20SourceHasNoVariableTimeCompareAndNoWeakRandom(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range f.Imports {
			if strings.HasPrefix(i.Path.Value, `"math/rand`) {
				t.Errorf("%s imports %s", name, i.Path.Value)
			}
		}
		ast.Inspect(f, func(n ast.Node) bool {
			if s, ok := n.(*ast.SelectorExpr); ok {
				if p, ok := s.X.(*ast.Ident); ok && p.Name == "bytes" && (s.Sel.Name == "Equal" || s.Sel.Name == "Compare") {
					t.Errorf("%s uses bytes.%s", name, s.Sel.Name)
				}
			}
			return true
		})
	}
}

func TestAttack52FailuresNeverHoldWhatTheClientSent(t *testing.T) {
	s, _ := newTestServer(t)
	const mark = "MARK-7f3a"
	for _, tt := range []struct{ mechanism, message string }{
		{Plain, "\x00pc-1\x00" + mark}, {Plain, mark}, {Plain, mark + "\x00pc-1\x00" + testSecret}, {Plain, "\x00" + mark + " x\x00" + mark},
		{ScramSHA256, mark}, {ScramSHA256, mark + ",," + okBare}, {ScramSHA256, "p=" + mark + ",," + okBare}, {ScramSHA256, "n,,n=" + mark + ",r=" + mark[:5]},
		{ScramSHA256, "n,,n=x=" + mark + ",r=" + testClientNonce}, {ScramSHA256Plus, "p=" + mark + ",," + okBare},
	} {
		_, _, err := start(t, s, tt.mechanism, tls13()).Step(t.Context(), []byte(tt.message))
		if err == nil || strings.Contains(err.Error(), mark) {
			t.Errorf("%s %q: error = %v", tt.mechanism, tt.message, err)
		}
	}
	if _, err := s.Start(mark, Input{TLS: tls13()}); err == nil || strings.Contains(err.Error(), mark) {
		t.Errorf("Start() = %v", err)
	}
	if _, err := DecodeBase64([]byte(mark + "!")); err == nil || strings.Contains(err.Error(), mark) {
		t.Errorf("DecodeBase64() = %v", err)
	}
}
