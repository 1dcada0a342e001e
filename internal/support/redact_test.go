package support

import (
	"encoding/base64"
	"encoding/hex"
	"net/url"
	"strings"
	"testing"
)

func TestKnownSecretsAreTakenOutInEverySpelling(t *testing.T) {
	const secret = "p@ss/w0rd+with \"odd\" <signs>"
	r := newRedactor([][]byte{[]byte(secret), []byte("short")})
	for name, text := range map[string]string{
		"raw": secret, "query": url.QueryEscape(secret), "path": url.PathEscape(secret), "hex": hex.EncodeToString([]byte(secret)), "HEX": strings.ToUpper(hex.EncodeToString([]byte(secret))),
		"JSON": `p@ss/w0rd+with \"odd\" \u003csigns\u003e`,
	} {
		if got := string(r.clean([]byte("before " + text + " after"))); got != "before "+removed+" after" {
			t.Errorf("%s: %s", name, got)
		}
	}
	for before := range 5 {
		for after := range 5 {
			text := strings.Repeat("x", before) + secret + strings.Repeat("y", after)
			for _, enc := range []*base64.Encoding{base64.StdEncoding, base64.RawStdEncoding, base64.URLEncoding, base64.RawURLEncoding} {
				got := string(r.clean([]byte(enc.EncodeToString([]byte(text)))))
				if !strings.Contains(got, removed) || len(got) > len(removed)+4*((before+after)/3+2) {
					t.Errorf("%d bytes before and %d after: %s", before, after, got)
				}
			}
		}
	}
	if got := string(r.clean([]byte("a short text"))); got != "a short text" {
		t.Errorf("too short a secret is looked for: %s", got)
	}
}

func TestPatternsOfSecrets(t *testing.T) {
	r := newRedactor(nil)
	for _, tc := range []struct{ text, want string }{
		{"token sbx_AbC-dEf_123 was used", "token sbx_[removed] was used"},
		{"enroll --token sbe_AbC.dEf_1-2 --x", "enroll --token sbe_[removed] --x"},
		{"whsec_aGVsbG8= and whsk_x+/y", "whsec_[removed] and whsk_[removed]"},
		{"Authorization: Bearer abc.def.ghi", "Authorization: [removed] [removed]"},
		{`{"password":"hunter2","n":1}`, `{"password":"[removed]","n":1}`},
		{"?api-key=hunter2&x=1", "?api-key=[removed]&x=1"},
		{"proxy http://ann:hunter2@proxy:3128/", "proxy http://ann:[removed]@proxy:3128/"},
		{"a\n-----BEGIN EC PRIVATE KEY-----\nMHcC\n-----END EC PRIVATE KEY-----\nb", "a\n[removed]\nb"},
		{"-----BEGIN PRIVATE KEY-----\nMHcC cut", "[removed]"},
		{`{"level":"info","endpoint":"pc-1@lab.example","at":"2026-01-02T03:04:05Z"}`, `{"level":"info","endpoint":"pc-1@lab.example","at":"2026-01-02T03:04:05Z"}`},
		{"secret_file: /etc/signalbox/turn.secret", "secret_file: /etc/signalbox/turn.secret"},
		{"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----", "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----"},
	} {
		if got := string(r.clean([]byte(tc.text))); got != tc.want {
			t.Errorf("clean(%q) = %q, want %q", tc.text, got, tc.want)
		}
	}
}

func TestPasswordsOf(t *testing.T) {
	for _, tc := range []struct {
		text string
		want []string
	}{
		{"postgres://ann:p%40ss@db/x?sslmode=disable", []string{"p%40ss", "p@ss", "disable", "disable"}},
		{"https://host/", nil},
		{"host:443", nil},
		{"http://ann@host", nil},
		{"http://a:b:c@d@host", []string{"b:c@d", "b:c@d"}},
	} {
		var got []string
		for _, s := range passwordsOf(tc.text) {
			got = append(got, string(s))
		}
		if strings.Join(got, " ") != strings.Join(tc.want, " ") {
			t.Errorf("passwordsOf(%q) = %q, want %q", tc.text, got, tc.want)
		}
	}
}

func TestTail(t *testing.T) {
	for _, tc := range []struct {
		text  string
		lines int
		want  string
	}{{"a\nb\nc\n", 2, "b\nc\n"}, {"a\nb\nc\nd\ne\nf\ng\n", 1, "g\n"}, {"a\nb\nc", 2, "b\nc"}, {"a\nb", 9, "a\nb"}, {"", 3, ""}} {
		if got, err := tail(strings.NewReader(tc.text), tc.lines); err != nil || string(got) != tc.want {
			t.Errorf("tail(%q, %d) = %q, %v, want %q", tc.text, tc.lines, got, err, tc.want)
		}
	}
}
