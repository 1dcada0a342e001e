package certs

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/google/go-cmp/cmp"
)

func TestParseAcceptsEveryOrder(t *testing.T) {
	p := newPKI(t)
	parts := [][]byte{p.leaf.keyPEM(t), p.leaf.certPEM(), p.inter.certPEM(), p.root.certPEM()}
	permute(parts, func(order [][]byte) {
		b, err := Parse("b.pem", concat(order...), now, testOptions())
		if err != nil {
			t.Fatalf("Parse(%d parts) = %v", len(order), err)
		}
		wantSent(t, b, p.leaf, p.inter)
		if b.Root == nil || !b.Root.Equal(p.root.cert) || len(b.Warnings) != 0 {
			t.Fatalf("root, warnings = %v, %v; want the root and none", b.Root, b.Warnings)
		}
	})
}

func permute(parts [][]byte, visit func([][]byte)) {
	var walk func(done, rest [][]byte)
	walk = func(done, rest [][]byte) {
		if len(rest) == 0 {
			visit(done)
		}
		for i := range rest {
			walk(append(slices.Clone(done), rest[i]), slices.Concat(rest[:i], rest[i+1:]))
		}
	}
	walk(nil, parts)
}

func wantSent(t *testing.T, b *Bundle, want ...*identity) {
	t.Helper()
	var wantDER [][]byte
	for _, w := range want {
		wantDER = append(wantDER, w.cert.Raw)
	}
	if diff := cmp.Diff(wantDER, b.cert.Certificate); diff != "" {
		t.Fatalf("certificates sent differ (-want +got):\n%s", diff)
	}
}

func TestParseRepairsWhatToolsDoToText(t *testing.T) {
	p := newPKI(t)
	good := p.bundle(t)
	parts := [][]byte{p.leaf.keyPEM(t), p.leaf.certPEM(), p.inter.certPEM(), p.root.certPEM()}
	trimmed := make([][]byte, len(parts))
	withBOM := make([][]byte, len(parts))
	withText := make([][]byte, len(parts))
	for i, part := range parts {
		trimmed[i] = bytes.TrimSpace(part)
		withBOM[i] = concat([]byte("\xEF\xBB\xBF"), part)
		withText[i] = concat([]byte("Bag Attributes\n  friendlyName: part\nsubject=/CN=x\n"), part)
	}
	oneDash := bytes.ReplaceAll(concat(trimmed...), []byte("----------"), []byte("-----"))
	tests := map[string]struct {
		data     []byte
		repaired bool
	}{
		"CRLF":                       {data: bytes.ReplaceAll(good, []byte("\n"), []byte("\r\n"))},
		"CR":                         {data: bytes.ReplaceAll(good, []byte("\n"), []byte("\r"))},
		"BOM":                        {data: concat([]byte("\xEF\xBB\xBF"), good)},
		"BOM in every joined file":   {data: concat(withBOM...)},
		"explanations":               {data: concat(withText...)},
		"indented":                   {data: bytes.ReplaceAll(good, []byte("\n"), []byte("\n    "))},
		"blank lines":                {data: bytes.ReplaceAll(good, []byte("\n"), []byte("\n\n"))},
		"no last newline":            {data: bytes.TrimSpace(good)},
		"joined without newline":     {data: concat(trimmed...), repaired: true},
		"joined with shared dashes":  {data: oneDash, repaired: true},
		"every block twice":          {data: concat(good, good)},
		"UTF-16 little endian":       {data: toUTF16(good, false)},
		"UTF-16 big endian":          {data: toUTF16(good, true)},
		"text behind the last block": {data: concat(good, []byte("\nthat is all"))},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			b, err := Parse("b.pem", test.data, now, testOptions())
			if err != nil {
				t.Fatalf("Parse = %v", err)
			}
			wantSent(t, b, p.leaf, p.inter)
			var want []Code
			if test.repaired {
				want = []Code{Repaired}
			}
			if diff := cmp.Diff(want, b.Warnings.Codes(), cmpEmpty); diff != "" {
				t.Errorf("warnings differ (-want +got):\n%s", diff)
			}
		})
	}
}

// cmpEmpty makes nil and empty lists of codes equal.
var cmpEmpty = cmp.Transformer("codes", func(cs []Code) string { return fmt.Sprint(cs) })

func toUTF16(text []byte, bigEndian bool) []byte {
	var out []byte
	for _, u := range append([]uint16{0xFEFF}, utf16.Encode([]rune(string(text)))...) {
		if bigEndian {
			out = append(out, byte(u>>8), byte(u))
		} else {
			out = append(out, byte(u), byte(u>>8))
		}
	}
	return out
}

func TestErrorTellsWhatIsWrongAndWhatToDo(t *testing.T) {
	_, err := Parse("/etc/signalbox/certs/company.local.pem", nil, now, testOptions())
	want := "/etc/signalbox/certs/company.local.pem: the file is empty; " + Empty.Fix() + " (empty)"
	if err == nil || err.Error() != want {
		t.Errorf("error = %v, want %s", err, want)
	}
	if !errors.Is(err, &Error{Code: Empty}) || errors.Is(err, &Error{Code: NoPEM}) {
		t.Errorf("errors.Is does not tell codes apart")
	}
	var e *Error
	if !errors.As(err, &e) || e.Severity != Fatal || strings.Contains(e.Fix, "\n") {
		t.Errorf("errors.As = %+v, want a fatal error with one line of advice", e)
	}
}
