package push

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// FieldError is one mistake in a request.
type FieldError struct {
	Pointer string // JSON pointer (RFC 6901) into the request, such as "/type"
	Detail  string // what is wrong and what is allowed, one sentence; never the value itself
}

// Error returns pointer and detail.
func (e *FieldError) Error() string { return e.Pointer + ": " + e.Detail }

// FieldErrors is every mistake of a request at once; never empty when it is returned as an error.
type FieldErrors []*FieldError

// Error joins the mistakes with semicolons.
func (es FieldErrors) Error() string {
	texts := make([]string, len(es))
	for i, e := range es {
		texts[i] = e.Error()
	}
	return strings.Join(texts, "; ")
}

// Unwrap returns the mistakes, so that errors.As finds a *FieldError too.
func (es FieldErrors) Unwrap() []error {
	errs := make([]error, len(es))
	for i, e := range es {
		errs[i] = e
	}
	return errs
}

// normalise returns p as it is stored and sent, or FieldErrors.
func normalise(p Push) (Push, error) {
	var errs FieldErrors
	if p.To.Domain == "" || p.To.ID == "" {
		errs = append(errs, &FieldError{"/to", "must name an endpoint"})
	}
	p, more := normaliseContent(p)
	if errs = append(errs, more...); errs != nil {
		return Push{}, errs
	}
	return p, nil
}

// normaliseContent returns p, whoever gets it, as it is stored and sent, with its mistakes.
func normaliseContent(p Push) (_ Push, errs FieldErrors) {
	add := func(pointer, detail string) { errs = append(errs, &FieldError{pointer, detail}) }
	if detail := checkType(p.Type); detail != "" {
		add("/type", detail)
	}
	if p.TTL < 0 || p.TTL > MaxTTL {
		add("/ttl", fmt.Sprintf("must be 0 to %d seconds", MaxTTL/time.Second))
	}
	if int(p.Priority) >= len(priorityNames) {
		add("/priority", "must be high, normal or low")
	}
	if int(p.Ack) >= len(ackNames) {
		add("/ack", "must be none, delivered or handled")
	}
	if detail := checkKey(p.CollapseKey); detail != "" {
		add("/collapse_key", detail)
	}
	p.NotBefore = p.NotBefore.Truncate(time.Microsecond)
	if now := time.Now(); p.NotBefore.After(now) && !p.NotBefore.Before(now.Add(p.TTL)) {
		add("/not_before", "is not before the end of the ttl, which counts from now on")
	}
	if p.Message {
		if len(p.Payload) > MaxPayloadBytes {
			add("/payload", fmt.Sprintf("is %d bytes, at most %d are allowed", len(p.Payload), MaxPayloadBytes))
		}
	} else if p.Binary {
		if len(p.Payload) > MaxPayloadBytes {
			add("/payload_base64", fmt.Sprintf("is %d bytes, at most %d are allowed", len(p.Payload), MaxPayloadBytes))
		}
	} else if p.Payload != nil {
		text, detail := normaliseJSON(p.Payload)
		if detail != "" {
			add("/payload", detail)
		}
		p.Payload = text
	}
	return p, errs
}

// checkType says what is wrong with the type of a push, or nothing.
func checkType(t string) string {
	if t == "" {
		return "must not be empty"
	}
	if len(t) > MaxTypeBytes {
		return fmt.Sprintf("is %d bytes, at most %d are allowed", len(t), MaxTypeBytes)
	}
	for i := range len(t) {
		if !typeByte(t[i]) {
			return fmt.Sprintf("has a character that is not allowed at byte %d; use a-z, A-Z, 0-9 and . _ -", i)
		}
	}
	if t[0] == '.' || t[len(t)-1] == '.' || strings.Contains(t, "..") {
		return "has an empty part between its dots"
	}
	return ""
}

func typeByte(c byte) bool {
	switch {
	case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		return true
	case c == '.', c == '_', c == '-':
		return true
	}
	return false
}

// checkKey says what is wrong with a collapse key, or nothing: it is a Topic of RFC 8030 section 5.4, and may be longer.
func checkKey(key string) string {
	if len(key) > MaxKeyBytes {
		return fmt.Sprintf("is %d bytes, at most %d are allowed", len(key), MaxKeyBytes)
	}
	for i := range len(key) {
		if key[i] == '.' || !typeByte(key[i]) {
			return fmt.Sprintf("has a character that is not allowed at byte %d; use a-z, A-Z, 0-9 and _ -", i)
		}
	}
	return ""
}

// normaliseJSON returns text without white space and with no character that XML cannot carry (XML 1.0 section 2.2): JSON forbids raw control characters and
// UTF-8 has no surrogates, which leaves U+FFFE and U+FFFF; they are legal JSON, so they are escaped. Or it says what is wrong.
func normaliseJSON(text []byte) ([]byte, string) {
	if len(text) > MaxPayloadBytes {
		return nil, fmt.Sprintf("is %d bytes, at most %d are allowed", len(text), MaxPayloadBytes)
	}
	if !utf8.Valid(text) {
		return nil, "is not valid UTF-8"
	}
	out := bytes.NewBuffer(make([]byte, 0, len(text)))
	if err := json.Compact(out, text); err != nil {
		return nil, "is not valid JSON"
	}
	safe := escapeNonCharacters(out.Bytes())
	if len(safe) > MaxPayloadBytes {
		return nil, fmt.Sprintf("is %d bytes with U+FFFE and U+FFFF escaped, at most %d are allowed", len(safe), MaxPayloadBytes)
	}
	return safe, ""
}

// escapeNonCharacters writes U+FFFE and U+FFFF, which stand only inside strings of a valid JSON text, as escapes.
func escapeNonCharacters(text []byte) []byte {
	if !bytes.Contains(text, []byte("\xef\xbf\xbe")) && !bytes.Contains(text, []byte("\xef\xbf\xbf")) {
		return text
	}
	text = bytes.ReplaceAll(text, []byte("\xef\xbf\xbe"), []byte(`\ufffe`))
	return bytes.ReplaceAll(text, []byte("\xef\xbf\xbf"), []byte(`\uffff`))
}
