package scan

import (
	"bytes"
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func addSeeds(f *testing.F, add func(in []byte)) {
	f.Helper()
	for _, tt := range corpus {
		add([]byte(tt.input))
	}
	g := newGenerator(3)
	for range 50 {
		add(g.element(nil, 0))
	}
}

// FuzzScanner: nothing panics, the cut of the input does not matter, work stays linear, and what is accepted is
// well-formed by another measure.
func FuzzScanner(f *testing.F) {
	addSeeds(f, func(in []byte) {
		f.Add(in, uint64(1), false)
		f.Add(append([]byte(openWithPrefix), in...), uint64(2), true)
	})
	f.Fuzz(func(t *testing.T, in []byte, cuts uint64, whole bool) {
		limits := Limits{Bytes: 300, Depth: 6, Attributes: 6, Namespaces: 6}
		start := NewFramed
		if whole {
			start = New
		}
		s := start(limits)
		want, wantErr := drain(&s, in)

		g := newGenerator(cuts)
		var ends []int
		for end := 0; end < len(in); ends = append(ends, end) {
			end = min(len(in), end+1+g.IntN(8))
		}
		cut := start(limits)
		got, gotErr := feed(&cut, in, ends)
		if d := cmp.Diff(want, got); d != "" || fmt.Sprint(wantErr) != fmt.Sprint(gotErr) {
			t.Fatalf("%q cut at %v: %v, want %v (-whole +cut):\n%s", in, ends, gotErr, wantErr, d)
		}
		if cut.examined > 4*len(in)+100 {
			t.Errorf("%d bytes examined for %d", cut.examined, len(in))
		}
		if whole || wantErr != nil || !isASCII(in) {
			return
		}
		s = start(limits)
		for rest := in; len(rest) > 0; {
			ev, n, err := s.Next(rest)
			if err != nil || n == 0 {
				break
			}
			if ev.Kind == TopLevel && !wellFormed(string(ev.Stanza.Raw)) {
				t.Errorf("%q is accepted", ev.Stanza.Raw)
			}
			rest = rest[n:]
		}
	})
}

func isASCII(in []byte) bool {
	return !slices.ContainsFunc(in, func(c byte) bool { return c >= 0x80 })
}

// FuzzSplice: what Splice writes is accepted in a plain stream and alone, and differs from the original in from only.
func FuzzSplice(f *testing.F) {
	addSeeds(f, func(in []byte) { f.Add(in, "user@example.com/r") })
	f.Fuzz(func(t *testing.T, in []byte, from string) {
		if from == "" || !ValidText(from) {
			return
		}
		s := New(Limits{})
		if _, _, err := s.Next([]byte(openWithPrefix)); err != nil {
			t.Fatal(err)
		}
		ev, _, err := s.Next(in)
		if err != nil || ev.Kind != TopLevel {
			return
		}
		wide := Limits{Bytes: 1 << 20, Depth: 40, Attributes: 40, Namespaces: 40}
		want := dumpWithFrom(ev.Stanza.Element(), from)

		framed := NewFramed(wide)
		checkSpliced(t, &framed, SpliceAlone(nil, &ev.Stanza, from), want, from)
		plain := New(wide)
		if _, _, err := plain.Next([]byte(openClient)); err != nil {
			t.Fatal(err)
		}
		st := checkSpliced(t, &plain, Splice(nil, &ev.Stanza, from), want, from)
		if again := Splice(nil, &st, from); !bytes.Equal(again, st.Raw) {
			t.Errorf("spliced twice:\n%q\n%q", st.Raw, again)
		}
	})
}

func checkSpliced(t *testing.T, s *Scanner, out []byte, want, from string) Stanza {
	t.Helper()
	ev, n, err := s.Next(out)
	if err != nil || ev.Kind != TopLevel || n != len(out) {
		t.Fatalf("%q: %v, n = %d of %d, %v", out, ev.Kind, n, len(out), err)
	}
	if got := string(ev.Stanza.From()); got != from {
		t.Errorf("%q: from = %q, want %q", out, got, from)
	}
	if got := dumpElement(ev.Stanza.Element()); got != want {
		t.Errorf("%q:\n%s, want\n%s", out, got, want)
	}
	return ev.Stanza
}
