package sasl

import (
	"errors"
	"slices"
	"testing"

	"signalbox/internal/endpoint"
	"signalbox/internal/identity"
	"signalbox/internal/link"
)

// keyStage is a server that has a key, with an endpoint key-1 that enrolled one.
type keyStage struct {
	server   *Server
	key, own identity.Key
}

func newKeyStage(t testing.TB) keyStage {
	s, accounts := newTestServer(t)
	st := keyStage{s, identity.Generate(), identity.Generate()}
	s.OfferKeys(st.key)
	accounts.byID["key-1"] = stored{secret: endpoint.Secret{Key: st.own.Public()}, enabled: true}
	accounts.byID["key-off"] = stored{secret: endpoint.Secret{Key: st.own.Public()}}
	return st
}

func (st keyStage) start(t testing.TB, conn link.TLS) *Exchange {
	t.Helper()
	x, err := st.server.Start(Key, Input{Domain: testDomain, TLS: conn, Keys: true})
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// hello begins a login and returns what was said, with the server's signature.
func (st keyStage) hello(t testing.TB, x *Exchange, h identity.Hello, bound []byte) (identity.Statement, []byte) {
	t.Helper()
	challenge, done, err := x.Step(t.Context(), h.Encode())
	if err != nil || done {
		t.Fatalf("first Step = %v, %v", done, err)
	}
	c, err := identity.ParseChallenge(challenge)
	if err != nil {
		t.Fatal(err)
	}
	return identity.Statement{Domain: testDomain, Hello: h, ServerNonce: c.Nonce, Server: c.Server, Bound: bound}, c.Signature
}

func TestLoginByKey(t *testing.T) {
	st := newKeyStage(t)
	for _, tt := range []struct {
		name, binding string
		conn          link.TLS
		bound         []byte
		intercepted   bool
	}{
		{"bound", identity.BoundExporter, tls13(), tls13().Exporter, false},
		{"not bound", identity.Unbound, tls13(), nil, true},
		{"not bound on TLS 1.2", identity.Unbound, tls12(), nil, true},
	} {
		x := st.start(t, tt.conn)
		s, sig := st.hello(t, x, identity.Hello{Binding: tt.binding, ID: "key-1", Nonce: identity.Nonce()}, tt.bound)
		if s.Server != st.key.Public() || !s.VerifyServer(sig) {
			t.Errorf("%s: the server does not prove itself", tt.name)
		}
		_, done, err := x.Step(t.Context(), identity.EncodeAnswer(s.SignEndpoint(st.own)))
		if err != nil || !done || x.Identity().ID != "key-1" || x.Intercepted() != tt.intercepted || x.SecretMark() == nil {
			t.Errorf("%s: Step = %v, %v as %v, intercepted %v", tt.name, done, err, x.Identity(), x.Intercepted())
		}
	}
}

func TestLoginByKeyRefusals(t *testing.T) {
	st := newKeyStage(t)
	other := identity.Generate()
	for _, tt := range []struct {
		name, id string
		sign     func(identity.Statement) []byte
		want     Condition
		cause    error
	}{
		{"another key", "key-1", func(s identity.Statement) []byte { return s.SignEndpoint(other) }, NotAuthorized, ErrWrongKey},
		{"the server's own signature", "key-1", func(s identity.Statement) []byte { return s.SignServer(st.own) }, NotAuthorized, ErrWrongKey},
		{"another connection", "key-1", func(s identity.Statement) []byte { s.Bound = []byte("other"); return s.SignEndpoint(st.own) }, NotAuthorized, ErrWrongKey},
		{"no connection", "key-1", func(s identity.Statement) []byte {
			s.Binding, s.Bound = identity.Unbound, nil
			return s.SignEndpoint(st.own)
		}, NotAuthorized, ErrWrongKey},
		{"an earlier challenge", "key-1", func(s identity.Statement) []byte { s.ServerNonce = identity.Nonce(); return s.SignEndpoint(st.own) }, NotAuthorized, ErrWrongKey},
		{"another endpoint", "key-1", func(s identity.Statement) []byte { s.ID = "pc-1"; return s.SignEndpoint(st.own) }, NotAuthorized, ErrWrongKey},
		{"an endpoint with a secret", "pc-1", func(s identity.Statement) []byte { return s.SignEndpoint(st.own) }, NotAuthorized, ErrWrongKey},
		{"an endpoint that does not exist", "nobody", func(s identity.Statement) []byte { return s.SignEndpoint(st.own) }, NotAuthorized, ErrUnknownEndpoint},
		{"a name that none can have", "no body", func(s identity.Statement) []byte { return s.SignEndpoint(st.own) }, NotAuthorized, ErrUnknownEndpoint},
		{"a disabled endpoint", "key-off", func(s identity.Statement) []byte { return s.SignEndpoint(st.own) }, AccountDisabled, nil},
		{"no signature", "key-1", func(identity.Statement) []byte { return nil }, MalformedRequest, nil},
	} {
		x := st.start(t, tls13())
		s, _ := st.hello(t, x, identity.Hello{Binding: identity.BoundExporter, ID: tt.id, Nonce: identity.Nonce()}, tls13().Exporter)
		_, done, err := x.Step(t.Context(), identity.EncodeAnswer(tt.sign(s)))
		if done || condition(t, err) != tt.want || tt.cause != nil && !errors.Is(err, tt.cause) || x.Identity().ID != "" {
			t.Errorf("%s: Step = %v, %v, want %s by %v", tt.name, done, err, tt.want, tt.cause)
		}
	}
}

func TestLoginByKeyNeedsSomethingToBindTo(t *testing.T) {
	st := newKeyStage(t)
	h := identity.Hello{Binding: identity.BoundExporter, ID: "key-1", Nonce: identity.Nonce()}
	if _, _, err := st.start(t, tls12()).Step(t.Context(), h.Encode()); condition(t, err) != NotAuthorized || !errors.Is(err, ErrBinding) {
		t.Errorf("Step on TLS 1.2 = %v, want %s", err, NotAuthorized)
	}
	if _, _, err := st.start(t, tls13()).Step(t.Context(), []byte("x")); condition(t, err) != MalformedRequest {
		t.Errorf("Step with a message that is none = %v, want %s", err, MalformedRequest)
	}
	if _, _, err := st.start(t, tls13()).Step(t.Context(), identity.Hello{Binding: identity.Unbound, ID: "bad-1", Nonce: identity.Nonce()}.Encode()); condition(t, err) != TemporaryAuthFailure {
		t.Errorf("Step with a store that fails = %v, want %s", err, TemporaryAuthFailure)
	}
}

// The mechanism is offered by a server that has a key, inside TLS.
func TestKeyIsOffered(t *testing.T) {
	for _, tt := range []struct {
		name string
		in   Input
		want bool
	}{
		{"with a key", Input{Domain: testDomain, TLS: tls13(), Keys: true}, true},
		{"without a key", Input{Domain: testDomain, TLS: tls13()}, false},
		{"in the laboratory", Input{Domain: testDomain, TLS: link.TLS{Laboratory: true}, Keys: true}, false},
	} {
		if got := slices.Contains(Offer(tt.in), Key); got != tt.want {
			t.Errorf("%s: offered %v, want %v", tt.name, got, tt.want)
		}
		if _, err := newKeyStage(t).server.Start(Key, tt.in); (err == nil) != tt.want {
			t.Errorf("%s: Start = %v", tt.name, err)
		}
	}
}
