package audit

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
)

// export writes a trail as a file.
func export(t testing.TB, entries []Entry, heads []Head) string {
	t.Helper()
	var b bytes.Buffer
	w := NewWriter(&b)
	for _, h := range heads {
		if err := w.Head(h); err != nil {
			t.Fatal(err)
		}
	}
	for _, e := range entries {
		if err := w.Entry(e); err != nil {
			t.Fatal(err)
		}
	}
	return b.String()
}

// TestFile: a file is read as it was written, whatever stands in its texts.
func TestFile(t *testing.T) {
	entries, heads := chain(t, 5, 3)
	odd, err := entries[4].Link().Next(Entry{
		At: day, Actor: "technician:<a> \" \\ \u2028 \x00 é", Action: SessionRefused, Detail: json.RawMessage(`{"<&>":"\u003c\u2028 ` + "\u2028" + `","n":1e3,"m":1000.0}`),
	}, day)
	if err != nil {
		t.Fatal(err)
	}
	longest, err := odd.Link().Next(Entry{
		Domain: strings.Repeat("\x01", MaxText), Actor: strings.Repeat("\x01", MaxText), Action: strings.Repeat("a", 100) + "." + strings.Repeat("b", MaxText-101),
		Subject: strings.Repeat("\x01", MaxText), Detail: json.RawMessage(`{"s":"` + strings.Repeat("x", MaxDetail-8) + `"}`),
	}, day)
	if err != nil {
		t.Fatal(err)
	}
	entries = append(entries, odd, longest)
	r, err := CheckFile(strings.NewReader(export(t, entries, append(heads, Sign(ours, ours.String(), longest.Link(), day)))), ours)
	if err != nil || r.Bad != nil || r.Last != 7 || r.Heads != 2 || r.Unsigned != 0 {
		t.Errorf("CheckFile = %+v, %v, bad %v", r, err, r.Bad)
	}
}

// TestChangedFile: what is done to a file is found where it was done.
func TestChangedFile(t *testing.T) {
	entries, heads := chain(t, 9, 4, 9)
	lines := strings.SplitAfter(export(t, entries, heads), "\n") // two heads, nine entries
	text := func(lines ...[]string) (all string) {
		for _, l := range lines {
			all += strings.Join(l, "")
		}
		return all
	}
	for _, tt := range []struct {
		name, text string
		from, to   int64
	}{
		{"a line is missing", text(lines[:5], lines[6:]), 4, 4},
		{"the last line is missing", text(lines[:10]), 9, 9},
		{"the end is missing", text(lines[:6]), 5, 9},
		{"lines change places", text(lines[:5], lines[6:7], lines[5:6], lines[7:]), 4, 4},
		{"a letter is changed", strings.Replace(text(lines), `"subject":"ses_3"`, `"subject":"ses_4"`, 1), 4, 4},
		{"a signature is changed", strings.Replace(text(lines), `"signature":"`, `"signature":"AAAA`, 1), 4, 4},
		{"entries alone are missing", text(lines[:2]), 1, 9},
	} {
		r, err := CheckFile(strings.NewReader(tt.text), ours)
		if err != nil || r.Bad == nil || r.Bad.From != tt.from || r.Bad.To != tt.to {
			t.Errorf("%s: %v, %v, want entries %d to %d", tt.name, r.Bad, err, tt.from, tt.to)
		}
	}
	for name, bad := range map[string]string{
		"no heads":            text(lines[2:]),
		"a head at the end":   text(lines[1:], lines[:1]),
		"half a line":         text(lines[:3]) + lines[3][:20],
		"something else":      text(lines[:3]) + "hello\n",
		"something unknown":   text(lines[:2]) + strings.Replace(lines[2], `"seq"`, `"x":1,"seq"`, 1),
		"two things in one":   text(lines[:2]) + strings.TrimSpace(lines[2]) + lines[3],
		"a head without hash": `{"kind":"head","seq":1,"at":"2026-01-01T00:00:00Z","key":"k","signature":""}`,
		"another kind":        strings.Replace(text(lines), `"kind":"head"`, `"kind":"tail"`, 1),
		"an entry as a head":  strings.Replace(text(lines), `"kind":"entry"`, `"kind":"head"`, 1),
		"an endless line":     text(lines[:2]) + `{"kind":"` + strings.Repeat("x", maxLine),
	} {
		if r, err := CheckFile(strings.NewReader(bad), ours); !errors.Is(err, ErrFile) {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
	}
	if r, err := CheckFile(strings.NewReader(""), ours); err != nil || r.Bad != nil || r.Last != 0 {
		t.Errorf("CheckFile of nothing = %+v, %v", r, err)
	}
}

// FuzzCheckFile: what anybody writes is read without harm, and only what was signed is good.
func FuzzCheckFile(f *testing.F) {
	entries, heads := chain(f, 3, 3)
	good := export(f, entries, heads)
	f.Add(good)
	f.Add(strings.Replace(good, "ses_1", "ses_2", 1))
	f.Add(`{"kind":"head","seq":1}`)
	f.Fuzz(func(t *testing.T, text string) {
		r, err := CheckFile(strings.NewReader(text), ours)
		if err == nil && r.Bad == nil && r.Heads > 0 && (r.Newest.Link != entries[2].Link() || r.First != 1) {
			t.Errorf("a trail that nobody signed is good: %+v", r)
		}
	})
}
