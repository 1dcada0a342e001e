package scan

import "unicode/utf8"

// reference reads the reference at pos in text, once its end is there.
func (s *Scanner) reference(b []byte) (bool, *Error) {
	w := s.work
	i := w.seek
	for i < len(b) && (classes[b[i]]&isName != 0 || b[i] == '#' || b[i] >= utf8.RuneSelf) {
		i++
	}
	s.examined += i - w.seek
	w.seek = i
	if i == len(b) {
		return false, nil
	}
	end, err := skipReference(b[:i+1], w.pos)
	if err != nil {
		return false, err
	}
	s.settle(end)
	w.mode = inContent
	return true, nil
}

// skipReference returns the offset behind the reference whose & is b[i]. b goes on at least to the first byte that cannot
// belong to one.
func skipReference(b []byte, i int) (int, *Error) {
	if b[i+1] == '#' {
		end, r := decodeCharRef(b, i)
		if end == 0 {
			return 0, notWellFormed(i, "malformed character reference")
		}
		if r < 0 {
			return 0, notWellFormed(i, "reference to an illegal character")
		}
		return end, nil
	}
	end := skipNCName(b, i+1)
	if end == i+1 || b[end] != ';' {
		return 0, notWellFormed(i, "malformed reference")
	}
	if entity(b[i+1:end]) == 0 {
		return 0, restricted(i, "undefined entity")
	}
	return end + 1, nil
}

// entity returns the character of a predefined entity, 0 for other names (XML 1.0 section 4.6).
func entity(name []byte) byte {
	switch string(name) {
	case "lt":
		return '<'
	case "gt":
		return '>'
	case "amp":
		return '&'
	case "apos":
		return '\''
	case "quot":
		return '"'
	}
	return 0
}

// decodeCharRef decodes the character reference whose & is b[i]. It returns the offset behind it, 0 for a malformed one,
// and the character, -1 for an illegal one.
func decodeCharRef(b []byte, i int) (int, rune) {
	i += 2
	base, want := rune(10), uint8(isName)
	if b[i] == 'x' {
		base, want = 16, isHex
		i++
	}
	var r rune
	start := i
	for ; b[i] != ';'; i++ {
		c := b[i]
		d := rune(c - '0')
		if c > '9' {
			d = rune(c|0x20) - 'a' + 10
		}
		if classes[c]&want == 0 || c < '0' || d >= base {
			return 0, -1
		}
		r = min(r*base+d, utf8.MaxRune+1)
	}
	if i == start {
		return 0, -1
	}
	if !utf8.ValidRune(r) || !legalRune(r) {
		r = -1
	}
	return i + 1, r
}
