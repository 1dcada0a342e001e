package sasl

import (
	"testing"
)

// exchanges returns a function that takes one whole SCRAM login through the server; the client's share is done once, before.
func exchanges(tb testing.TB) func() {
	tb.Helper()
	s, _ := newTestServer(tb)
	const nonce = "0123456789abcdefghijklmn"
	begin := func() *Exchange {
		x := start(tb, s, ScramSHA256Plus, tls13())
		x.conversation.(*scram).serverNonce = nonce
		return x
	}
	var final []byte
	c := newClient("pc-1")
	c.header, c.bound = "p=tls-exporter,,", tls13().Exporter
	c.mangle = func(f string) string { final = []byte(f); return f }
	if _, err := c.run(tb, begin()); err != nil {
		tb.Fatal(err)
	}
	first, ctx := []byte(c.header+c.bare), tb.Context()
	return func() {
		x := begin()
		if _, _, err := x.Step(ctx, first); err != nil {
			tb.Fatal(err)
		}
		if _, done, err := x.Step(ctx, final); err != nil || !done {
			tb.Fatal(done, err)
		}
	}
}

func BenchmarkScramExchange(b *testing.B) {
	exchange := exchanges(b)
	b.ReportAllocs()
	for b.Loop() {
		exchange()
	}
}

func TestScramExchangeAllocations(t *testing.T) {
	const most = 52 // 48, and a few of the race detector
	if n := testing.AllocsPerRun(100, exchanges(t)); n > most {
		t.Errorf("%v allocations per login, at most %d are allowed", n, most)
	}
}
