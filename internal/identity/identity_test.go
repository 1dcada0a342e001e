package identity

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

func TestSignatureIsOfOneKeyPurposeAndData(t *testing.T) {
	k, other := Generate(), Generate()
	sig := k.Sign("purpose", []byte("data"))
	flipped := bytes.Clone(sig)
	flipped[7] ^= 1
	for _, tt := range []struct {
		name    string
		p       Public
		purpose string
		data    string
		sig     []byte
		want    bool
	}{
		{"the same", k.Public(), "purpose", "data", sig, true},
		{"another key", other.Public(), "purpose", "data", sig, false},
		{"no key", Public{}, "purpose", "data", sig, false},
		{"another purpose", k.Public(), "purposes", "data", sig, false},
		{"data moved into the purpose", k.Public(), "purpose\x00d", "ata", sig, false},
		{"purpose moved into the data", k.Public(), "purpos", "e\x00data", sig, false},
		{"other data", k.Public(), "purpose", "date", sig, false},
		{"a bit flipped", k.Public(), "purpose", "data", flipped, false},
		{"short", k.Public(), "purpose", "data", sig[:63], false},
		{"long", k.Public(), "purpose", "data", append(bytes.Clone(sig), 0), false},
		{"none", k.Public(), "purpose", "data", nil, false},
	} {
		if got := tt.p.Verify(tt.purpose, []byte(tt.data), tt.sig); got != tt.want {
			t.Errorf("%s: Verify() = %v, want %v", tt.name, got, tt.want)
		}
	}
}

func TestPublicAsText(t *testing.T) {
	p := Generate().Public()
	text := p.String()
	if len(text) != 48 || !strings.HasPrefix(text, "sbk1:") {
		t.Errorf("String() = %q, want sbk1: and 43 characters", text)
	}
	if got, err := ParsePublic(text); err != nil || got != p {
		t.Errorf("ParsePublic(%q) = %v, %v", text, got, err)
	}
	if (Public{}).String() != "" || !(Key{}).Public().IsZero() {
		t.Error("the zero key has a text")
	}
	for _, bad := range []string{"", "sbk1:", text[5:], "sbk2" + text[4:], text[:47], text + "A", text + "=", " " + text, text + "\n", "sbk1:" + strings.Repeat("A", 43), strings.ToUpper(text[:4]) + text[4:]} {
		if got, err := ParsePublic(bad); err == nil {
			t.Errorf("ParsePublic(%q) = %v, want an error", bad, got)
		}
	}
}

func TestPublicInJSON(t *testing.T) {
	type pair struct{ A, B Public }
	want := pair{A: Generate().Public()}
	b, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	var got pair
	if err := json.Unmarshal(b, &got); err != nil || got != want {
		t.Errorf("read %+v, %v from %s, want %+v", got, err, b, want)
	}
	if err := json.Unmarshal([]byte(`{"A":"sbk1:x"}`), &got); err == nil || got != want {
		t.Errorf("a bad key gives %v and %+v, want an error and no change", err, got)
	}
}

// What is read as a key is what it is written as: no key has two spellings.
func FuzzParsePublic(f *testing.F) {
	for _, s := range []string{"", "sbk1:", Generate().Public().String(), "sbk1:" + strings.Repeat("_", 43), "sbk1:" + strings.Repeat("A", 42) + "B"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p, err := ParsePublic(text)
		if err == nil && (p.String() != text || p.IsZero()) {
			t.Errorf("ParsePublic(%q) = %s", text, p)
		}
		if err != nil && !p.IsZero() {
			t.Errorf("ParsePublic(%q) = %s beside an error", text, p)
		}
	})
}

func TestEnrolmentToken(t *testing.T) {
	server := Generate().Public()
	token, other := NewEnrolmentToken(server), NewEnrolmentToken(server)
	read, err := ParseEnrolmentToken(token.String())
	if err != nil || read != token || read.Hash() != token.Hash() || token == other || token.Hash() == other.Hash() {
		t.Errorf("ParseEnrolmentToken() = %v, %v, want the token, which is like no other", read, err)
	}
	if !read.Names(server) || read.Names(Generate().Public()) || read.Names(Public{}) || (EnrolmentToken{}).Names(Public{}) {
		t.Error("a token names another server than the one that made it")
	}
	text := token.String()
	for _, bad := range []string{"", "sbe_", "sbx_" + text[4:], text[:69], text + "A", text[4:], text[:47] + text[48:], text[:20] + "\n" + text[21:], strings.ReplaceAll(text, ".", ":")} {
		if got, err := ParseEnrolmentToken(bad); err == nil || strings.Contains(err.Error(), text[4:20]) {
			t.Errorf("ParseEnrolmentToken(%q) = %v, %v, want an error that does not show it", bad, got, err)
		}
	}
}
