package sasl

import (
	"context"
	"slices"
	"testing"

	"signalbox/internal/endpoint"
	"signalbox/internal/link"
)

// certified is a connection whose client showed a certificate with these addresses.
func certified(addresses ...string) link.TLS {
	t := tls13()
	t.Client = link.Client{Leaf: [32]byte{1}, Addresses: addresses}
	return t
}

func TestExternal(t *testing.T) {
	const own, other = "pc-1@" + testDomain, "fast-1@" + testDomain
	tests := []struct {
		name      string
		addresses []string
		authzid   string
		want      Condition
		id        string
	}{
		{"one address", []string{own}, "", "", "pc-1"},
		{"one address, own authzid", []string{own}, own, "", "pc-1"},
		{"case is folded", []string{"PC-1@XMPP.example.ORG"}, "pc-1@XMPP.EXAMPLE.org", "", "pc-1"},
		{"one address, twice", []string{own, own}, "", "", "pc-1"},
		{"one address of ours", []string{"pc-7@other.example.org", own}, "", "", "pc-1"},
		{"two addresses, the first", []string{own, other}, own, "", "pc-1"},
		{"two addresses, the second", []string{own, other}, other, "", "fast-1"},
		{"two addresses, none asked for", []string{own, other}, "", InvalidAuthzid, ""},
		{"another's authzid", []string{own}, other, InvalidAuthzid, ""},
		{"authzid of an id alone", []string{own}, "pc-1", InvalidAuthzid, ""},
		{"authzid with a resource", []string{own}, own + "/r", InvalidAuthzid, ""},
		{"authzid of the domain", []string{own}, testDomain, InvalidAuthzid, ""},
		{"authzid with NUL", []string{own}, own + "\x00", InvalidAuthzid, ""},
		{"unknown endpoint", []string{"nobody@" + testDomain}, "", NotAuthorized, ""},
		{"disabled endpoint", []string{"off-1@" + testDomain}, "", AccountDisabled, ""},
		{"store fails", []string{"bad-1@" + testDomain}, "", TemporaryAuthFailure, ""},
	}
	for _, tt := range tests {
		t.Run("attack row 1: "+tt.name, func(t *testing.T) {
			s, _ := newTestServer(t)
			x := start(t, s, External, certified(tt.addresses...))
			answer, done, err := x.Step(t.Context(), []byte(tt.authzid))
			if got := condition(t, err); got != tt.want || done != (tt.want == "") || len(answer) != 0 {
				t.Fatalf("Step() = %q, %v, %v, want %q", answer, done, err, tt.want)
			}
			want := endpoint.Key{}
			if tt.id != "" {
				want = endpoint.Key{Domain: testDomain, ID: tt.id}
			}
			if x.Identity() != want || (x.SecretMark() != nil) != (tt.want == "") {
				t.Errorf("Identity() = %v, mark %x, want %v", x.Identity(), x.SecretMark(), want)
			}
		})
	}
}

// TestExternalIsOfferedWithACertificateAlone: attack row 2, names that are nearly ours name nobody.
func TestExternalIsOfferedWithACertificateAlone(t *testing.T) {
	usable := []string{"pc-1@" + testDomain, "PC-1@" + testDomain}
	useless := []string{
		"", "@", "pc-1", "pc-1@", "@" + testDomain, testDomain, "pc-1@other.example.org", "pc-1@" + testDomain + ".", "pc-1@" + testDomain + "/r",
		"pc-1@" + testDomain + "\x00", "pc-1\x00@" + testDomain, "pc-1@x@" + testDomain, " pc-1@" + testDomain, "pc-1,CN=admin@" + testDomain,
		"//pc-1@" + testDomain, "pc%2d1@" + testDomain, "pc-1@" + testDomain + "?message", "\u212a@" + testDomain, "CN=pc-1@" + testDomain,
	}
	s, _ := newTestServer(t)
	for _, address := range append(usable, useless...) {
		want := slices.Contains(usable, address)
		names := offer(certified(address))
		if got := slices.Contains(names, External); got != want || want && names[0] != External {
			t.Errorf("%q: offered %v, want EXTERNAL first: %v", address, names, want)
		}
		if _, err := s.Start(External, Input{Domain: testDomain, TLS: certified(address)}); (err == nil) != want {
			t.Errorf("%q: Start() = %v", address, err)
		}
	}
	plain := link.TLS{Client: certified(usable...).Client}
	if names := offer(plain); names != nil {
		t.Errorf("outside TLS %v are offered", names)
	}
}

func TestExternalAsksForTheMessageIfNoneCame(t *testing.T) {
	s, _ := newTestServer(t)
	x := start(t, s, External, certified("pc-1@"+testDomain))
	if challenge, done, err := x.Step(t.Context(), nil); len(challenge) != 0 || done || err != nil {
		t.Fatalf("Step(nil) = %q, %v, %v", challenge, done, err)
	}
	if _, done, err := x.Step(t.Context(), []byte{}); !done || err != nil {
		t.Errorf("Step() = %v, %v", done, err)
	}
}

// TestExternalWithoutAddresses: no address, no login, also for who reaches the mechanism by another way.
func TestExternalWithoutAddresses(t *testing.T) {
	s, accounts := newTestServer(t)
	x := &Exchange{server: s, in: Input{Domain: testDomain, TLS: tls13()}, conversation: external{}}
	if _, done, err := x.Step(context.Background(), []byte("pc-1@"+testDomain)); condition(t, err) != NotAuthorized || done {
		t.Errorf("Step() = %v, %v, want %q", done, err, NotAuthorized)
	}
	if n := accounts.asked.Load(); n != 0 {
		t.Errorf("the store was asked %d times", n)
	}
}
