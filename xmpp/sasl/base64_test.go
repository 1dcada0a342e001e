package sasl

import (
	"bytes"
	"strings"
	"testing"
)

func TestDecodeBase64(t *testing.T) {
	tests := []struct {
		name, text string
		want       []byte
		cond       Condition
	}{
		{"nothing", "", nil, ""},
		{"empty response", "=", []byte{}, ""},
		{"padding of one", "YWI=", []byte("ab"), ""},
		{"padding of two", "YQ==", []byte("a"), ""},
		{"NUL", "AA==", []byte{0}, ""},
		{"two equals signs", "==", nil, IncorrectEncoding},
		{"four equals signs", "====", nil, IncorrectEncoding},
		{"no padding", "YQ", nil, IncorrectEncoding},
		{"padding too long", "YWI==", nil, IncorrectEncoding},
		{"padding inside", "YQ==YQ==", nil, IncorrectEncoding},
		{"something after padding", "YQ==x", nil, IncorrectEncoding},
		{"unused bits", "YR==", nil, IncorrectEncoding},
		{"URL alphabet", "-_-_", nil, IncorrectEncoding},
		{"space", "YW I=", nil, IncorrectEncoding},
		{"line feed at the end", "YWI=\n", nil, IncorrectEncoding},
		{"line feed inside", "YW\nI=", nil, IncorrectEncoding},
		{"carriage return", "\rYWI=", nil, IncorrectEncoding},
		{"text", "not base64!", nil, IncorrectEncoding},
		{"longest", strings.Repeat("AAAA", 1365) + "AA==", make([]byte, MaxMessageBytes), ""},
		{"one byte too long", strings.Repeat("AAAA", 1365) + "AAA=", nil, MalformedRequest},
		{"too long", strings.Repeat("AAAA", 1367), nil, MalformedRequest},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := DecodeBase64([]byte(tt.text))
			if c := condition(t, err); c != tt.cond {
				t.Fatalf("DecodeBase64() = %q, want %q", c, tt.cond)
			}
			if !bytes.Equal(got, tt.want) || (got == nil) != (tt.want == nil) {
				t.Errorf("DecodeBase64() = %v, want %v", got, tt.want)
			}
		})
	}
}

// Where the message has an element of its own, "=" is no base64 and no text is the empty message (XEP-0388 section 2.2).
func TestDecodeData(t *testing.T) {
	for text, want := range map[string]Condition{"": "", "YWI=": "", "=": IncorrectEncoding, " YWI=": IncorrectEncoding, strings.Repeat("AAAA", 1367): MalformedRequest} {
		got, err := DecodeData([]byte(text))
		if c := condition(t, err); c != want || c == "" && got == nil {
			t.Errorf("DecodeData(%q) = %v, %q, want %q", text, got, c, want)
		}
	}
}
