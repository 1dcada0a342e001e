package scan

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestAnySplitFindsTheSame(t *testing.T) {
	for _, tt := range corpus {
		checkSplits(t, []byte(wholeInput(tt.input, tt.whole)), Limits{})
	}
	g := newGenerator(2)
	for range 500 {
		checkSplits(t, g.document(), Limits{Bytes: 50 + g.IntN(200), Depth: 1 + g.IntN(5), Attributes: 1 + g.IntN(5), Namespaces: 2 + g.IntN(4)})
	}
}

// checkSplits compares the whole input at once with one byte at a time and with every single cut.
func checkSplits(t *testing.T, in []byte, limits Limits) {
	t.Helper()
	s := New(limits)
	want, wantErr := feed(&s, in, []int{len(in)})
	check := func(ends []int) {
		t.Helper()
		s := New(limits)
		got, gotErr := feed(&s, in, ends)
		if d := cmp.Diff(want, got); d != "" {
			t.Fatalf("%q cut at %v (-whole +cut):\n%s", in, ends, d)
		}
		if d := cmp.Diff(fmt.Sprint(wantErr), fmt.Sprint(gotErr)); d != "" {
			t.Fatalf("%q cut at %v (-whole +cut):\n%s", in, ends, d)
		}
	}
	var all []int
	for i := 1; i <= len(in); i++ {
		all = append(all, i)
	}
	check(all)
	for i := 1; i < len(in); i++ {
		check([]int{i, len(in)})
	}
}

func TestWorkIsLinearInOneByteSegments(t *testing.T) {
	long := strings.Repeat("x", 20000)
	tests := []struct{ name, in string }{
		{"attribute value", `<a b='` + long + `'/>`},
		{"attribute name", `<a ` + long + `=''/>`},
		{"element name", `<` + long + `></` + long + `>`},
		{"text", `<a>` + long + `</a>`},
		{"CDATA", `<a><![CDATA[` + long + `]]></a>`},
		{"brackets in CDATA", `<a><![CDATA[` + strings.Repeat("]", 20000) + `]]></a>`},
		{"reference", `<a>&#x` + strings.Repeat("0", 20000) + `41;</a>`},
		{"white space in a tag", `<a` + strings.Repeat(" ", 20000) + `b=''/>`},
		{"quotes", `<a>` + strings.Repeat(`<b c='' d="'"/>`, 2000) + `</a>`},
		{"nested", strings.Repeat(`<a>`, 3000) + strings.Repeat(`</a >`, 3000)},
		{"keepalives", strings.Repeat(" ", 20000)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := New(Limits{Bytes: 1 << 20, Depth: 5000})
			if _, err := drain(&s, []byte(openClient)); err != nil {
				t.Fatal(err)
			}
			s.examined = 0
			in := []byte(tt.in)
			consumed := 0
			for i := range in {
				ev, n, err := s.Next(in[consumed : i+1])
				if err != nil {
					t.Fatal(err)
				}
				if consumed += n; (ev.Kind == NeedMore) != (n == 0) {
					t.Fatalf("%v with n = %d", ev.Kind, n)
				}
			}
			if consumed != len(in) {
				t.Fatalf("%d of %d bytes consumed", consumed, len(in))
			}
			if most := 3*len(in) + 100; s.examined < len(in) || s.examined > most {
				t.Errorf("%d bytes examined for %d, want at most %d", s.examined, len(in), most)
			}
		})
	}
}
