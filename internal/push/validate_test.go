package push

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

func TestNormaliseNamesEveryMistake(t *testing.T) {
	_, err := normalise(Push{Type: "a b", TTL: -1, Priority: 9, Ack: 9, Payload: []byte("{")})
	want := []string{
		"/to: must name an endpoint",
		"/type: has a character that is not allowed at byte 1; use a-z, A-Z, 0-9 and . _ -",
		"/ttl: must be 0 to 2419200 seconds",
		"/priority: must be high, normal or low",
		"/ack: must be none, delivered or handled",
		"/payload: is not valid JSON",
	}
	var all FieldErrors
	if !errors.As(err, &all) {
		t.Fatalf("normalise() = %v, want FieldErrors", err)
	}
	if diff := cmp.Diff(strings.Join(want, "; "), all.Error()); diff != "" {
		t.Errorf("mistakes (-want +got):\n%s", diff)
	}
	var one *FieldError
	if !errors.As(err, &one) || one.Pointer != "/to" {
		t.Errorf("errors.As(*FieldError) = %v", one)
	}
}

func TestCheckType(t *testing.T) {
	for _, good := range []string{"a", "demo.ping", "Policy_2.re-fresh", strings.Repeat("t", MaxTypeBytes)} {
		if got := checkType(good); got != "" {
			t.Errorf("checkType(%q) = %q", good, got)
		}
	}
	for _, bad := range []string{"", ".a", "a.", "a..b", "a/b", "ä", "a\n", strings.Repeat("t", MaxTypeBytes+1)} {
		if checkType(bad) == "" {
			t.Errorf("checkType(%q) finds nothing wrong", bad)
		}
	}
}

func TestNormalisePayload(t *testing.T) {
	full := `"` + strings.Repeat("x", MaxPayloadBytes-2) + `"`
	for _, c := range []struct{ name, in, want, pointer string }{
		{"compacted", " {\r\n\t\"a\" : [1, 2] } ", `{"a":[1,2]}`, ""},
		{"white space in texts stays", `"a b"`, `"a b"`, ""},
		{"null", "null", "null", ""},
		{"largest", full, full, ""},
		{"too big", full + " ", "", "/payload"},
		{"too big once escaped", `"` + strings.Repeat("\uffff", MaxPayloadBytes/4) + `"`, "", "/payload"},
		{"U+FFFE and U+FFFF", "{\"\ufffe\":\"a\uffffb\"}", `{"\ufffe":"a\uffffb"}`, ""},
		{"other planes' non-characters are legal XML", "\"\U0001fffe\"", "\"\U0001fffe\"", ""},
		{"escaped control characters", `"\u0000\b"`, `"\u0000\b"`, ""},
		{"raw control character", "\"\x01\"", "", "/payload"},
		{"empty", "", "", "/payload"},
		{"two values", "1 2", "", "/payload"},
		{"invalid UTF-8", "\"\xc3\x28\"", "", "/payload"},
		{"surrogate in UTF-8", "\"\xed\xa0\x80\"", "", "/payload"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, err := normalise(fill(Push{Payload: []byte(c.in)}))
			var mistake *FieldError
			if errors.As(err, &mistake) != (c.pointer != "") || mistake != nil && mistake.Pointer != c.pointer {
				t.Fatalf("normalise() = %v, want a mistake at %q", err, c.pointer)
			}
			if got := string(p.Payload); got != c.want {
				t.Errorf("normalise() = %q, want %q", got, c.want)
			}
		})
	}
}

func TestNormaliseLeavesBinaryAndAbsentPayloads(t *testing.T) {
	p, err := normalise(fill(Push{Binary: true, Payload: []byte{0, 0xff}}))
	if err != nil || !bytes.Equal(p.Payload, []byte{0, 0xff}) {
		t.Errorf("normalise(binary) = %v, %v", p.Payload, err)
	}
	if p, err = normalise(fill(Push{})); err != nil || p.Payload != nil {
		t.Errorf("normalise(no payload) = %v, %v", p.Payload, err)
	}
	var mistake *FieldError
	_, err = normalise(fill(Push{Binary: true, Payload: make([]byte, MaxPayloadBytes+1)}))
	if !errors.As(err, &mistake) || mistake.Pointer != "/payload_base64" {
		t.Errorf("normalise(big binary) = %v", err)
	}
	if _, err = normalise(fill(Push{TTL: MaxTTL + time.Second})); !errors.As(err, &mistake) || mistake.Pointer != "/ttl" {
		t.Errorf("normalise(long TTL) = %v", err)
	}
}

// Whatever passes can be carried by XML once < and & are escaped, and means the same as before.
func FuzzNormaliseJSON(f *testing.F) {
	for _, seed := range []string{`{"a":1}`, "\"\uffff\"", "\"\ufffe\\\\\"", "\"\x7f\u0085\u2028\"", "[1, 2]", "\"\xff\"", `"\ud800"`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		out, detail := normaliseJSON(text)
		if detail != "" {
			return
		}
		var before, after any
		if json.Unmarshal(text, &before) == nil {
			if err := json.Unmarshal(out, &after); err != nil || !reflect.DeepEqual(before, after) {
				t.Errorf("%q became %q: %v", text, out, err)
			}
		}
		if !utf8.Valid(out) || len(out) > MaxPayloadBytes {
			t.Errorf("%q is not fit for the wire", out)
		}
		var doc strings.Builder
		doc.WriteString("<json>")
		doc.WriteString(strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(string(out)))
		doc.WriteString("</json>")
		d := xml.NewDecoder(strings.NewReader(doc.String()))
		for {
			if _, err := d.Token(); err == io.EOF {
				break
			} else if err != nil {
				t.Fatalf("XML refuses %q: %v", out, err)
			}
		}
	})
}
