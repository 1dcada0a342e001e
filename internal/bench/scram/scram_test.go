package scram

import "testing"

// TestExchange is the example of RFC 7677 section 3.
func TestExchange(t *testing.T) {
	x := NewExchange(NewKeychain("pencil"))
	x.First("user")
	x.nonce, x.firstBare = "rOprNGfwEbeRWgbNEkqO", "n=user,r=rOprNGfwEbeRWgbNEkqO"
	final, err := x.Final("r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096")
	if err != nil {
		t.Fatal(err)
	}
	const want = "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
	if final != want {
		t.Errorf("final = %q, want %q", final, want)
	}
	if err := x.Verify("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="); err != nil {
		t.Error(err)
	}
	if x.Verify("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G0=") == nil || x.Verify("e=other-error") == nil {
		t.Error("a server that does not know the password passes")
	}
	if _, err := x.Final("r=somebody-else,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"); err == nil {
		t.Error("a challenge with another nonce passes")
	}
}
