package scan

import (
	"bytes"
	"unicode/utf8"
)

// AppendEscaped appends s such that it can stand in text and in an attribute value with either quote, and reads back
// unchanged: the five markup characters become entities, tab and line ends become character references. The characters
// must be legal in XML: see ValidText.
func AppendEscaped[T ~string | ~[]byte](dst []byte, s T) []byte {
	return appendEscaped(dst, s, true)
}

// AppendText is AppendEscaped for text between tags only; it keeps quotes, tabs and line feeds, which mean nothing there, so that JSON stays short.
func AppendText[T ~string | ~[]byte](dst []byte, s T) []byte {
	return appendEscaped(dst, s, false)
}

// AppendAttribute appends a space and an attribute with this value, escaped; the name is one of XML.
func AppendAttribute[T ~string | ~[]byte](dst []byte, name string, value T) []byte {
	dst = append(append(append(dst, ' '), name...), '=', '\'')
	return append(AppendEscaped(dst, value), '\'')
}

func appendEscaped[T ~string | ~[]byte](dst []byte, s T, attr bool) []byte {
	from := 0
	for i := range len(s) {
		var esc string
		switch s[i] {
		case '&':
			esc = "&amp;"
		case '<':
			esc = "&lt;"
		case '>':
			esc = "&gt;"
		case '\'':
			esc = "&apos;"
		case '"':
			esc = "&quot;"
		case '\r':
			esc = "&#13;"
		case '\n':
			esc = "&#10;"
		case '\t':
			esc = "&#9;"
		default:
			continue
		}
		if !attr && meansNothingInText(s[i]) {
			continue
		}
		dst = append(dst, s[from:i]...)
		dst = append(dst, esc...)
		from = i + 1
	}
	return append(dst, s[from:]...)
}

func meansNothingInText(c byte) bool { return c == '\n' || c == '\t' || c == '\'' || c == '"' }

// place says where raw bytes stand, which decides how they are read.
type place uint8

const (
	inText place = iota
	inValue
	inSection // a CDATA section
)

// specials are the bytes that do not stand for themselves at a place.
var specials = [...]string{inText: "&\r", inValue: "&\r\n\t", inSection: "\r"}

// appendUnescaped appends validated raw bytes with references replaced and white space normalised (XML 1.0 sections 2.11
// and 3.3.3).
func appendUnescaped(dst, raw []byte, where place) []byte {
	space := byte('\n')
	if where == inValue {
		space = ' '
	}
	for {
		i := bytes.IndexAny(raw, specials[where])
		if i < 0 {
			return append(dst, raw...)
		}
		dst = append(dst, raw[:i]...)
		n := 1
		switch {
		case raw[i] == '&':
			dst, n = appendReference(dst, raw[i:])
		case bytes.HasPrefix(raw[i:], []byte("\r\n")):
			n = 2
			fallthrough
		default:
			dst = append(dst, space)
		}
		raw = raw[i+n:]
	}
}

// unescapeValue returns the value of an attribute, which is raw itself if nothing is to be done.
func unescapeValue(raw []byte) []byte {
	if !bytes.ContainsAny(raw, specials[inValue]) {
		return raw
	}
	return appendUnescaped(make([]byte, 0, len(raw)), raw, inValue)
}

// appendReference appends the character of the validated reference at the start of raw and returns the length of the
// reference.
func appendReference(dst, raw []byte) ([]byte, int) {
	if raw[1] == '#' {
		end, r := decodeCharRef(raw, 0)
		return utf8.AppendRune(dst, r), end
	}
	end := bytes.IndexByte(raw, ';')
	return append(dst, entity(raw[1:end])), end + 1
}
