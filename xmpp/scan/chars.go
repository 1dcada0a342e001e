package scan

import "unicode/utf8"

// What a byte may be in XML; the bits of classes.
const (
	isSpace     = 1 << iota // white space: tab, line feed, carriage return, blank
	isNameStart             // ASCII letter or underscore
	isName                  // isNameStart, digit, full stop, hyphen
	stopsText               // anything that text cannot step over blindly
	stopsValue              // anything that an attribute value cannot step over blindly, the quotes included
	stopsTag                // what the search for the end of a tag looks at
	isHex                   // hexadecimal digit
	notInURI                // legal in XML, but in no URI
)

// classes sorts the 256 bytes; it is never written after start.
var classes = makeClasses()

func makeClasses() (t [256]uint8) {
	for c := range 0x20 {
		t[c] = stopsText | stopsValue
	}
	for c := 0x80; c < 0x100; c++ {
		t[c] = stopsText | stopsValue
	}
	for c := range 26 {
		t['a'+c] = isNameStart | isName
		t['A'+c] = isNameStart | isName
	}
	for c := range 10 {
		t['0'+c] = isName | isHex
	}
	for c := range 6 {
		t['a'+c] |= isHex
		t['A'+c] |= isHex
	}
	t['_'] = isNameStart | isName
	t['-'], t['.'] = isName, isName
	for _, c := range " \t\r\n" {
		t[c] = isSpace | notInURI
	}
	for _, c := range "\"<>\\^`{|}\x7f" {
		t[c] |= notInURI
	}
	t['\t'] |= stopsValue
	t['\r'] |= stopsValue
	t['\n'] |= stopsValue
	t['<'] |= stopsText | stopsValue | stopsTag
	t['&'] |= stopsText | stopsValue
	t['>'] |= stopsText | stopsTag
	t['"'] |= stopsValue | stopsTag
	t['\''] |= stopsValue | stopsTag
	return t
}

// legalRune reports whether XML 1.0 allows the character (section 2.2, Char). r must be a valid code point.
func legalRune(r rune) bool {
	if r < 0x20 {
		return r == '\t' || r == '\n' || r == '\r'
	}
	return r != 0xFFFE && r != 0xFFFF
}

// legalAt returns the length of the legal character at the start of s, or 0 when there is none: invalid UTF-8, a
// character outside XML 1.0, or a character that s cuts off.
func legalAt(s []byte) int {
	if s[0] < utf8.RuneSelf {
		if legalRune(rune(s[0])) {
			return 1
		}
		return 0
	}
	r, n := utf8.DecodeRune(s)
	if (r == utf8.RuneError && n == 1) || !legalRune(r) {
		return 0
	}
	return n
}

// ValidText reports whether s is valid UTF-8 and holds only characters that XML 1.0 can carry. What fails this cannot be
// sent at all, not even escaped.
func ValidText[T ~string | ~[]byte](s T) bool {
	for i := 0; i < len(s); {
		if s[i] < utf8.RuneSelf {
			if !legalRune(rune(s[i])) {
				return false
			}
			i++
			continue
		}
		n := legalAt([]byte(s[i:min(i+utf8.UTFMax, len(s))]))
		if n == 0 {
			return false
		}
		i += n
	}
	return true
}

func skipSpace(b []byte, i int) int {
	for i < len(b) && classes[b[i]]&isSpace != 0 {
		i++
	}
	return i
}
