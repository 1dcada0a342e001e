package support

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

const (
	removed       = "[removed]"
	leastSecret   = 6 // bytes; what is shorter would be found everywhere
	base64Overlap = 3 // bytes of a text that share four letters
)

// redactor takes secrets out of texts: those that it knows by their value, in every spelling, and what looks like one.
type redactor struct{ known *strings.Replacer }

// patterns are what looks like a secret wherever it stands, with what stays of it.
var patterns = []struct {
	find *regexp.Regexp
	stay string
}{
	{regexp.MustCompile(`(?s)-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----.*?(-----END [A-Z0-9 ]*PRIVATE KEY-----|\z)`), removed},
	{regexp.MustCompile(`\b(sbx|sbe|whsec|whsk)_[A-Za-z0-9+/=._-]+`), "${1}_" + removed},
	{regexp.MustCompile(`(?i)\b(bearer|basic)(\s+)[A-Za-z0-9+/=._~-]{6,}`), "${1}${2}" + removed},
	{regexp.MustCompile(`(?i)(\b(?:password|passwd|secret|token|api[-_]?key|authorization)"?\s*[=:]\s*"?)[^\s"&,}]+`), "${1}" + removed},
	{regexp.MustCompile(`(://[^\s/:@"]*:)[^\s/"]*@`), "${1}" + removed + "@"},
}

// newRedactor knows these secrets. The longest are looked for first, so that none hides behind a part of it.
func newRedactor(secrets [][]byte) *redactor {
	var forms []string
	for _, s := range secrets {
		if len(s) >= leastSecret {
			forms = append(forms, spellings(s)...)
		}
	}
	slices.SortFunc(forms, func(a, b string) int { return len(b) - len(a) })
	forms = slices.Compact(forms)
	pairs := make([]string, 0, 2*len(forms))
	for _, f := range forms {
		pairs = append(pairs, f, removed)
	}
	return &redactor{known: strings.NewReplacer(pairs...)}
}

// spellings returns the ways in which a secret may stand in a text.
func spellings(secret []byte) []string {
	forms := []string{
		string(secret), url.QueryEscape(string(secret)), url.PathEscape(string(secret)),
		hex.EncodeToString(secret), strings.ToUpper(hex.EncodeToString(secret)),
	}
	if quoted, err := json.Marshal(string(secret)); err == nil && utf8.Valid(secret) {
		forms = append(forms, strings.Trim(string(quoted), `"`))
	}
	for _, enc := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
		for before := range base64Overlap { // the secret may begin at each of three places within four letters
			forms = append(forms, inside(enc, secret, before))
		}
	}
	return slices.DeleteFunc(forms, func(f string) bool { return len(f) < leastSecret })
}

// inside returns the letters of base64 that a secret has to itself where so many bytes stand before it in the group.
func inside(enc *base64.Encoding, secret []byte, before int) string {
	text := enc.EncodeToString(append(make([]byte, before), secret...))
	from := 0
	if before > 0 {
		from = before + 1 // letters that hold bits of what stands before
	}
	to := len(text)
	if (before+len(secret))%base64Overlap != 0 {
		to-- // holds bits of what follows
	}
	return text[min(from, to):to]
}

// clean returns a text without secrets.
func (r *redactor) clean(text []byte) []byte {
	cleaned := []byte(r.known.Replace(string(text)))
	for _, p := range patterns {
		cleaned = p.find.ReplaceAll(cleaned, []byte(p.stay))
	}
	return cleaned
}

// linesOf returns the secrets in a file: the file as it is, and each line of it. Lines that frame a key say nothing.
func linesOf(text []byte) [][]byte {
	secrets := [][]byte{text, bytes.TrimSpace(text)}
	lines := bytes.Split(text, []byte("\n"))
	for _, line := range lines {
		line = bytes.TrimSpace(line)
		if len(line) >= leastSecret && !bytes.HasPrefix(line, []byte("-----")) {
			secrets = append(secrets, line)
		}
	}
	return secrets
}

// passwordsOf returns what is secret in a text of the configuration: the password in a URL, and the values behind its question mark.
func passwordsOf(text string) (secrets [][]byte) {
	_, rest, isURL := strings.Cut(text, "://")
	if !isURL {
		return nil
	}
	if at := strings.LastIndexByte(rest, '@'); at >= 0 {
		if _, password, ok := strings.Cut(rest[:at], ":"); ok {
			secrets = append(secrets, []byte(password), []byte(unescaped(password)))
		}
	}
	if _, query, ok := strings.Cut(rest, "?"); ok {
		for pair := range strings.SplitSeq(query, "&") {
			_, value, _ := strings.Cut(pair, "=")
			secrets = append(secrets, []byte(value), []byte(unescaped(value)))
		}
	}
	return secrets
}

func unescaped(text string) string {
	if plain, err := url.QueryUnescape(text); err == nil {
		return plain
	}
	return text
}
