package guard

import (
	"net/netip"
	"testing"
	"time"
)

func TestNonces(t *testing.T) {
	now := time.Now()
	n, err := newNonces(func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	other, err := newNonces(n.now)
	if err != nil {
		t.Fatal(err)
	}
	client := netip.MustParseAddrPort("192.0.2.1:4711")
	nonce := n.issue(client)
	check := func(what string, who *nonces, nonce string, remote string, want bool) {
		t.Helper()
		if got := who.valid([]byte(nonce), netip.MustParseAddrPort(remote)); got != want {
			t.Errorf("%s: valid = %v, want %v", what, got, want)
		}
	}
	check("at once", n, nonce, "192.0.2.1:4711", true)
	check("for another port", n, nonce, "192.0.2.1:4712", false)
	check("for another address", n, nonce, "192.0.2.2:4711", false)
	check("of another server", other, nonce, "192.0.2.1:4711", false)
	check("cut", n, nonce[:21], "192.0.2.1:4711", false)
	check("empty", n, "", "192.0.2.1:4711", false)
	for i := range nonce {
		changed := []byte(nonce)
		if changed[i]++; changed[i] == '9'+1 || changed[i] == 'z'+1 {
			changed[i] = 'A'
		}
		if i < len(nonce)-1 { // the last character has bits that say nothing
			check("with one character changed", n, string(changed), "192.0.2.1:4711", false)
		}
	}
	now = now.Add(nonceLife - time.Second)
	check("nearly an hour later", n, nonce, "192.0.2.1:4711", true)
	now = now.Add(3 * time.Second)
	check("an hour later", n, nonce, "192.0.2.1:4711", false)
	if len(nonce) != 22 {
		t.Errorf("a nonce has %d characters: a 401 must stay small", len(nonce))
	}
}

// TestChallengeAlloc: what strangers have made for them costs no more than the message that they get.
func TestChallengeAlloc(t *testing.T) {
	n, err := newNonces(time.Now)
	if err != nil {
		t.Fatal(err)
	}
	client := netip.MustParseAddrPort("192.0.2.1:4711")
	if got := testing.AllocsPerRun(100, func() { n.issue(client) }); got > 1 {
		t.Errorf("%v allocations for a nonce, want the string alone", got)
	}
	l := newLimiter(1, 1)
	if got := testing.AllocsPerRun(100, func() { l.take(client.Addr()) }); got > 0 {
		t.Errorf("%v allocations to be told that there is no answer", got)
	}
}
