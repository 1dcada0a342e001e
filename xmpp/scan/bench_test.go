package scan

import (
	"strings"
	"testing"
)

var benchStanzas = []struct{ name, stanza string }{
	{"ping124", pad(`<iq from='laptop-0042@example.com/agent' to='example.com' id='p-00001' type='get'><ping xmlns='urn:xmpp:ping'/></iq>`, 124)},
	{"presence156", pad(`<presence from='laptop-0042@example.com/agent'><c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='https://signalbox/' ver='00000000000000='/></presence>`, 156)},
	{"message565", pad(`<message to='laptop-0042@example.com/agent' from='example.com' id='m-1' type='normal'><push xmlns='urn:signalbox:push:1' id='0190' type='policy.refresh' priority='high'><json xmlns='urn:xmpp:json:0'>{&quot;policy&quot;:&quot;</json></push><request xmlns='urn:xmpp:receipts'/></message>`, 565)},
	{"message4096", pad(`<message to='laptop-0042@example.com/agent' from='example.com' id='m-1' type='normal'><push xmlns='urn:signalbox:push:1' id='0190' type='policy.refresh' priority='high'><json xmlns='urn:xmpp:json:0'>{&quot;policy&quot;:&quot;</json></push><request xmlns='urn:xmpp:receipts'/></message>`, 4096)},
}

// pad brings the stanza to n bytes: within its id, or within the text if it is long.
func pad(stanza string, n int) string {
	missing := max(0, n-len(stanza))
	if i := strings.Index(stanza, "</json>"); i >= 0 {
		return stanza[:i] + strings.Repeat("policy text ", missing/12+1)[:missing] + stanza[i:]
	}
	i := strings.LastIndex(stanza, "00")
	return stanza[:i] + strings.Repeat("0", missing) + stanza[i:]
}

func BenchmarkNext(b *testing.B) {
	for _, bb := range benchStanzas {
		b.Run(bb.name, func(b *testing.B) {
			s := openScanner(b)
			in := []byte(bb.stanza)
			b.ReportAllocs()
			b.SetBytes(int64(len(in)))
			for b.Loop() {
				if ev, n, err := s.Next(in); err != nil || ev.Kind != TopLevel || n != len(in) {
					b.Fatal(ev.Kind, n, err)
				}
			}
		})
	}
}

func BenchmarkNextOneByteSegments(b *testing.B) {
	s := openScanner(b)
	in := []byte(benchStanzas[2].stanza)
	b.ReportAllocs()
	b.SetBytes(int64(len(in)))
	for b.Loop() {
		for i := 1; i <= len(in); i++ {
			ev, _, err := s.Next(in[:i])
			if err != nil || (ev.Kind == TopLevel) != (i == len(in)) {
				b.Fatal(i, ev.Kind, err)
			}
		}
	}
}

func BenchmarkSplice(b *testing.B) {
	s := openScanner(b)
	ev, _, err := s.Next([]byte(benchStanzas[0].stanza))
	if err != nil {
		b.Fatal(err)
	}
	dst := make([]byte, 0, 1024)
	b.ReportAllocs()
	for b.Loop() {
		dst = Splice(dst[:0], &ev.Stanza, "laptop-0042@example.com/agent")
	}
}

func openScanner(t testing.TB) *Scanner {
	t.Helper()
	s := New(Limits{})
	if _, _, err := s.Next([]byte(openClient)); err != nil {
		t.Fatal(err)
	}
	return &s
}

func BenchmarkElementAttr(b *testing.B) {
	st := scanOne(b, openClient, `<message to='a'><body>x</body><received xmlns='urn:xmpp:receipts' id='1'/></message>`)
	b.ReportAllocs()
	for b.Loop() {
		if id, _ := st.Element().Child("urn:xmpp:receipts", "received").Attr("id"); string(id) != "1" {
			b.Fatalf("id = %q", id)
		}
	}
}

// A long start tag around many children of the name that is sought must not be read once per child.
func BenchmarkChildOfLongTag(b *testing.B) {
	in := `<message a='` + strings.Repeat("x", 100000) + `'>` + strings.Repeat(`<x/>`, 20000) + `</message>`
	st, err := Parse([]byte(in), Limits{Bytes: 1 << 20})
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if st.Element().Child("urn:x", "x").Exists() {
			b.Fatal("found")
		}
	}
}
