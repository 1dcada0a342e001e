package sasl

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"signalbox/internal/endpoint"
	"signalbox/internal/link"
)

const (
	testClient   = "d4565fa7-4d72-4749-b3d3-740edbf87770"
	testLifetime = 14 * 24 * time.Hour
)

// fakeTokens is a store of tokens; it counts what is written.
type fakeTokens struct {
	kept   map[string]endpoint.FastTokens
	writes int
	err    error
}

func (f *fakeTokens) FastTokens(_ context.Context, k endpoint.Key, client string) (endpoint.FastTokens, error) {
	return f.kept[k.ID+" "+client], f.err
}

func (f *fakeTokens) SaveFastTokens(_ context.Context, k endpoint.Key, client string, t endpoint.FastTokens) error {
	if f.err != nil {
		return f.err
	}
	f.writes++
	f.kept[k.ID+" "+client] = t
	return nil
}

// newFastServer is newTestServer with tokens.
func newFastServer(t testing.TB) (*Server, *fakeAccounts, *fakeTokens) {
	t.Helper()
	s, accounts := newTestServer(t)
	tokens := &fakeTokens{kept: map[string]endpoint.FastTokens{}}
	s.OfferTokens(tokens, testLifetime)
	return s, accounts, tokens
}

func fastInput() Input { return Input{Domain: testDomain, TLS: tls13(), Client: testClient} }

// obtain logs in by PLAIN and returns the token that was asked for.
func obtain(t testing.TB, s *Server, user, mechanism string) Token {
	t.Helper()
	x, err := s.Start(Plain, fastInput())
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := x.Step(t.Context(), []byte("\x00"+user+"\x00"+testSecret)); err != nil {
		t.Fatal(err)
	}
	token, err := x.Renew(t.Context(), Wish{Mechanism: mechanism})
	if err != nil || token == nil {
		t.Fatalf("Renew() = %v, %v, want a token", token, err)
	}
	return *token
}

// present shows a token as a client does that knows this channel binding.
func present(t testing.TB, s *Server, in Input, mechanism, user, token string, bound []byte) (*Exchange, []byte, error) {
	t.Helper()
	in.Fast = true
	x, err := s.Start(mechanism, in)
	if err != nil {
		return nil, nil, err
	}
	answer, done, err := x.Step(t.Context(), append([]byte(user+"\x00"), proofOf(token, "Initiator", bound)...))
	if done != (err == nil) {
		t.Fatalf("Step(): done = %v, error = %v", done, err)
	}
	return x, answer, err
}

func proofOf(token, role string, bound []byte) []byte {
	m := hmac.New(sha256.New, []byte(token))
	m.Write([]byte(role))
	m.Write(bound)
	return m.Sum(nil)
}

func bindingOf(mechanism string) []byte {
	switch mechanism {
	case HashedExporter:
		return tls13().Exporter
	case HashedEndPoint:
		return tls13().EndPoint
	}
	return nil
}

func TestOfferFast(t *testing.T) {
	s, _, _ := newFastServer(t)
	without, _ := newTestServer(t)
	all := []string{HashedExporter, HashedEndPoint, HashedNone}
	tests := []struct {
		name string
		s    *Server
		conn link.TLS
		want []string
	}{
		{"TLS 1.3", s, tls13(), all},
		{"TLS 1.2 has no exporter", s, tls12(), all[1:]},
		{"nothing to bind to", s, link.TLS{Version: tls12().Version}, all[2:]},
		{"plain text", s, link.TLS{}, nil},
		{"turned off", without, tls13(), nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, tt.s.OfferFast(Input{Domain: testDomain, TLS: tt.conn})); diff != "" {
				t.Errorf("OfferFast() (-want +got):\n%s", diff)
			}
			for _, name := range all {
				in := fastInput()
				in.TLS, in.Fast = tt.conn, true
				if _, err := tt.s.Start(name, in); (err == nil) != slices.Contains(tt.want, name) {
					t.Errorf("Start(%s) = %v", name, err)
				}
			}
		})
	}
	if got := offer(tls13()); slices.ContainsFunc(got, func(n string) bool { return slices.Contains(all, n) }) {
		t.Errorf("Offer() = %v, tokens have a place of their own", got)
	}
}

func TestFastMechanismsNeedTheirPlace(t *testing.T) {
	s, _, _ := newFastServer(t)
	in := fastInput()
	for name, change := range map[string]func(*Input){
		HashedNone:     func(*Input) {},                                   // without <fast/>
		HashedEndPoint: func(in *Input) { in.Fast, in.Client = true, "" }, // nobody's
		Plain:          func(in *Input) { in.Fast = true },
	} {
		in := in
		change(&in)
		if _, err := s.Start(name, in); condition(t, err) != InvalidMechanism {
			t.Errorf("Start(%s, %+v) = %v, want %q", name, in, err, InvalidMechanism)
		}
	}
}

func TestFastLogin(t *testing.T) {
	for _, mechanism := range []string{HashedExporter, HashedEndPoint, HashedNone} {
		t.Run(mechanism, func(t *testing.T) {
			s, accounts, tokens := newFastServer(t)
			token := obtain(t, s, "pc-1", mechanism)
			x, answer, err := present(t, s, fastInput(), mechanism, "PC-1", token.Text, bindingOf(mechanism))
			if err != nil {
				t.Fatal(err)
			}
			if want := (endpoint.Key{Domain: testDomain, ID: "pc-1"}); x.Identity() != want || !bytes.Equal(x.SecretMark(), accounts.byID["pc-1"].secret.Mark()) {
				t.Errorf("Identity() = %v, mark %x", x.Identity(), x.SecretMark())
			}
			if want := proofOf(token.Text, "Responder", bindingOf(mechanism)); !bytes.Equal(answer, want) {
				t.Errorf("answer = %x, want %x: the server has the token too", answer, want)
			}
			if n := tokens.writes; n != 1 {
				t.Errorf("%d writes, want that of the token alone", n)
			}
		})
	}
}

func TestFastRefuses(t *testing.T) {
	s, accounts, tokens := newFastServer(t)
	token := obtain(t, s, "pc-1", HashedExporter).Text
	expired := obtain(t, s, "fast-1", HashedNone).Text
	old := tokens.kept["fast-1 "+testClient]
	old.New.Expires = time.Now().Add(-time.Second)
	tokens.kept["fast-1 "+testClient] = old
	off := obtain(t, s, "old-1", HashedNone).Text
	accounts.byID["old-1"] = stored{secret: accounts.byID["old-1"].secret}
	exporter := tls13().Exporter
	stranger := fastInput()
	stranger.Client = "00000000-0000-4000-8000-000000000000"
	tests := []struct {
		name      string
		in        Input
		mechanism string
		user      string
		token     string
		bound     []byte
		want      Condition
	}{
		{"attack row 1: another endpoint", fastInput(), HashedExporter, "off-1", token, exporter, NotAuthorized},
		{"attack row 1: another domain", Input{Domain: "other.example.org", TLS: tls13(), Client: testClient}, HashedExporter, "pc-1", token, exporter, NotAuthorized},
		{"another client", stranger, HashedExporter, "pc-1", token, exporter, NotAuthorized},
		{"attack row 14: another connection", fastInput(), HashedExporter, "pc-1", token, []byte("another"), NotAuthorized},
		{"attack row 14: weaker mechanism", fastInput(), HashedEndPoint, "pc-1", token, tls13().EndPoint, NotAuthorized},
		{"attack row 14: no binding", fastInput(), HashedNone, "pc-1", token, nil, NotAuthorized},
		{"another token", fastInput(), HashedExporter, "pc-1", token[1:] + "A", exporter, NotAuthorized},
		{"no token", fastInput(), HashedExporter, "pc-1", "", exporter, NotAuthorized},
		{"the secret", fastInput(), HashedExporter, "pc-1", testSecret, exporter, NotAuthorized},
		{"attack row 17: unknown endpoint", fastInput(), HashedExporter, "nobody", token, exporter, NotAuthorized},
		{"attack row 17: no id", fastInput(), HashedExporter, "no body", token, exporter, NotAuthorized},
		{"expired", fastInput(), HashedNone, "fast-1", expired, nil, CredentialsExpired},
		{"expired, and a guess", fastInput(), HashedNone, "fast-1", token, nil, NotAuthorized},
		{"attack row 47: disabled", fastInput(), HashedNone, "old-1", off, nil, AccountDisabled},
		{"store fails", fastInput(), HashedExporter, "bad-1", token, exporter, TemporaryAuthFailure},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			x, answer, err := present(t, s, tt.in, tt.mechanism, tt.user, tt.token, tt.bound)
			if got := condition(t, err); got != tt.want || len(answer) != 0 || x.Identity() != (endpoint.Key{}) {
				t.Errorf("login = %x, %v, %v, want %q", answer, err, x.Identity(), tt.want)
			}
			if renewed, err := x.Renew(t.Context(), Wish{Mechanism: HashedNone}); renewed != nil || err != nil {
				t.Errorf("Renew() of a failed login = %v, %v", renewed, err)
			}
		})
	}
}

func TestHashedMessages(t *testing.T) {
	s, _, _ := newFastServer(t)
	hash := string(make([]byte, sha256.Size))
	for name, message := range map[string]string{
		"empty": "", "no NUL": "pc-1" + hash[:0], "no user": "\x00" + hash, "no hash": "pc-1\x00", "short hash": "pc-1\x00" + hash[1:],
		"long hash": "pc-1\x00" + hash + "x", "not UTF-8": "\xff\x00" + hash,
	} {
		in := fastInput()
		in.Fast = true
		x, err := s.Start(HashedNone, in)
		if err != nil {
			t.Fatal(err)
		}
		if _, done, err := x.Step(t.Context(), []byte(message)); condition(t, err) != MalformedRequest || done {
			t.Errorf("%s: Step() = %v, %v, want %q", name, done, err, MalformedRequest)
		}
	}
}

// TestAttack47TokensEndWithTheSecret, also when the store still has them.
func TestAttack47TokensEndWithTheSecret(t *testing.T) {
	s, accounts, _ := newFastServer(t)
	token := obtain(t, s, "pc-1", HashedNone)
	again, err := endpoint.NewSecret(testSecret)
	if err != nil {
		t.Fatal(err)
	}
	accounts.byID["pc-1"] = stored{secret: again, enabled: true}
	if _, _, err := present(t, s, fastInput(), HashedNone, "pc-1", token.Text, nil); condition(t, err) != NotAuthorized {
		t.Errorf("login = %v, want %q", err, NotAuthorized)
	}
	fresh := obtain(t, s, "pc-1", HashedNone)
	if _, _, err := present(t, s, fastInput(), HashedNone, "pc-1", token.Text, nil); condition(t, err) != NotAuthorized {
		t.Errorf("login by the old token beside a new one = %v, want %q", err, NotAuthorized)
	}
	if _, _, err := present(t, s, fastInput(), HashedNone, "pc-1", fresh.Text, nil); err != nil {
		t.Errorf("login by the new token = %v", err)
	}
}

// TestTokensRotate walks through a token's life: XEP-0484 sections 3.5 and 5.1.
func TestTokensRotate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _, tokens := newFastServer(t)
		login := func(token Token, writes int) *Token {
			t.Helper()
			before := tokens.writes
			x, _, err := present(t, s, fastInput(), HashedExporter, "pc-1", token.Text, tls13().Exporter)
			if err != nil {
				t.Fatalf("login = %v", err)
			}
			next, err := x.Renew(t.Context(), Wish{})
			if err != nil || tokens.writes-before != writes {
				t.Fatalf("Renew() = %v with %d writes, want %d", err, tokens.writes-before, writes)
			}
			return next
		}
		refused := func(token Token, want Condition) {
			t.Helper()
			if _, _, err := present(t, s, fastInput(), HashedExporter, "pc-1", token.Text, tls13().Exporter); condition(t, err) != want {
				t.Fatalf("login = %v, want %q", err, want)
			}
		}
		first := obtain(t, s, "pc-1", HashedExporter)
		if got := time.Until(first.Expires); got > testLifetime || got < testLifetime-time.Second {
			t.Errorf("the token lives %v, want %v", got, testLifetime)
		}
		login(first, 1) // it takes the place of the current one
		time.Sleep(testLifetime/2 - time.Minute)
		if next := login(first, 0); next != nil {
			t.Fatal("a token was handed out in the first half of the life of another")
		}
		time.Sleep(2 * time.Minute)
		lost := login(first, 1)
		if lost == nil {
			t.Fatal("no token was handed out in the second half")
		}
		second := login(first, 1) // the client did not get it: the old one is good, another new one is made
		if second == nil || second.Text == lost.Text {
			t.Fatalf("tokens %v and %v, want two", lost, second)
		}
		refused(*lost, NotAuthorized)
		login(*second, 1)
		refused(first, NotAuthorized) // another was used
		login(*second, 0)
		time.Sleep(testLifetime)
		refused(*second, CredentialsExpired)
	})
}

// TestALateFirstUseRotatesInTheSameWrite: a token that is first used near its end takes its place and is replaced at once.
func TestALateFirstUseRotatesInTheSameWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _, tokens := newFastServer(t)
		token := obtain(t, s, "pc-1", HashedNone)
		time.Sleep(testLifetime - time.Minute)
		x, _, err := present(t, s, fastInput(), HashedNone, "pc-1", token.Text, nil)
		if err != nil {
			t.Fatal(err)
		}
		if next, err := x.Renew(t.Context(), Wish{}); next == nil || err != nil || tokens.writes != 2 {
			t.Errorf("Renew() = %v, %v, %d writes in all, want 2", next, err, tokens.writes)
		}
	})
}

func TestInvalidate(t *testing.T) {
	s, _, tokens := newFastServer(t)
	token := obtain(t, s, "pc-1", HashedNone)
	x, _, err := present(t, s, fastInput(), HashedNone, "pc-1", token.Text, nil)
	if err != nil {
		t.Fatal(err)
	}
	if next, err := x.Renew(t.Context(), Wish{Invalidate: true}); next != nil || err != nil {
		t.Fatalf("Renew() = %v, %v, want no token", next, err)
	}
	if _, _, err := present(t, s, fastInput(), HashedNone, "pc-1", token.Text, nil); condition(t, err) != NotAuthorized {
		t.Errorf("login = %v, want %q", err, NotAuthorized)
	}
	if diff := cmp.Diff(endpoint.FastTokens{}, tokens.kept["pc-1 "+testClient]); diff != "" {
		t.Errorf("kept (-want +got):\n%s", diff)
	}
	// with another one asked for, that one is good
	token = obtain(t, s, "pc-1", HashedNone)
	if x, _, err = present(t, s, fastInput(), HashedNone, "pc-1", token.Text, nil); err != nil {
		t.Fatal(err)
	}
	next, err := x.Renew(t.Context(), Wish{Invalidate: true, Mechanism: HashedExporter})
	if next == nil || err != nil {
		t.Fatalf("Renew() = %v, %v, want a token", next, err)
	}
	if _, _, err := present(t, s, fastInput(), HashedExporter, "pc-1", next.Text, tls13().Exporter); err != nil {
		t.Errorf("login by the token that was asked for = %v", err)
	}
	if _, _, err := present(t, s, fastInput(), HashedNone, "pc-1", token.Text, nil); condition(t, err) != NotAuthorized {
		t.Errorf("login by the one that was given back = %v, want %q", err, NotAuthorized)
	}
}

// TestCounts: an attempt whose number was seen is refused. The numbers are kept with the tokens, when those are written.
func TestCounts(t *testing.T) {
	s, _, _ := newFastServer(t)
	token := obtain(t, s, "pc-1", HashedNone)
	for _, tt := range []struct {
		count uint32
		want  Condition
	}{{5, ""}, {5, NotAuthorized}, {4, NotAuthorized}, {6, ""}, {0, ""}} {
		in := fastInput()
		in.Count = tt.count
		x, _, err := present(t, s, in, HashedNone, "pc-1", token.Text, nil)
		if got := condition(t, err); got != tt.want {
			t.Fatalf("attempt %d = %q, want %q", tt.count, got, tt.want)
		}
		if _, err := x.Renew(t.Context(), Wish{}); err != nil {
			t.Fatal(err)
		}
	}
}

func TestWhoGetsNoToken(t *testing.T) {
	s, _, tokens := newFastServer(t)
	without, _ := newTestServer(t)
	noClient := fastInput()
	noClient.Client = ""
	tls12Input := fastInput()
	tls12Input.TLS = tls12()
	for name, tt := range map[string]struct {
		s  *Server
		in Input
		w  Wish
	}{
		"asked for none":              {s, fastInput(), Wish{}},
		"unknown mechanism":           {s, fastInput(), Wish{Mechanism: "HT-SHA-512-NONE"}},
		"ordinary mechanism":          {s, fastInput(), Wish{Mechanism: Plain}},
		"mechanism not offered":       {s, tls12Input, Wish{Mechanism: HashedExporter}},
		"no client":                   {s, noClient, Wish{Mechanism: HashedNone}},
		"turned off":                  {without, fastInput(), Wish{Mechanism: HashedNone}},
		"invalidates what it has not": {s, fastInput(), Wish{Invalidate: true}},
	} {
		x, err := tt.s.Start(Plain, tt.in)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := x.Step(t.Context(), []byte("\x00pc-1\x00"+testSecret)); err != nil {
			t.Fatal(err)
		}
		if token, err := x.Renew(t.Context(), tt.w); token != nil || err != nil || tokens.writes != 0 {
			t.Errorf("%s: Renew() = %v, %v, %d writes", name, token, err, tokens.writes)
		}
	}
}

// TestCertificatesGetNoToken: a token would outlive the certificate, and be renewed without it for ever.
func TestCertificatesGetNoToken(t *testing.T) {
	s, _, tokens := newFastServer(t)
	in := fastInput()
	in.TLS = certified("pc-1@" + testDomain)
	x, err := s.Start(External, in)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := x.Step(t.Context(), []byte{}); err != nil {
		t.Fatal(err)
	}
	if token, err := x.Renew(t.Context(), Wish{Mechanism: HashedNone}); token != nil || err != nil || tokens.writes != 0 {
		t.Errorf("Renew() = %v, %v, %d writes, want no token", token, err, tokens.writes)
	}
}

func TestRenewWithoutAStore(t *testing.T) {
	for want, isError := range map[error]bool{errors.New("disk is gone"): true, endpoint.ErrDisabled: false, endpoint.ErrUnknown: false} {
		s, _, tokens := newFastServer(t)
		x, err := s.Start(Plain, fastInput())
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := x.Step(t.Context(), []byte("\x00pc-1\x00"+testSecret)); err != nil {
			t.Fatal(err)
		}
		s.tokens = brokenWrites{tokens, want}
		if token, err := x.Renew(t.Context(), Wish{Mechanism: HashedNone}); token != nil || (err != nil) != isError || isError && !errors.Is(err, want) {
			t.Errorf("Renew() with %v = %v, %v", want, token, err)
		}
		tokens.err = want
		in := fastInput()
		_, _, err = present(t, s, in, HashedNone, "pc-1", "x", nil)
		if got := condition(t, err); got != TemporaryAuthFailure {
			t.Errorf("login with a store that fails = %q, want %q", got, TemporaryAuthFailure)
		}
	}
}

// brokenWrites reads and does not write.
type brokenWrites struct {
	*fakeTokens
	err error
}

func (b brokenWrites) SaveFastTokens(context.Context, endpoint.Key, string, endpoint.FastTokens) error {
	return b.err
}

// TestAttack19TokensAreNotInTheStore: what is kept is not the token, not the key of its hash, and of no use under another server key.
func TestAttack19TokensAreNotInTheStore(t *testing.T) {
	s, accounts, tokens := newFastServer(t)
	token := obtain(t, s, "pc-1", HashedNone)
	kept := tokens.kept["pc-1 "+testClient].New
	if bytes.Contains([]byte(token.Text), kept.Seed) || len(token.Text) < 43 || len(kept.Seed) != seedBytes {
		t.Errorf("token %q of seed %x", token.Text, kept.Seed)
	}
	for _, guess := range []string{string(kept.Seed), token.Text[:42]} {
		if _, _, err := present(t, s, fastInput(), HashedNone, "pc-1", guess, nil); condition(t, err) != NotAuthorized {
			t.Errorf("login by %q = %v, want %q", guess, err, NotAuthorized)
		}
	}
	other, err := New(accounts, bytes.Repeat([]byte{8}, MinFakeKeyBytes), 1)
	if err != nil {
		t.Fatal(err)
	}
	other.OfferTokens(tokens, testLifetime)
	if _, _, err := present(t, other, fastInput(), HashedNone, "pc-1", token.Text, nil); condition(t, err) != NotAuthorized {
		t.Errorf("login at a server with another key = %v, want %q", err, NotAuthorized)
	}
	seen := map[string]bool{token.Text: true}
	for range 20 {
		next := obtain(t, s, "pc-1", HashedNone)
		if seen[next.Text] {
			t.Fatalf("token %q twice", next.Text)
		}
		seen[next.Text] = true
	}
}

func TestPseudonym(t *testing.T) {
	s, _ := newTestServer(t)
	k := endpoint.Key{Domain: testDomain, ID: "pc-1"}
	other := endpoint.Key{Domain: testDomain, ID: "pc-2"}
	name := s.Pseudonym(k, testClient)
	if len(name) != 16 || name != s.Pseudonym(k, testClient) || name == s.Pseudonym(other, testClient) || name == s.Pseudonym(k, testClient[1:]) {
		t.Errorf("Pseudonym() = %q, want 16 characters for this client of this endpoint alone", name)
	}
}

func FuzzHashed(f *testing.F) {
	f.Add([]byte("pc-1\x00" + string(make([]byte, sha256.Size))))
	f.Add([]byte("\x00"))
	f.Fuzz(func(t *testing.T, message []byte) {
		user, proof, err := parseHashed(message)
		if err == nil && (user == "" || len(proof) != sha256.Size || user+"\x00"+string(proof) != string(message)) {
			t.Fatalf("%q was read as %q, %x", message, user, proof)
		}
	})
}

func BenchmarkFastExchange(b *testing.B) {
	s, _, _ := newFastServer(b)
	token := obtain(b, s, "pc-1", HashedExporter)
	in, ctx := fastInput(), b.Context()
	in.Fast = true
	message := append([]byte("pc-1\x00"), proofOf(token.Text, "Initiator", tls13().Exporter)...)
	b.ReportAllocs()
	for b.Loop() {
		x, err := s.Start(HashedExporter, in)
		if err != nil {
			b.Fatal(err)
		}
		if _, done, err := x.Step(ctx, message); err != nil || !done {
			b.Fatal(done, err)
		}
	}
}
