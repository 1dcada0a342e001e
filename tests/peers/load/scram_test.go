package main

import (
	"crypto/sha256"
	"testing"
)

// TestExchange is the example of RFC 7677 section 3.
func TestExchange(t *testing.T) {
	x := &exchange{keys: &keychain{password: "pencil", kept: map[string]salted{}}, hash: sha256.New}
	x.first("user")
	x.nonce, x.firstBare = "rOprNGfwEbeRWgbNEkqO", "n=user,r=rOprNGfwEbeRWgbNEkqO"
	final, err := x.final("r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096")
	if err != nil {
		t.Fatal(err)
	}
	const want = "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
	if final != want {
		t.Errorf("final = %q, want %q", final, want)
	}
	if err := x.verify("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="); err != nil {
		t.Error(err)
	}
	if x.verify("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G0=") == nil || x.verify("e=other-error") == nil {
		t.Error("a server that does not know the password passes")
	}
	if _, err := x.final("r=somebody-else,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"); err == nil {
		t.Error("a challenge with another nonce passes")
	}
}
