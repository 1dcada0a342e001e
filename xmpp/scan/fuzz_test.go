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
		if !whole {
			st, err := Parse(in, limits)
			if err == nil && isASCII(in) && !wellFormed(string(st.Raw)) {
				t.Errorf("%q is accepted", st.Raw)
			}
			in = append([]byte(openClient), in...)
		}
		s := New(limits)
		want, wantErr := drain(&s, in)

		g := newGenerator(cuts)
		var ends []int
		for end := 0; end < len(in); ends = append(ends, end) {
			end = min(len(in), end+1+g.IntN(8))
		}
		s = New(limits)
		got, gotErr := feed(&s, in, ends)
		if d := cmp.Diff(want, got); d != "" || fmt.Sprint(wantErr) != fmt.Sprint(gotErr) {
			t.Fatalf("%q cut at %v: %v, want %v (-whole +cut):\n%s", in, ends, gotErr, wantErr, d)
		}
		if s.examined > 4*len(in)+100 {
			t.Errorf("%d bytes examined for %d", s.examined, len(in))
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

		alone, err := Parse(SpliceAlone(nil, &ev.Stanza, from), wide)
		checkSpliced(t, alone, err, want, from)
		spliced := Splice(nil, &ev.Stanza, from)
		plain := New(wide)
		if _, _, err := plain.Next([]byte(openClient)); err != nil {
			t.Fatal(err)
		}
		ev, n, err := plain.Next(spliced)
		if ev.Kind != TopLevel || n != len(spliced) {
			t.Fatalf("%q: %v, n = %d of %d, %v", spliced, ev.Kind, n, len(spliced), err)
		}
		checkSpliced(t, ev.Stanza, err, want, from)
		if again := Splice(nil, &ev.Stanza, from); !bytes.Equal(again, spliced) {
			t.Errorf("spliced twice:\n%q\n%q", spliced, again)
		}
	})
}

func checkSpliced(t *testing.T, st Stanza, err error, want, from string) {
	t.Helper()
	if err != nil {
		t.Fatalf("want %s, %v", want, err)
	}
	if got := string(st.From()); got != from {
		t.Errorf("%q: from = %q, want %q", st.Raw, got, from)
	}
	if got := dumpElement(st.Element()); got != want {
		t.Errorf("%q:\n%s, want\n%s", st.Raw, got, want)
	}
}
